"""Examples from documents: the model as it comes asks on a passage, the one in service answers; a person approves."""

import re
from collections.abc import Sequence
from contextlib import aclosing

from graph.reading import read_passages
from index.passages import Passage
from tandem.models.client import ChatMessage, ModelClient
from tandem.models.snapshot import SeenDocument
from tandem.tuning.examples import Draft
from tandem.tuning.files import converse
from tandem.tuning.hits import make_hit
from tandem.tuning.similarity import normalise

ASK = "Write one short question that the text answers. It must make sense to somebody who does not have the text."
SHOWN = (
    (
        "Office hours: The office in Leipzig is open from 9:00 to 17:00 on weekdays. Visitors sign in first.",
        "When is the office in Leipzig open?",
    ),
    (
        "Expenses: Reports are due by the fifth working day of each month. Send them to your team lead.",
        "By when are expense reports due?",
    ),
)
QUESTION_TOKENS = 40
_QUESTION = re.compile(r"[A-Z][^?\n]{8,200}\?")


async def draft_example(model: ModelClient, passage: Passage, *, licence: str, author: str) -> Draft | None:
    """None where the model asks nothing, or finds no answer. Whether question and answer are any good, a person says.

    `licence` is for documents that state none.
    """
    title = f"{passage.title}, {passage.heading}" if passage.heading else passage.title
    found = _QUESTION.search(await _say(model, _ask_for_question(title, passage.text), QUESTION_TOKENS))
    if found is None:
        return None
    question = found.group()
    reading = await read_passages(model, question, [make_hit(1, passage.title, passage.text, passage.heading)])
    if reading is None:
        return None
    seen = SeenDocument(
        id=passage.document_id,
        source=passage.source,
        path=passage.path,
        revision=passage.revision,
        indexed_at=passage.indexed_at,
    )
    return Draft(
        messages=converse(question, reading.answer),
        place=f"document:{passage.document_id}:{passage.revision}:{normalise(question)}",
        origin=f"{passage.source}/{passage.path}",
        licence=passage.licence or licence,
        author=author,
        documents=(seen,),
    )


def _ask_for_question(title: str, text: str) -> Sequence[ChatMessage]:
    shown = [
        message
        for shown, question in SHOWN
        for message in (ChatMessage("user", f"Text: {shown}"), ChatMessage("assistant", question))
    ]
    return [ChatMessage("system", ASK), *shown, ChatMessage("user", f"Text: {title}: {text}")]


async def _say(model: ModelClient, messages: Sequence[ChatMessage], tokens: int) -> str:
    name = (await model.describe()).model
    async with aclosing(model.chat(messages, max_tokens=tokens, model=name)) as deltas:
        return "".join([delta.text async for delta in deltas]).strip()
