"""Second step, always: search. It is cheap, and its scores feed the decision.

Where only that can tell whether a question leans on the one before it, both ways are searched.
"""

import asyncio
import time
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Progress
from graph.state import Context, State
from index.search import SearchResult, search

PASSAGES = 8
LEANS = 0.2
"""Of cosine: a question whose best passage is that much nearer together with the question before it leans on that
(docs/retrieval.md)."""


async def retrieve(state: State, runtime: Runtime[Context]) -> Command[Literal["decide"]]:
    get_stream_writer()(Progress("Searching the documents"))
    context, started, standalone = runtime.context, time.perf_counter(), state["standalone"]
    alone = state["alone"]
    if alone is None:
        found = await find(context, standalone)
    else:
        found, by_itself = await asyncio.gather(find(context, standalone), find(context, alone))
        if stands_alone(by_itself, found):
            standalone, found = alone, by_itself
    context.watch.retrieve = context.watch.since(started)
    return Command(update={"standalone": standalone, "found": found}, goto="decide")


async def find(context: Context, question: str) -> SearchResult:
    viewer = context.question.viewer
    return await search(context.database, context.model, question, viewer, k=PASSAGES, filters=context.filters)


def stands_alone(alone: SearchResult, joined: SearchResult) -> bool:
    """Given what the question found by itself, and together with the one before it."""
    nearest, nearest_joined = (max((hit.dense for hit in found.hits), default=0.0) for found in (alone, joined))
    return bool(alone.hits) and nearest > nearest_joined - LEANS
