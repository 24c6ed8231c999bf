"""Nobody speaks: says so, what was looked for, and the nearest pages, so that a person can go on from there."""

from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Delta
from graph.receipt import make_answer
from graph.state import Context, State

NEAREST = 2


async def decline(state: State, runtime: Runtime[Context]) -> Command[Literal["record"]]:
    decision, hits = state["decision"], state["found"].hits
    text = "I don't know. "
    if not hits:
        text += "There are no documents that I may read here. Add some with `tandem source add PATH`."
    else:
        titles = list(dict.fromkeys(f"“{hit.title}”" for hit in hits))[:NEAREST]
        text += f"I found nothing in the documents that answers this. The nearest I have: {' and '.join(titles)}."
    get_stream_writer()(Delta(text))
    answer = await make_answer(runtime.context, state, decision, "declined", text, ())
    return Command(update={"answer": answer}, goto="record")
