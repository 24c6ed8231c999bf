"""The weights answer: a draft that is streamed once its first tokens show that the model is sure."""

import time
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Delta, Progress
from graph.prompts import ask_directly
from graph.receipt import make_answer
from graph.state import Context, State

FIRST_TOKENS = 12
SURE = -0.9  # mean natural-log probability of the first tokens below which the draft is not sent; see docs/decision.md
ANSWER_TOKENS = 200


async def answer_directly(
    state: State, runtime: Runtime[Context]
) -> Command[Literal["answer_from_passages", "decline", "record"]]:
    write, context, decision = get_stream_writer(), runtime.context, state["decision"]
    write(Progress("Thinking"))
    started = time.perf_counter()
    text, held, logprobs, sent = "", "", list[float](), False
    unsure = False
    messages = ask_directly(context.question.text, state.get("history", []))
    draft = context.model.chat(messages, max_tokens=ANSWER_TOKENS)
    async for delta in draft:
        if delta.text:
            context.watch.note_first_token()
        context.watch.count(delta)
        text, held = text + delta.text, held + delta.text
        logprobs += delta.logprobs
        if not sent and len(logprobs) >= FIRST_TOKENS and not decision.inputs.small_talk:
            unsure = sum(logprobs) / len(logprobs) < SURE
            if unsure:
                await draft.aclose()
                break
        if len(logprobs) >= FIRST_TOKENS or not logprobs or delta.finish_reason:
            write(Delta(held))
            held, sent = "", True
    context.watch.answer = context.watch.since(started)
    if unsure or not text.strip():
        doubt = "a first draft from memory was unsure of itself"
        decision = decision.doubted(doubt)
        next_step: Literal["answer_from_passages", "decline"] = (
            "answer_from_passages" if state["found"].hits and not decision.inputs.task else "decline"
        )
        return Command(update={"decision": decision}, goto=next_step)
    answer = await make_answer(context, state, decision, "direct", text.strip(), ())
    return Command(update={"answer": answer}, goto="record")
