"""The reader's figures are those of its readings, with the passage given and with what search finds in its place."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from index.search import Hit
from tandem.evals.qa import OnPassage
from tandem.evals.reading import measure_reader
from tandem.evals.workbench import Workbench, open_workbench
from tandem.models.client import ModelClient
from tandem.settings import Settings

FERRY = "The boat to the island leaves at noon from the old harbour. It takes forty minutes."
TRAM = "Tram 11 stops at the market every six minutes."
QUESTIONS = (
    OnPassage(question="When does the boat to the island leave?", answers=("at noon", "noon"), passage=FERRY),
    OnPassage(question="How long does the boat to the island take?", answers=("forty minutes",), passage=FERRY),
    OnPassage(question="How often does tram 11 stop at the market?", answers=("every six minutes",), passage=TRAM),
    OnPassage(question="Who steers the tram?", passage=TRAM),
    OnPassage(question="What is the name of the boat?", passage=FERRY),
)


@dataclass(frozen=True)
class Scripted:
    answer: str
    cited: tuple[Hit, ...]
    p_answer: float
    is_sent: bool


async def read_by_rule(model: ModelClient, question: str, passages: Sequence[Hit]) -> Scripted:
    """Says "noon" of all there is, cites the first passage, and is sure of questions that begin with `When`."""
    p_answer = 0.9 if question.startswith("When") else 0.4 if question.startswith("How often") else 0.2
    return Scripted("At noon", tuple(passages[:1]), p_answer, p_answer > 0.3)


@pytest.fixture
async def bench(model_settings: Settings) -> AsyncIterator[Workbench]:
    async with open_workbench(model_settings) as opened:
        yield opened


async def test_figures(bench: Workbench) -> None:
    run = await measure_reader(bench, QUESTIONS, read_by_rule)
    assert [[hit.text for hit in read.given.cited] for read in run.reads[1:3]] == [[FERRY], [TRAM]]
    described = run.describe()
    assert described["questions"] == 5
    assert described["forced"]["em"]["mean"] == described["forced"]["f1"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert described["as_sent"]["f1"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert described["as_sent"]["declined_rightly"]["mean"] == 1
    assert described["as_sent"]["declined_wrongly"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert described["auroc"] == pytest.approx((2 + 2 + 0.5 + 0.5) / 6, abs=1e-4)
    retrieved = described["retrieved"]
    assert retrieved["f1"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert retrieved["f1_lost"]["mean"] == 0
    assert retrieved["citation_precision"]["mean"] == 1
