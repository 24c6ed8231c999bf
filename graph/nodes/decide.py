"""Third step: the router says who speaks."""

import time
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.state import Context, State

NEXT: dict[str, Literal["answer_directly", "answer_from_passages", "decline"]] = {
    "direct": "answer_directly",
    "grounded": "answer_from_passages",
    "declined": "decline",
}


async def decide(
    state: State, runtime: Runtime[Context]
) -> Command[Literal["answer_directly", "answer_from_passages", "decline"]]:
    context, started = runtime.context, time.perf_counter()
    decision = context.router.decide(state["standalone"], state["found"])
    context.watch.decide = context.watch.since(started)
    return Command(update={"decision": decision}, goto=NEXT[decision.route])
