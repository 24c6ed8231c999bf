"""Reading: the model in service takes its answer, word by word, from one of the passages, and says how sure that is.

A grammar lets the model say nothing but a passage's number and words that stand in that passage. The first token, which
in its training was the choice between answering and declining, tells how much it would rather have declined; a
calibrated linear model weighs that with how sure the words are and how they fit the question. Where that leaves it in
doubt, the sentences around the answer are read once more: does the model say the same of them alone?
"""

import json
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from graph.prompts import ask_numbered
from graph.routing.linear import LinearModel
from graph.sentences import split_sentences, tidy
from graph.signs import SecondSigns, Signs, list_missing, weigh_again, weigh_signs
from graph.support import content_terms
from index.search import Hit
from tandem.models.client import ModelClient
from tandem.models.endpoint import MOST_SCORED

READ = 3
"""Passages that are read at most, best first."""
CLOSE = 0.06
"""Of a search score: a passage this far below the best one is left out, since it misleads more often than it holds what
the best one lacks (docs/reader.md)."""
LONGEST = 2_700
"""Characters that are read, shared equally by the passages."""
ANSWER_TOKENS = 48
TOKENS_A_WORD = 2
"""Of a question, to have its log-probabilities, and four for its mark: enough for all 708 questions of the bar. Each
costs a row of logits."""
_MARKS = re.compile(r"[#*`>|]+|(?<!\w)_+|_+(?!\w)")
_REPLY = re.compile(r"\[(\d)\] ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Bar:
    """`model` weighs `Signs`, `second` those and `SecondSigns`; an answer is sent from the chance `least` on. A second
    reading is worth its time where the first leaves a chance from `doubtful[0]` to `doubtful[1]`."""

    model: LinearModel
    second: LinearModel
    doubtful: tuple[float, float]
    least: float


@dataclass(frozen=True)
class Reading:
    """`answer` stands in `passage`, in the sentence `quote`. `p_answer` is the chance that it answers the question;
    `is_sent` whether that is enough, and the answer says something. `calls` of the model, with their tokens."""

    answer: str
    passage: Hit
    quote: str
    p_answer: float
    is_sent: bool
    signs: Signs
    second: SecondSigns | None
    calls: int
    prompt_tokens: int
    answer_tokens: int

    @property
    def cited(self) -> tuple[Hit, ...]:
        return (self.passage,)


@cache
def read_bar() -> Bar:
    """The one that was fitted with the adapter that ships (docs/decision.md)."""
    return TypeAdapter(Bar).validate_json(resources.files("graph").joinpath("reading.json").read_bytes())


async def read_passages(
    model: ModelClient, question: str, passages: Sequence[Hit], *, name: str | None = None, always_twice: bool = False
) -> Reading | None:
    """The best answer that the passages hold, whether it is good or not; None where they hold no text.

    `name` is the model or adapter that reads; without it, what is in service. With a foreign server, which takes no
    grammar, None also where its reply has another form. Where the first reading leaves it in doubt, the sentences
    around the answer are read once more, alone; `always_twice` does so wherever that leaves it.
    """
    chosen = choose_passages(passages)
    given = [(hit, plain) for hit in chosen if (plain := fit_text(hit, LONGEST // len(chosen)))]
    if not given:
        return None
    first = await _read(model, question, [(_name(hit), text) for hit, text in given], name)
    if first is None:
        return None
    hit, text = given[first.number - 1]
    quote = find_quote(first.answer, hit.in_context)
    [wanted, said] = await model.embed([question, f"{hit.title}. {tidy(quote)}"])
    signs = weigh_signs(question, hit, text, quote, first.logprobs, first.asked, float(wanted @ said))
    bar, second, again = read_bar(), None, None
    chance = bar.model.chance(asdict(signs))
    if always_twice or bar.doubtful[0] <= chance < bar.doubtful[1]:
        again = await _read(model, question, [(_name(hit), find_surroundings(quote, hit.in_context))], name)
        if again is not None:
            second = weigh_again(first.answer, again.answer, again.logprobs, again.asked)
            chance = bar.second.chance(asdict(signs) | asdict(second))
    return Reading(
        first.answer,
        hit,
        quote,
        chance,
        chance >= bar.least and bool(content_terms(first.answer)),  # "on" tells nobody anything
        signs,
        second,
        calls=1 if again is None else 2,
        prompt_tokens=first.prompt_tokens + (again.prompt_tokens if again else 0),
        answer_tokens=first.answer_tokens + (again.answer_tokens if again else 0),
    )


@dataclass(frozen=True)
class _Reply:
    """The number of the passage that was chosen, from 1, and its words; what `weigh_signs` needs of how sure it was."""

    number: int
    answer: str
    logprobs: Sequence[float]
    asked: Sequence[tuple[str, float]]
    prompt_tokens: int
    answer_tokens: int


async def _read(
    model: ModelClient, question: str, titled: Sequence[tuple[str, str]], name: str | None
) -> _Reply | None:
    """One call; None for a reply of another form."""
    reply, logprobs, prompt_tokens, answer_tokens = "", list[float](), 0, 0
    asked: tuple[tuple[str, float], ...] = ()
    call = model.chat(
        ask_numbered(question, titled),
        max_tokens=ANSWER_TOKENS,
        grammar=quotation_grammar([text for _, text in titled]),
        model=name,
        asked=min(MOST_SCORED, TOKENS_A_WORD * len(question.split()) + 4),
    )
    async with aclosing(call) as draft:
        async for delta in draft:
            reply += delta.text
            logprobs += delta.logprobs
            prompt_tokens += delta.prompt_tokens or 0
            answer_tokens += delta.answer_tokens or 0
            asked = delta.asked or asked
    match = _REPLY.match(reply)
    if match is None or not 1 <= int(match[1]) <= len(titled) or not match[2].strip(" .,;:"):
        return None
    answer = match[2].strip(" ,;:").rstrip(".")
    return _Reply(int(match[1]), answer, logprobs, asked, prompt_tokens, answer_tokens)


def _name(hit: Hit) -> str:
    return f"{hit.title}, {hit.heading}" if hit.heading else hit.title


def choose_passages(found: Sequence[Hit]) -> Sequence[Hit]:
    """Those worth reading of what was found, best first: one to READ, as many as the search leaves in doubt."""
    return [hit for hit in found[:READ] if found[0].score - hit.score <= CLOSE]


def quotation_grammar(texts: Sequence[str]) -> str:
    """Lark, as llguidance reads it: `[n] ` and whole words in a row from the n-th text."""
    choices = " | ".join(f'"[{n}] " TEXT{n}' for n in range(1, len(texts) + 1))
    rules = [f'TEXT{n}: %regex {{"substring_words": {json.dumps(text)}}}' for n, text in enumerate(texts, 1)]
    return "\n".join([f"start: {choices}", *rules, ""])


def fit_text(hit: Hit, room: int) -> str:
    """At most `room` characters of the passage, and what stands before and after it as far as that still fits."""
    own, before, after = plain_text(hit.text)[:room], plain_text(hit.before), plain_text(hit.after)
    if len(before) + 1 + len(own) > room:
        before = ""
    if len(before) + len(own) + len(after) + 2 > room:
        after = ""
    return " ".join(part for part in (before, own, after) if part)


def plain_text(text: str) -> str:
    """A passage on one line, without the marks of Markdown and the targets of links."""
    return " ".join(_MARKS.sub(" ", tidy(text)).split())


def find_quote(answer: str, text: str) -> str:
    """The sentence of a passage, verbatim, that holds the answer; the answer itself where it spans several."""
    return next((sentence for sentence in split_sentences(text) if answer in plain_text(sentence)), answer)


def find_surroundings(quote: str, text: str) -> str:
    """The sentence of a passage with the ones before and after it, plain; the quotation alone where it is none."""
    sentences = split_sentences(text)
    if quote not in sentences:
        return plain_text(quote)
    at = sentences.index(quote)
    return plain_text(" ".join(sentences[max(0, at - 1) : at + 2]))


def find_missing(question: str, passages: Sequence[Hit]) -> list[str]:
    """The question's words, in its order, whose terms none of the passages that are read holds."""
    held: set[int] = set()
    for hit in choose_passages(passages):
        held |= content_terms(f"{hit.title} {hit.heading} {hit.in_context}")
    return list_missing(question, held)
