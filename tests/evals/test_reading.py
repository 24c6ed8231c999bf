"""The reader's figures are those of its readings, with the passage given and with what search finds in its place."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from graph.reading import Reading, plain_text
from graph.signs import Signs
from index.search import Hit
from tandem.evals.qa import OnPassage
from tandem.evals.reading import measure_reader
from tandem.evals.workbench import Workbench, open_workbench
from tandem.models.client import ModelClient
from tandem.settings import Settings

FERRY = "The boat to the island leaves at noon from the old harbour. It takes forty minutes."
TRAM = "Tram 11 stops at the market every six minutes."
QUESTIONS = (
    OnPassage(
        question="When does the boat to the island leave?", answers=("at noon", "noon"), passage=FERRY, title="The boat"
    ),
    OnPassage(question="How long does the boat take?", answers=("forty minutes",), passage=FERRY, title="The boat"),
    OnPassage(
        question="How often does tram 11 stop there?", answers=("every six minutes",), passage=TRAM, title="Trams"
    ),
    OnPassage(question="Who steers the tram?", passage=TRAM, title="Trams"),
    OnPassage(question="What is the name of the boat?", passage=FERRY, title="The boat"),
)


async def read_by_rule(model: ModelClient, question: str, passages: Sequence[Hit]) -> Reading | None:
    """Says "noon" of all there is, from the first passage, and is sure of questions that begin with `When`."""
    if question.startswith("Who"):
        return None
    p_answer = 0.9 if question.startswith("When") else 0.6 if question.startswith("How often") else 0.2
    signs = Signs(*[0.0] * len(Signs.__dataclass_fields__))
    return Reading("At noon", passages[0], "", p_answer, p_answer > 0.5, signs, None, 1, 1, 1)


@pytest.fixture
async def bench(model_settings: Settings) -> AsyncIterator[Workbench]:
    async with open_workbench(model_settings) as opened:
        yield opened


async def test_figures(bench: Workbench) -> None:
    run = await measure_reader(bench, QUESTIONS, read=read_by_rule)
    assert [read.given and read.given.passage.text for read in run.reads] == [FERRY, FERRY, TRAM, None, FERRY]
    described = run.describe()
    assert described["questions"] == 5
    third = pytest.approx(1 / 3, abs=1e-4)
    assert described["forced"]["em"]["mean"] == third
    assert described["forced"]["f1"]["mean"] == third
    assert described["as_sent"]["f1"]["mean"] == third
    assert described["as_sent"]["declined_rightly"]["mean"] == 1
    assert described["as_sent"]["declined_wrongly"]["mean"] == third
    assert described["auroc"] == pytest.approx((2 + 2 + 1.5) / 6, abs=1e-4)
    # Right is the first alone, and it is the surest.
    assert described["auroc_right"] == 1
    assert described["retrieved"]["f1"]["mean"] == third
    assert described["retrieved"]["f1_lost"]["mean"] == 0
    assert described["retrieved"]["citation_precision"]["mean"] == 1
    assert [read.declined_elsewhere for read in run.reads] == [
        True,
        True,
        True,
        None,
        None,
    ]  # nothing else is about boats or trams
    assert described["uncovered"]["declined"]["mean"] == 1


async def test_the_reader_that_serves_is_measured(bench: Workbench) -> None:
    run = await measure_reader(bench, [QUESTIONS[0], QUESTIONS[3]])
    [ferry, tram] = run.reads
    for reading in (ferry.given, ferry.found, tram.given):
        # It quotes, or, where nothing has taught it to read, makes nothing of the passages.
        assert reading is None or reading.answer in plain_text(reading.passage.text)
    assert tram.found is None
    assert json.loads(json.dumps(run.describe()))["questions"] == 2
