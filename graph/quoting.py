"""Quoting: when the model's own words cannot be used, the passages' own sentences answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from graph.sentences import split_sentences
from graph.support import content_terms
from index.search import Hit
from tandem.models.client import ModelClient

SHORTEST = 20  # characters; a shorter line is a label, not a statement
ALSO = 0.9  # of the best sentence's score, from which another page is quoted too
MEANING, WORDS, PASSAGE = 0.5, 0.25, 0.25


@dataclass(frozen=True)
class Quote:
    passage: Hit
    text: str


async def quote_passages(model: ModelClient, question: str, passages: Sequence[Hit]) -> tuple[Quote, ...]:
    """The sentence nearest to the question with the one after it, and a second page's where that is as near.

    Nearness weighs meaning (cosine), the question's own terms, and the passage's place in the search.
    """
    candidates = [
        (passage, sentences, position)
        for passage in passages
        for sentences in [split_sentences(passage.text)]
        for position in range(len(sentences))
        if len(sentences[position]) >= SHORTEST
    ]
    if not candidates:
        return ()
    texts = [f"{passage.title}. {passage.heading}. {sentences[at]}" for passage, sentences, at in candidates]
    vectors = await model.embed([question, *texts])
    asked = content_terms(question)
    scores = [
        MEANING * float(vectors[0] @ vectors[row + 1])
        + WORDS * len(asked & content_terms(sentences[at])) / max(1, len(asked))
        + PASSAGE * passage.score / passages[0].score
        for row, (passage, sentences, at) in enumerate(candidates)
    ]
    best = max(range(len(scores)), key=scores.__getitem__)
    quotes = [_quote(*candidates[best])]
    others = [row for row in range(len(scores)) if candidates[row][0].document_id != candidates[best][0].document_id]
    if others:
        other = max(others, key=scores.__getitem__)
        if scores[other] >= ALSO * scores[best]:
            quotes.append(_quote(*candidates[other]))
    return tuple(quotes)


def _quote(passage: Hit, sentences: Sequence[str], position: int) -> Quote:
    return Quote(passage, " ".join(sentences[position : position + 2]))
