"""`tandem eval` keeps its JSON contract, draws its picture, and says what is wrong."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tandem.cli import app
from tandem.errors import TandemError
from tandem.settings import Settings

PAGES = {
    "badges.md": "# Badges\n\nA lost badge costs 15 euros. Report it to the security office within four hours.\n",
    "printers.md": "# Printers\n\nThe colour printer stands on the third floor. Its name is FALCON-3.\n",
}
QUESTIONS = (
    {"question": "What does a lost badge cost?", "answers": ["15 euros"], "uri": "badges.md"},
    {"question": "On which floor does the colour printer stand?", "answers": ["third", "third floor"]},
    {"question": "Which company policy covers parking fines of employees?", "answers": [], "answerable": False},
)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    return tmp_path


async def run_eval(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    environment = os.environ | {
        "TANDEM_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url or "",
        "MODEL_URL": settings.model_url or "",
        "COLUMNS": "200",
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tandem", "eval", *arguments, env=environment, stdout=pipe, stderr=pipe
    )
    output, errors = await process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_json_and_picture(model_settings: Settings, house: Path) -> None:
    arguments = (
        *("--arms", "prompt,tuned,retrieval", "--docs", str(house / "house")),
        *("--plot", str(house / "a.png"), "--replies", str(house / "replies.jsonl")),
    )
    status, output, errors = await run_eval(model_settings, str(house / "qa.jsonl"), *arguments, "--json")
    assert status == 0, errors
    measured = json.loads(output)
    assert measured["questions"] == 3
    assert list(measured["arms"]) == ["prompt", "tuned", "retrieval"]
    retrieval = measured["arms"]["retrieval"]
    assert retrieval["answerable"]["contained"] == 1
    assert retrieval["retrieval"] == {"recall@1": 1, "recall@5": 1, "mrr": 1}
    assert retrieval["citations"] == {"precision": 1, "recall": 1}
    assert measured["details"]["left_out"] == {}
    assert measured["details"]["retrieval_judged_by"].startswith("the document's address where it is given (1 of 2)")
    assert "too few" in measured["recommendation"]
    said = [json.loads(line) for line in (house / "replies.jsonl").read_text().splitlines()]
    assert [row["arm"] for row in said] == ["prompt", "tuned", "retrieval"] * 3
    assert (said[2]["right"], said[2]["route"], "15 euros" in said[2]["reply"]) == (True, "grounded", True)
    with Image.open(house / "a.png") as image:
        assert image.format == "PNG"


async def test_people_get_a_table(model_settings: Settings, house: Path) -> None:
    arguments = ("--arms", "tandem", "--docs", str(house / "house"))
    status, output, errors = await run_eval(model_settings, str(house / "qa.jsonl"), *arguments)
    assert status == 0, errors
    assert "Retrieval on its own: recall@1 1.00, recall@5 1.00, mrr 1.00" in output
    assert "Tandem gets" in output
    assert "Tandem chose by the built-in rules" in output


def test_what_is_wrong_is_said(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(house / "home"))
    (house / "bad.jsonl").write_text('{"question": "Who?", "answerable": true}')
    questions = str(house / "qa.jsonl")
    for arguments, said in (
        ((str(house / "bad.jsonl"),), "line 1: Value error, it is answerable, and has no answer"),
        ((questions, "--docs", str(house / "nowhere")), "is no folder"),
        ((questions, "--plot", str(house / "nowhere" / "a.png")), "a.png cannot be written: No such file"),
        ((questions, "--plot", str(house / "a.png"), "--replies", str(house)), "cannot be written: Is a directory"),
    ):
        with pytest.raises(TandemError, match=said):
            CliRunner().invoke(app, ["eval", *arguments], catch_exceptions=False)
    assert not (house / "a.png").exists()  # no more than tried
    assert not (house / "home").exists()  # nothing was asked
    refused = CliRunner().invoke(app, ["eval", questions, "--arms", "prompt,guess"])
    assert refused.exit_code == 2
    assert "prompt, tuned, retrieval" in " ".join(refused.output.split())
