"""`tandem bench model` measures the real server, keeps its JSON contract, and says what is wrong."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLACES = ("Leipzig", "Graz", "Basel")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [{"passage": f"The office in {place} opens at nine.", "question": "When?"} for place in PLACES]
    path = tmp_path / "qa.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return path


def bench(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tandem", "bench", "model", *arguments]
    environment = os.environ | {"TANDEM_HOME": str(home), "COLUMNS": "120"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_two_small_rounds_of_the_real_server(model_url: str, questions: Path, tmp_path: Path) -> None:
    plan = ("--concurrency", "1,2", "--requests", "2", "--rounds", "2", "--answer-tokens", "4")
    done = bench(tmp_path, "--url", f"{model_url},{model_url}/v1", "--questions", str(questions), *plan, "--json")
    assert done.returncode == 0, done.stderr
    runs: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    assert [(run["url"], run["concurrency"]) for run in runs] == [
        (url, level) for level in (1, 2) for url in (model_url, f"{model_url}/v1")
    ]
    for run in runs:
        assert run["tokens_per_answer"] == 4
        assert run["answer_tokens_per_s"] == pytest.approx(4 * run["requests_per_s"], rel=1e-2)
        assert 0 < run["first_token_s"]["p50"] <= run["first_token_s"]["p95"]
        assert run["token_gap_ms"]["p99"] > 0
        assert run["memory_mb"] > 100
        assert (run["requests"], run["failures"], len(run["rounds"])) == (2 * max(2, 2 * run["concurrency"]), 0, 2)
    assert runs[0]["ratios"]["answer_tokens_per_s"] == runs[2]["ratios"]["answer_tokens_per_s"] == 1


def test_people_get_a_table(model_url: str, questions: Path, tmp_path: Path) -> None:
    plan = ("--concurrency", "1", "--requests", "1", "--rounds", "1", "--answer-tokens", "2", "--seen")
    done = bench(tmp_path, "--url", model_url, "--questions", str(questions), *plan)
    assert done.returncode == 0, done.stderr
    assert model_url.removeprefix("http://") in done.stdout
    assert "Answers of 2.0 to 2.0 tokens" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--url", "http://127.0.0.1:1"), 1, "No model server answers at http://127.0.0.1:1"),
        (("--url", "127.0.0.1:80"), 2, "http://"),
        (("--url", "http://127.0.0.1:1", "--concurrency", "1,0"), 2, "1 to 1,024"),
        (("--url", "http://127.0.0.1:1", "--concurrency", ""), 2, "1 to 1,024"),
        (("--url", "http://127.0.0.1:1", "--questions", "nowhere.jsonl"), 1, "nowhere.jsonl cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    questions: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    given = arguments if "--questions" in arguments else ("--questions", str(questions), *arguments)
    done = bench(tmp_path, *given)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_line_is_named(questions: Path, tmp_path: Path) -> None:
    questions.write_text('{"passage": "x", "question": "y"}\n{"passage": 7}\n')
    done = bench(tmp_path, "--url", "http://127.0.0.1:1", "--questions", str(questions))
    assert done.returncode == 1
    assert "line 2" in done.stderr
