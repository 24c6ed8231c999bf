"""The documents answer: the model in service reads the best passages, and its answer is sent if it is likely right."""

import time
from dataclasses import replace
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Delta, Progress
from graph.nodes.drafted import draft_from_passages
from graph.reading import read_passages
from graph.receipt import make_answer, make_citation
from graph.state import Context, State


async def answer_from_passages(state: State, runtime: Runtime[Context]) -> Command[Literal["decline", "record"]]:
    context, decision, write = runtime.context, state["decision"], get_stream_writer()
    if (await context.model.describe()).adapter is None:
        return await draft_from_passages(state, context)
    write(Progress("Reading the passages"))
    started = time.perf_counter()
    reading = await read_passages(context.model, state["standalone"], state["found"].hits)
    if reading is None:
        context.watch.model_calls += 1
        return await draft_from_passages(state, context)
    context.watch.model_calls += reading.calls
    context.watch.prompt_tokens += reading.prompt_tokens
    context.watch.answer_tokens += reading.answer_tokens
    context.watch.answer = context.watch.since(started)
    decision = replace(decision, p_answer=reading.p_answer)
    if not reading.is_sent:
        reason = f"the passages answer this with a chance of {reading.p_answer:.0%} only"
        return Command(update={"decision": decision.doubted(reason), "reading": reading}, goto="decline")
    decision = decision.explained(f"the answer stands in the passage, and fits with a chance of {reading.p_answer:.0%}")
    citation = make_citation(1, reading.passage, reading.quote)
    text = f"{reading.answer} [1]"
    context.watch.note_first_token()
    write(Delta(text))
    answer = await make_answer(context, state, decision, "grounded", text, (citation,))
    return Command(update={"answer": answer, "decision": decision}, goto="record")
