"""What the words of a question tell: what kind of request it is, and how hard it may be to answer from memory."""

import re
from dataclasses import dataclass

_SMALL_TALK = re.compile(
    r"^\W*(hi|hello|hey|howdy|good (morning|afternoon|evening|night)|thanks?|thank you|cheers|bye|goodbye|ok|okay|cool"
    r"|great|how are you|who are you|what are you|what can you do|help)\b[\w\s,'!.?]{0,40}$",
    re.IGNORECASE,
)
_FRESH = re.compile(
    r"\b(today|now|current(ly)?|latest|newest|recent(ly)?|this (week|month|year|quarter)|as of|still|yet|20\d\d)\b",
    re.I,
)
_HOUSE = re.compile(r"\b(we|us|our|ours|policy|policies|handbook|document(s|ation)?|wiki|page)\b", re.IGNORECASE)
_SOURCE = re.compile(
    r"\b(source|cite|citation|reference|link|where (does|do|can i find)|according to)\b", re.IGNORECASE
)
_TASK = re.compile(
    r"^\W*(please )?(write|draft|rewrite|rephrase|translate|summari[sz]e|compose|brainstorm|tell me a)\b", re.I
)
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
    """`quantity`: asks for a number, a date or a time; `explanation`: asks why or how."""

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


def read_traits(question: str) -> Traits:
    words = question.split()
    return Traits(
        words=len(words),
        small_talk=bool(_SMALL_TALK.match(question)),
        task=bool(_TASK.match(question)),
        wants_fresh=bool(_FRESH.search(question)),
        wants_house=bool(_HOUSE.search(question)),
        wants_source=bool(_SOURCE.search(question)),
        has_number=any(character.isdigit() for character in question),
        has_date=bool(_DATE.search(question)),
        has_name=any(word[:1].isupper() and word != "I" for word in words[1:]),
        quantity=bool(_QUANTITY.search(question)),
        person=bool(_PERSON.search(question)),
        explanation=bool(_WHY.search(question)),
    )
