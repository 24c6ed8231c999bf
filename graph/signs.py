"""Signs that an answer, taken word by word from a passage, is not what was asked."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graph.prompts import QUESTION
from graph.rarity import weigh_rarity
from graph.sentences import split_sentences
from graph.support import content_terms
from index.search import Hit

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w[\w’'.-]*\w|\w")
_NEGATION = re.compile(r"\b(?:not|never|no|none|without|except|neither|nor|unable|unlike|fail\w*|refus\w*|\w+n['’]t)\b")
_OPPOSITES = (
    "first last", "before after", "largest smallest", "highest lowest", "oldest youngest", "most least", "more less",
    "increase decrease", "increased decreased", "north south", "northern southern", "east west", "eastern western",
    "early late", "begin end", "began ended", "start stop", "start end", "won lost", "win lose", "rise fall",
    "rose fell", "major minor", "male female", "men women", "public private", "positive negative", "above below",
    "allow forbid", "allowed forbidden", "with without", "can cannot", "is isn't", "was wasn't", "did didn't",
    "do don't", "does doesn't", "are aren't", "were weren't", "always never", "many few", "old new", "join leave",
    "joined left", "support oppose", "supported opposed", "accept reject", "accepted rejected", "high low",
    "long short",
)  # fmt: skip
OPPOSITE = {a: b for pair in _OPPOSITES for x, y in [pair.split()] for a, b in ((x, y), (y, x))}
LEAST = 1e-6
_ARTICLES = Counter(dict.fromkeys(("a", "an", "the"), 99))


@dataclass(frozen=True)
class Signs:
    """What `p_answer` is weighed from. Log-probabilities are natural; shares and cosines go from 0 to 1."""

    answers: float
    """Log-odds that the reply begins as an answer, not as a refusal."""
    words: float
    """Mean log-probability of the answer's tokens."""
    least: float
    """Log-probability of the least likely of them."""
    coverage: float
    """Share of the question's terms that the passage holds."""
    nearby: float
    """Share of them in the quotation and its neighbours."""
    meaning: float
    """Cosine of question and quotation."""
    numbers: float
    """Share of the question's numbers that the passage lacks."""
    names: float
    """Share of the question's capitalised words that the passage lacks."""
    rarest: float
    """Rarity of the rarest of the question's words that the passage lacks; 0 where it lacks none."""
    turned: float
    """1 where the question says "not", or the opposite of what the quotation says; else 0."""
    expected: float
    """Mean log-probability of the question's two least likely words, after the passages: a question that they answer
    surprises less."""
    length: float
    """Log of how many words the question has: of more words, the least likely two are less likely."""
    faintness: float
    """`least` as a logarithm, log(1 - least): what is very unlikely is hardly worse than what is unlikely."""
    surprise: float
    """`expected` likewise."""


@dataclass(frozen=True)
class SecondSigns:
    """What the sentences around the quotation tell when they are read alone."""

    again: float
    """Log-odds that this reply, too, begins as an answer."""
    expected_again: float
    """As `expected`, after these sentences."""
    agreement: float
    """Of both answers' words, the share that both have (SQuAD's F1)."""


def weigh_signs(
    question: str,
    passage: Hit,
    text: str,
    quote: str,
    logprobs: Sequence[float],
    asked: Sequence[tuple[str, float]],
    meaning: float,
) -> Signs:
    """`logprobs` are those of the reply's tokens: `[`, the number, `]`, and the words. `asked` are the prompt's last
    tokens and theirs, up to the question's end."""
    terms = content_terms(question)
    context = content_terms(f"{passage.title} {passage.heading}")
    held = content_terms(text) | context
    sentences = split_sentences(passage.in_context)
    at = sentences.index(quote) if quote in sentences else 0
    near = content_terms(" ".join(sentences[max(0, at - 1) : at + 2]) or text) | context
    words = logprobs[3:] or [0.0]
    expected = weigh_question(asked)
    numbers, names = _NUMBER.findall(question), find_names(question)
    return Signs(
        answers=weigh_first(logprobs),
        words=sum(words) / len(words),
        least=min(words),
        coverage=len(terms & held) / max(1, len(terms)),
        nearby=len(terms & near) / max(1, len(terms)),
        meaning=meaning,
        numbers=sum(number not in text for number in numbers) / max(1, len(numbers)),
        names=sum(name.lower() not in f"{passage.title} {text}".lower() for name in names) / max(1, len(names)),
        rarest=max((weigh_rarity(word) for word in list_missing(question, held)), default=0.0),
        turned=float(is_turned(question.lower(), quote.lower())),
        expected=expected,
        length=math.log(max(1, len(question.split()))),
        faintness=math.log1p(-min(words)),
        surprise=math.log1p(-expected),
    )


def weigh_again(answer: str, again: str, logprobs: Sequence[float], asked: Sequence[tuple[str, float]]) -> SecondSigns:
    """`answer` is the first reading's; the rest is the second's, as in `weigh_signs`."""
    return SecondSigns(weigh_first(logprobs), weigh_question(asked), find_agreement(answer, again))


def weigh_first(logprobs: Sequence[float]) -> float:
    """Log-odds of a reply's first token, which is the choice between answering and declining."""
    first = min(1 - LEAST, max(LEAST, math.exp(logprobs[0]))) if logprobs else 0.5
    return math.log(first / (1 - first))


def find_agreement(one: str, other: str) -> float:
    """0 to 1: the harmonic mean of the shares of words that are the other's, articles left out."""
    first, second = (Counter(_WORD.findall(text.lower())) - _ARTICLES for text in (one, other))
    shared = (first & second).total()
    return 2 * shared / (first.total() + second.total()) if shared else 0.0


def weigh_question(asked: Sequence[tuple[str, float]]) -> float:
    """Tokens of a prompt up to its end, a question after its mark; a word's log-probability is its tokens' sum.

    How likely a question is after a text tells whether the text answers it (Lewis and Fan, 2019).
    """
    tokens = [token for token, _ in asked]
    start = next((at for at in range(len(tokens), 0, -1) if "".join(tokens[:at]).endswith(QUESTION)), 0)
    words: list[float] = []
    for token, logprob in asked[start:]:
        if not any(character.isalnum() for character in token):
            continue
        if token.startswith(" ") or not words:
            words.append(0.0)
        words[-1] += logprob
    least = sorted(words)[:2]
    return sum(least) / max(1, len(least))


def list_missing(question: str, held: set[int]) -> list[str]:
    """The question's words, in its order and each once, that have terms, none of them held."""
    words = _WORD.findall(question)
    return list(dict.fromkeys(word for word in words if (terms := content_terms(word)) and not terms & held))


def find_names(question: str) -> list[str]:
    """Capitalised words, but for the first word of the question."""
    return [word for word in re.findall(r"[A-Za-z][\w’'-]+", question)[1:] if word[0].isupper()]


def is_turned(question: str, quote: str) -> bool:
    """In small letters. Half of SQuAD 2.0's unanswerable questions are made so (Rajpurkar et al., 2018)."""
    if _NEGATION.search(question) and not _NEGATION.search(quote):
        return True
    said = set(_WORD.findall(quote))
    return any(OPPOSITE.get(word) in said and word not in said for word in _WORD.findall(question))
