"""Second step, always: search. It is cheap, and its scores feed the decision."""

import time
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Progress
from graph.state import Context, State
from index.search import search

PASSAGES = 8


async def retrieve(state: State, runtime: Runtime[Context]) -> Command[Literal["decide"]]:
    get_stream_writer()(Progress("Searching the documents"))
    context, started = runtime.context, time.perf_counter()
    found = await search(
        context.database,
        context.model,
        state["standalone"],
        context.question.viewer,
        k=PASSAGES,
        filters=context.filters,
    )
    context.watch.retrieve = context.watch.since(started)
    return Command(update={"found": found}, goto="decide")
