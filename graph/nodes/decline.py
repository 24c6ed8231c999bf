"""Nobody answers: says so, with what was read and may not be the answer, or what is missing and the nearest pages."""

from collections.abc import Sequence
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Citation, Delta
from graph.reading import find_missing
from graph.receipt import make_answer, make_citation
from graph.sentences import tidy
from graph.state import Context, State
from index.search import Hit

NEAREST = 2
NAMED = 3


async def decline(state: State, runtime: Runtime[Context]) -> Command[Literal["record"]]:
    decision, hits = state["decision"], state["found"].hits
    citations: tuple[Citation, ...] = ()
    if not hits:
        text = "I don't know. There are no documents that I may read here. Add some with `tandem source add PATH`."
    elif reading := state.get("reading"):
        text = f"I am not sure that the documents answer this. The nearest that I found: “{tidy(reading.quote)}” [1]"
        citations = (make_citation(1, reading.passage, reading.quote),)
    else:
        text = f"I don't know. {_say_missing(state['standalone'], hits)} The nearest I have: {_name_pages(hits)}."
    get_stream_writer()(Delta(text))
    answer = await make_answer(runtime.context, state, decision, "declined", text, citations)
    return Command(update={"answer": answer}, goto="record")


def _say_missing(question: str, hits: Sequence[Hit]) -> str:
    missing = [f"“{word}”" for word in find_missing(question, hits)][:NAMED]
    if not missing:
        return "I found nothing in the documents that answers this."
    return f"I found nothing in the documents that answers this; what is nearest says nothing of {', '.join(missing)}."


def _name_pages(hits: Sequence[Hit]) -> str:
    return " and ".join(list(dict.fromkeys(f"“{hit.title}”" for hit in hits))[:NEAREST])
