"""What the words of a question tell: what kind of request it is, and how hard it may be to answer from memory."""

import re
from dataclasses import dataclass

from graph.courtesy import strip_courtesies
from graph.rarity import find_rarest

_FRESH = re.compile(
    r"\b(today|now|current(ly)?|latest|newest|recent(ly)?|this (week|month|year|quarter)|as of|still|yet|20\d\d)\b",
    re.I,
)
_HOUSE = re.compile(r"\b(we|us|our|ours|policy|policies|handbook|document(s|ation)?|wiki|page)\b", re.IGNORECASE)
_SOURCE = re.compile(
    r"\b(source|cite|citation|reference|link|where (does|do|can i find)|according to)\b", re.IGNORECASE
)
_ASKING = (
    r"\W*(?:(?:please|pls|kindly|just|now|and|so|also|then) |(?:can|could|would|will) (?:you|u) "
    r"|help (?:me|us) (?:to )?|(?:i need|i want|i['’]d like|i would like) you to |let['’]s )*"
)
_REWORDING = r"(?:rewrite|rephrase|reword|paraphrase|translate|summari[sz]e|shorten|proofread)\b"
_TASK = re.compile(
    rf"{_ASKING}(?:{_REWORDING}|(?:write|draft|compose|brainstorm)\b(?!-| (?:access|protection|off|permissions?)\b)"
    r"|(?:tell|give|sing|make up) (?:me |us )?(?:an?|some|another) (?:\w+ )?(?:joke|story|poem|riddle|limerick|haiku)"
    r"|(?:an? )?(?:\w+ )?(?:joke|poem|limerick|haiku)\b)",
    re.IGNORECASE,
)
_BRINGS_TEXT = re.compile(rf"{_ASKING}{_REWORDING}[^:\n\"“«„]{{0,60}}[:\n\"“«„]", re.IGNORECASE)
"""The text to be reworded comes along, in quotation marks, after a colon or on lines of its own."""
_OF_HOUSE = re.compile(
    r"\b(?:policy|policies|handbook|documentation|wiki"
    r"|(?:summari[sz]e|about|of|on|explain\w*|describ\w*|how|what) (?:our|we))\b",
    re.IGNORECASE,
)
"""Writing of this needs what the documents say; "an email to our client" does not."""
_DATE = re.compile(
    r"\b(1[5-9]\d\d|20\d\d|\d{1,2}[./]\d{1,2}|january|february|march|april|june|july|august|september|october|november"
    r"|december|century|decade)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(when|how (many|much|long|often|old|far|big|tall)|what (year|date|time|number|percent\w*))\b", re.I
)
_PERSON = re.compile(r"\b(who|whom|whose)\b", re.IGNORECASE)
_WHY = re.compile(r"\b(why|how (do|does|did|can|could|should|is|are|to))\b", re.IGNORECASE)


@dataclass(frozen=True)
class Traits:
    """`small_talk`: courtesies and nothing else. `task`: asks for writing that does not name what the house lays down;
    `brings_text`: and the text to be reworded comes along. `quantity`: asks for a number, a date or a time;
    `explanation`: asks why or how. `rarity`, 0 to 1, is its rarest word's; None where an older version read it."""

    words: int
    small_talk: bool
    task: bool
    wants_fresh: bool
    wants_house: bool
    wants_source: bool
    has_number: bool
    has_date: bool
    has_name: bool
    quantity: bool
    person: bool
    explanation: bool
    brings_text: bool = False
    rarity: float | None = None


def read_traits(question: str) -> Traits:
    words, said = question.split(), strip_courtesies(question)
    brings_text = _BRINGS_TEXT.match(said)
    instruction = brings_text[0] if brings_text else said
    return Traits(
        words=len(words),
        small_talk=not said,
        task=bool(_TASK.match(said)) and not _OF_HOUSE.search(instruction),
        wants_fresh=bool(_FRESH.search(question)),
        wants_house=bool(_HOUSE.search(question)),
        wants_source=bool(_SOURCE.search(question)),
        has_number=any(character.isdigit() for character in question),
        has_date=bool(_DATE.search(question)),
        has_name=any(word[:1].isupper() and word != "I" for word in words[1:]),
        quantity=bool(_QUANTITY.search(question)),
        person=bool(_PERSON.search(question)),
        explanation=bool(_WHY.search(question)),
        brings_text=bool(brings_text),
        rarity=find_rarest(question),
    )
