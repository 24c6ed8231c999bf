"""Nobody can tell which of two things was meant, so the person is asked. What they say next is a follow-up."""

from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Delta
from graph.receipt import make_answer
from graph.state import Context, State


async def ask_back(state: State, runtime: Runtime[Context]) -> Command[Literal["record"]]:
    decision = state["decision"]
    two = decision.inputs.ambiguity
    if two is None:
        raise RuntimeError("the router asks back without saying what the question could mean")
    text = f"Do you mean “{two.first}” or “{two.second}”?"
    get_stream_writer()(Delta(text))
    answer = await make_answer(runtime.context, state, decision, "asked", text, ())
    return Command(update={"answer": answer}, goto="record")
