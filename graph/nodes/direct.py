"""The weights answer: a draft that is streamed once its first tokens show that the model is sure."""

import time
from contextlib import aclosing
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Delta, Progress
from graph.memory import Exchange
from graph.prompts import ask_directly
from graph.provenance import is_withdrawn
from graph.receipt import make_answer
from graph.sentences import strip_citations
from graph.small_talk import reply_to_courtesy
from graph.state import Context, State
from graph.support import says_again

FIRST_TOKENS = 24
SURE = -0.62  # mean natural-log probability of the first tokens below which the draft is not sent; see docs/decision.md
ANSWER_TOKENS = 200


async def answer_directly(
    state: State, runtime: Runtime[Context]
) -> Command[Literal["answer_from_passages", "decline", "record"]]:
    write, context, decision = get_stream_writer(), runtime.context, state["decision"]
    if decision.inputs.question.small_talk:
        text = reply_to_courtesy(context.asked)
        context.watch.note_first_token()
        write(Delta(text))
        answer = await make_answer(context, state, decision, "direct", text, ())
        return Command(update={"answer": answer}, goto="record")
    write(Progress("Thinking"))
    started = time.perf_counter()
    text, held, logprobs, sent = "", "", list[float](), False
    unsure = False
    messages = ask_directly(context.asked, await _find_last_exchange(context, state))
    context.watch.model_calls += 1
    # The adapter learned facts and to be brief; writing is better left to the model as it comes.
    name = None if decision.inputs.needs_facts else (await context.model.describe()).model
    async with aclosing(context.model.chat(messages, max_tokens=ANSWER_TOKENS, model=name)) as draft:
        async for delta in draft:
            if delta.text:
                context.watch.note_first_token()
            context.watch.count(delta)
            text, held = text + delta.text, held + delta.text
            logprobs += delta.logprobs
            judged = bool(logprobs) and (len(logprobs) >= FIRST_TOKENS or delta.finish_reason is not None)
            if judged and not sent and decision.inputs.needs_facts:
                unsure = sum(logprobs) / len(logprobs) < SURE
                if decision.inputs.knows_little:  # and is often sure of just what it was asked
                    unsure = unsure or says_again(text, state["standalone"])
                if unsure:
                    context.watch.answer_tokens += len(logprobs)  # its last delta, which tells the count, never comes
                    break
            if judged or not logprobs:
                write(Delta(held))
                held, sent = "", True
    context.watch.answer = context.watch.since(started)
    if unsure or not text.strip():
        decision = decision.doubted("a first draft from memory was unsure of itself")
        return Command(
            update={"decision": decision}, goto="answer_from_passages" if decision.fallback == "grounded" else "decline"
        )
    answer = await make_answer(context, state, decision, "direct", strip_citations(text).strip(), ())
    return Command(update={"answer": answer}, goto="record")


async def _find_last_exchange(context: Context, state: State) -> list[Exchange]:
    """The last exchange, unless it stands on what was withdrawn since: the weights would say that again."""
    question = context.question
    earlier = [exchange for exchange in state.get("history", []) if exchange["question_id"] != question.id][-1:]
    cited = [document for exchange in earlier for document in exchange.get("cited", [])]
    return [] if await is_withdrawn(context.database, question.viewer, cited) else earlier
