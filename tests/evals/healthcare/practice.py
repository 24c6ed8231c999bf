"""Practice: a team asks, corrects, and Tandem learns from it, before the questions that count.

What the right answers are is told as people tell it, by corrections; the night's work then grades both routes.
"""

from collections.abc import Sequence
from pathlib import Path

from graph.agent import Agent
from graph.answers import Done, Question
from graph.learning.night import Outcome, grade_next, refit_if_due
from tandem.cli.workplace import open_database, open_model, terminal_viewer
from tandem.settings import Settings
from tests.evals.healthcare.verdict import read_lines


async def practise(settings: Settings, out: Path) -> Outcome | None:
    """Asks OUT's practice questions, one conversation each, and does the night's work on all of them."""
    rows = read_lines(out / "practice.jsonl")
    settings = settings.model_copy(update={"learn_questions": len(rows)})
    async with (
        open_database(settings) as database,
        open_model(settings) as model,
        Agent.open(settings, database, model) as agent,
    ):
        for number, row in enumerate(rows):
            await ask_and_correct(agent, f"practice:{number}", row["question"], row["answers"])
        while await grade_next(database, model, settings):
            pass
        return await refit_if_due(database, model, settings)


async def ask_and_correct(agent: Agent, identity: str, text: str, answers: Sequence[str]) -> None:
    question = Question(identity, text, identity, terminal_viewer(None))
    async for happened in agent.answer(question):
        if isinstance(happened, Done):
            await agent.record_correction(happened.answer.id, user="practice", text=answers[0])
