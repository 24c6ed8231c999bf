"""A model that was not taught to read answers from the documents: of its draft on the best passages, only supported
sentences are sent, each with a citation."""

import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from langgraph.config import get_stream_writer
from langgraph.types import Command, StreamWriter

from graph.answers import Citation, Delta, Progress
from graph.prompts import ask_from_passages
from graph.quoting import Quote, find_quotes, weigh_nearness
from graph.receipt import make_answer, make_citation
from graph.sentences import take_sentences, tidy
from graph.state import Context, State
from graph.support import find_support
from index.search import Hit

ANSWER_TOKENS = 64
SENTENCES = 3


async def draft_from_passages(state: State, context: Context) -> Command[Literal["decline", "record"]]:
    write, decision = get_stream_writer(), state["decision"]
    standalone, started = state["standalone"], time.perf_counter()
    write(Progress("Reading the passages"))
    quotes = await find_quotes(context.model, standalone, state["found"].hits)
    if not quotes:
        return Command(
            update={"decision": decision.explained("the passages hold no sentence to quote")}, goto="decline"
        )
    answer = Grounding(write, context, standalone, quotes)
    pending, finished = "", False
    messages = ask_from_passages(standalone, answer.passages)
    context.watch.model_calls += 1
    async with aclosing(context.model.chat(messages, max_tokens=ANSWER_TOKENS)) as draft:
        async for delta in draft:
            context.watch.count(delta)
            finished = delta.finish_reason == "stop"
            whole, pending = take_sentences(pending + delta.text)
            for sentence in whole:
                await answer.offer(sentence)
            if len(answer.lines) >= SENTENCES:
                break
        else:
            if finished:  # else the draft was cut short, and its last sentence is half a sentence
                await answer.offer(pending)
    if not answer.lines:
        decision = decision.explained("the model's own words were not borne out by the passages, so these are quoted")
        answer.send_quotes()
    context.watch.answer = context.watch.since(started)
    made = await make_answer(context, state, decision, "grounded", answer.text, tuple(answer.cited.values()))
    return Command(update={"answer": made, "decision": decision}, goto="record")


@dataclass
class Grounding:
    """The answer while it is being written: what was sent, and which passages it stands on."""

    write: StreamWriter
    context: Context
    question: str
    quotes: tuple[Quote, ...]
    lines: list[str] = field(default_factory=list)
    cited: dict[int, Citation] = field(default_factory=dict)

    @property
    def passages(self) -> tuple[Hit, ...]:
        return tuple(quote.passage for quote in self.quotes)

    @property
    def text(self) -> str:
        return "\n\n".join(self.lines)

    async def offer(self, sentence: str) -> None:
        """Sends a sentence of the draft if a passage bears it out and it lies as near as the best quotation."""
        said = tidy(sentence)
        if said.endswith(("?", ":")) or any(said in line for line in self.lines):
            return
        support = find_support(said, self.passages, self.question)
        if support is None:
            return
        [nearness] = await weigh_nearness(self.context.model, self.question, [(support.passage, said)])
        if nearness >= self.quotes[0].nearness:
            self._send(said, support.passage, support.quote)

    def send_quotes(self) -> None:
        for quote in self.quotes:
            self._send(quote.said, quote.passage, quote.text)

    def _send(self, text: str, passage: Hit, quote: str) -> None:
        self.context.watch.note_first_token()
        line = f"{text} [{number_citation(self.cited, passage, quote)}]"
        self.write(Delta(f"\n\n{line}" if self.lines else line))
        self.lines.append(line)


def number_citation(cited: dict[int, Citation], passage: Hit, quote: str) -> int:
    """The passage's number in the answer; a passage that is cited for the first time gets the next one."""
    if passage.chunk_id not in cited:
        cited[passage.chunk_id] = make_citation(len(cited) + 1, passage, quote)
    return cited[passage.chunk_id].n
