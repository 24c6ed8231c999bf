"""Quoting: the sentences of the found passages that lie nearest to the question.

They choose the passages that the model reads, and answer by themselves when its own words cannot be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graph.sentences import split_sentences, tidy
from graph.support import content_terms
from index.search import Hit
from tandem.models.client import ModelClient

READ = 4  # passages whose sentences are weighed
SHORTEST = 20  # characters; a shorter line is a label, not a statement
ITEMS = 5
ALSO = 0.92  # of the best sentence's nearness, from which another page is quoted too
MEANING, WORDS, FOUND = 0.5, 0.2, 0.3


@dataclass(frozen=True)
class Quote:
    """A sentence of a passage, verbatim, with what is said of it, and how near it lies to the question (0 to 1)."""

    passage: Hit
    text: str
    said: str
    nearness: float


async def find_quotes(model: ModelClient, question: str, passages: Sequence[Hit]) -> tuple[Quote, ...]:
    """The nearest sentence with the one after it, and a second page's where that is as near. Empty without text."""
    candidates = [
        (passage, sentences, at)
        for passage in passages[:READ]
        for sentences in [split_sentences(passage.in_context)]
        for at in range(len(sentences))
        if len(sentences[at]) >= SHORTEST and not sentences[at].endswith("?")
    ]
    if not candidates:
        return ()
    scores = await weigh_nearness(model, question, [(passage, sentences[at]) for passage, sentences, at in candidates])
    ranked = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    best = ranked[0]
    other = next((row for row in ranked if candidates[row][0].document_id != candidates[best][0].document_id), None)
    chosen = [best] if other is None or scores[other] < ALSO * scores[best] else [best, other]
    return tuple(
        Quote(passage, sentences[at], _say(sentences, at), scores[row])
        for row in chosen
        for passage, sentences, at in [candidates[row]]
    )


def _say(sentences: Sequence[str], at: int) -> str:
    """The sentence and the one after it; where it announces a list, its first items."""
    first = tidy(sentences[at])
    if first.endswith(":"):
        return "\n".join([first, *(f"- {tidy(item)}" for item in sentences[at + 1 : at + 1 + ITEMS])])
    return " ".join([first, *map(tidy, sentences[at + 1 : at + 2])])


async def weigh_nearness(model: ModelClient, question: str, said: Sequence[tuple[Hit, str]]) -> list[float]:
    """How near each sentence lies to the question: meaning (cosine), shared terms, and its passage's score."""
    texts = [f"{passage.title}. {passage.heading}. {tidy(sentence)}" for passage, sentence in said]
    vectors = await model.embed([question, *texts])
    asked = content_terms(question)
    return [
        MEANING * float(vectors[0] @ vectors[row])
        + WORDS * len(asked & content_terms(sentence)) / max(1, len(asked))
        + FOUND * passage.score
        for row, (passage, sentence) in enumerate(said, 1)
    ]
