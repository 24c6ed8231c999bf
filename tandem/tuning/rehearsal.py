"""Rehearsal: what the adapter in service says of other things is learned along with the examples, so that it is kept.

Pseudo-rehearsal (Robins, 1995; learning without forgetting: Li and Hoiem, 2016). The prompts come with Tandem:
questions on passages, a third of them unanswered there, and general ones. None is one that adapters are judged by.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from importlib import resources

from pydantic import BaseModel, ConfigDict

from graph.prompts import ask_directly, ask_numbered
from tandem.cancelling import end_tasks
from tandem.models.client import ChatMessage, ModelClient
from tandem.tuning.lesson import Lesson

LONGEST_REPLY = 48
AT_ONCE = 8


class _Prompts(BaseModel):
    """A line of `rehearsal.jsonl`: questions on these passages, (title, text) each, or general ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passages: tuple[tuple[str, str], ...]
    questions: tuple[str, ...]


async def rehearse(model: ModelClient) -> list[Lesson]:
    """Each prompt with what is in service says to it, at temperature 0. Raises what the model client raises."""
    free = asyncio.Semaphore(AT_ONCE)

    async def ask(messages: Sequence[ChatMessage]) -> Lesson:
        async with free, aclosing(model.chat(messages, max_tokens=LONGEST_REPLY)) as deltas:
            said = "".join([delta.text async for delta in deltas]).strip()
        return Lesson(messages=(*messages, ChatMessage("assistant", said)), origin="rehearsal")

    tasks = [asyncio.create_task(ask(messages)) for messages in list_prompts()]
    try:
        lessons = await asyncio.gather(*tasks)
    finally:
        await end_tasks(*tasks)
    return [lesson for lesson in lessons if lesson.messages[-1].content]


def list_prompts() -> Iterator[list[ChatMessage]]:
    """As people's questions are put to the model."""
    lines = resources.files("tandem.tuning").joinpath("rehearsal.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        prompts = _Prompts.model_validate_json(line)
        for question in prompts.questions:
            yield ask_numbered(question, prompts.passages) if prompts.passages else ask_directly(question, ())
