"""The documents answer: a draft from the best passages, of which only supported sentences are sent, each with its citation."""

import time
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import Citation, Delta, Progress
from graph.passages import choose_passages
from graph.prompts import ask_from_passages
from graph.quoting import quote_passages
from graph.receipt import make_answer
from graph.sentences import take_sentences
from graph.state import Context, State
from graph.support import find_support
from index.search import Hit

ANSWER_TOKENS = 120


async def answer_from_passages(state: State, runtime: Runtime[Context]) -> Command[Literal["decline", "record"]]:
    write, context, decision = get_stream_writer(), runtime.context, state["decision"]
    standalone = state["standalone"]
    passages = choose_passages(state["found"].hits)
    write(Progress(f"Reading {len(passages)} passages" if len(passages) > 1 else "Reading 1 passage"))
    started = time.perf_counter()
    cited: dict[int, Citation] = {}
    lines: list[str] = []
    pending, dropped = "", 0

    def send(sentence: str) -> None:
        nonlocal dropped
        support = find_support(sentence, passages, standalone)
        if support is None:
            dropped += 1
            return
        n = number_citation(cited, support.passage, support.quote)
        line = f"{sentence.rstrip()} [{n}]"
        write(Delta(line if not lines else f" {line}"))
        lines.append(line)

    async for delta in context.model.chat(ask_from_passages(standalone, passages), max_tokens=ANSWER_TOKENS):
        if delta.text:
            context.watch.note_first_token()
        context.watch.count(delta)
        whole, pending = take_sentences(pending + delta.text)
        for sentence in whole:
            send(sentence)
    if pending.strip() and not pending.rstrip().endswith((",", ";", ":")):
        send(pending)
    if not lines:
        decision = decision.explained("the model's own draft was not supported by the passages, so they are quoted")
        for quote in await quote_passages(context.model, standalone, passages):
            n = number_citation(cited, quote.passage, quote.text)
            line = f"{quote.text} [{n}]"
            write(Delta(line if not lines else f"\n\n{line}"))
            lines.append(line)
        separator = "\n\n"
    else:
        separator = " "
        if dropped:
            decision = decision.explained(f"{dropped} unsupported sentence{'s' * (dropped > 1)} of the draft left out")
    context.watch.answer = context.watch.since(started)
    if not lines:
        return Command(update={"decision": decision}, goto="decline")
    answer = await make_answer(context, state, decision, "grounded", separator.join(lines), tuple(cited.values()))
    return Command(update={"answer": answer}, goto="record")


def number_citation(cited: dict[int, Citation], passage: Hit, quote: str) -> int:
    """The passage's number in the answer; a passage that is cited for the first time gets the next one."""
    if passage.chunk_id not in cited:
        cited[passage.chunk_id] = Citation(
            n=len(cited) + 1,
            title=f"{passage.title} › {passage.heading}" if passage.heading else passage.title,
            uri=passage.uri,
            quote=quote,
            score=round(passage.score, 4),
            indexed_at=passage.indexed_at,
        )
    return cited[passage.chunk_id].n
