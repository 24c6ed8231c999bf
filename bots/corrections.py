"""Corrections: what people say that an answer should have been, kept in the same way from every surface."""

from bots.commands import Agent
from graph.answers import Answer
from index.audience import Viewer
from tandem.errors import TandemError

LONGEST_CORRECTION = 3000
"""Characters. Slack's inputs take no more, and `tandem tune check` little more."""
FORM_TITLE = "Correct this answer"
FORM_LABEL = "What should the answer have been?"
FORM_HINT = "The answer is too long to be shown here. Write what it should have been."
KEPT = (
    "Thank you, that is kept. Nothing changes yet: a person reads it first, and only if they approve it"
    " (`tandem tune review`) may an adapter learn it."
)


class CorrectionRefused(TandemError):
    """This cannot be kept as a correction."""


async def find_correctable(agent: Agent, answer_id: str, viewer: Viewer) -> Answer:
    """The answer that a person wants to correct. Raises CorrectionRefused unless they may see it."""
    answer = await agent.find_answer(answer_id, viewer)
    if answer is None:
        raise CorrectionRefused(
            "I no longer have that answer, or what it stands on may not be seen here any more.",
            remedy="Ask the question again, and correct the new answer.",
        )
    return answer


def prefill(answer: Answer) -> str:
    """What stands in a form from the start; nothing if it would be cut, as the rest would then seem to be wrong."""
    return answer.answer if _length(answer.answer) <= LONGEST_CORRECTION else ""


async def keep_correction(agent: Agent, answer_id: str, viewer: Viewer, *, user: str, text: str) -> str:
    """Keeps it, and returns what the person is told. May be repeated: a person's later word replaces the earlier one.

    Raises CorrectionRefused if they may not see the answer, and for a text that corrects nothing or is too long.
    """
    answer = await find_correctable(agent, answer_id, viewer)
    said = text.strip()
    if not said:
        raise CorrectionRefused("The correction is empty.", remedy="Write what the answer should have been.")
    if _length(said) > LONGEST_CORRECTION:
        raise CorrectionRefused(
            f"The correction has {_length(said):,} characters; I keep at most {LONGEST_CORRECTION:,}.",
            remedy="Keep to what the answer should have said.",
        )
    if said.split() == answer.answer.split():
        raise CorrectionRefused("That is what the answer says already.", remedy="Change what is wrong in it.")
    if not await agent.record_correction(answer.id, user=user, text=said):
        raise CorrectionRefused("I no longer have that answer.", remedy="Ask the question again.")
    return KEPT


def _length(text: str) -> int:
    """As chat clients count: in UTF-16 units, of which an emoji has two."""
    return len(text.encode("utf-16-le")) // 2
