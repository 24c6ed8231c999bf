"""Third step: the router says who speaks, from all that is known of the question, the evidence and its history."""

import time
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Route
from graph.routing.inputs import gather_inputs
from graph.state import Context, State

Next = Literal["answer_directly", "answer_from_passages", "ask_back", "decline"]
NEXT: dict[Route, Next] = {
    "direct": "answer_directly",
    "grounded": "answer_from_passages",
    "asked": "ask_back",
    "declined": "decline",
}


async def decide(state: State, runtime: Runtime[Context]) -> Command[Next]:
    context, started, found = runtime.context, time.perf_counter(), state["found"]
    viewer = context.question.viewer
    inputs = await gather_inputs(context.database, context.model, viewer, state["standalone"], found)
    decision = await context.router.decide(inputs)
    context.watch.decide = context.watch.since(started)
    return Command(update={"decision": decision}, goto=NEXT[decision.route])
