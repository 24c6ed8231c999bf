"""The model drafts a question on a passage; the answer stands in it word for word, and the page's revision is kept."""

from pathlib import Path

import pytest

from index.passages import Passage
from tandem.models.client import ModelClient
from tandem.models.endpoint import write_address
from tandem.settings import Settings
from tandem.tuning.drafting import draft_example

TEXT = (
    "New badges are made every Wednesday at the front desk in Leipzig. A lost badge has to be reported to the desk"
    " within four hours, and a new one costs 15 euros, which is taken from the next salary."
)


@pytest.mark.parametrize("licence", ["CC0-1.0", None])
async def test_a_pair_is_drafted_from_its_passage(tmp_path: Path, model_url: str, licence: str | None) -> None:
    settings = Settings(home=tmp_path, model_url=None, _env_file=None)
    write_address(settings, model_url)
    passage = Passage(7, "house", "badges.md", "Badges", "", TEXT, "ab", licence, None)
    async with ModelClient.open(settings) as model:
        draft = await draft_example(model, passage, licence="own", author="m")
    assert draft is not None
    assert draft.question.endswith("?")
    assert draft.answer in TEXT
    assert (draft.origin, draft.licence, draft.documents[0].revision) == ("house/badges.md", licence or "own", "ab")
