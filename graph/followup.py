"""Follow-ups: a question that leans on the one before it is made to stand alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graph.courtesy import strip_courtesies

SHORT_REPLY = 3  # words
Leaning = Literal["yes", "no", "unsure"]
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_CLAUSE_END = re.compile(
    r"[,;:.?!]|\b(?:if|when|once|after|before|while|because|and|or|but|so)\b(?! (?:it|this|that|them)\b)", re.IGNORECASE
)
_ELLIPSIS = re.compile(
    r"\W*(?:(?:and|but|or|so|ok|okay|then)\W+)?(?:what|how) (?:about|if|else)\b"
    r"|\W*(?:why not|how come|the same|like what)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"\W*(?:and|but|or|so|also|then|even|only|really|not)\b", re.IGNORECASE)
_EXPLETIVE = re.compile(
    r"\b(?:(?:is|was|are|were|be) there\b|there(?:'s|’s| (?:is|are|was|were|will|must))\b"
    r"|(?:is|was|would) it (?:\w+ )?(?:ok|okay|true|possible|allowed|safe|legal|mandatory|necessary|required|fine"
    r"|normal|worth) (?:to|that|if|for)\b"
    r"|(?:this|that) (?:year|month|week|quarter|morning|afternoon|time|summer|winter)\b)",
    re.IGNORECASE,
)
_PRONOUNS = frozenset(["it", "they", "them", "he", "she", "him", "both", "neither", "ones", "former", "latter"])
_POSSESSIVES = frozenset(["its", "their", "theirs", "his", "her", "hers"])
_POINTING = frozenset(["this", "that", "these", "those", "such"])
_BACK = frozenset(["same", "else", "instead", "there", "then", "afterwards", "otherwise"])
# Before "this" or "that" they make it point to something; after a noun it opens a clause of its own.
_BEFORE_POINTING = frozenset(
    _WORD.findall(
        "is are was were does do did will would can could should may must has have for of about with by after before to"
        " like from in on under at than"
    )
)
# Words that name no subject: a question of these alone is about something that was said before.
_EMPTY = frozenset(
    _WORD.findall(
        "a an the and but or so if of to in on at for from with by about as than into per up out over again more"
        " most less least very too also even only just yet still ever not no yes who whom whose what which when"
        " where why how long many much often far soon early late i me my mine we us our you your it its they them"
        " their he she him her his this that these those one ones there here then same else instead other another"
        " any all both each every some am is are was were be been being do does did done have has had having can"
        " could may might must shall should will would need needs needed want get gets got take takes cost costs"
        " happen happens apply applies work works mean means go goes make makes use say says said tell know called"
        " required allowed possible please ok okay well start starts begin begins end ends last lasts way thing"
        " things don't doesn't isn't can't won't"
    )
)
# What is asked of a subject rather than being one: alone, such a word is about something that was said before.
_PROPERTIES = frozenset(
    _WORD.findall(
        "limit limits maximum minimum max min deadline deadlines form forms process procedure step steps rule rules"
        " exception exceptions condition conditions requirement requirements fee fees price prices amount number length"
        " size name address link date dates time times day days week weeks month months year years hour hours reason"
        " reasons example examples detail details difference alternative alternatives option options approve approves"
        " approved approval sign signs signed enroll register request submit cancel renew change changes pick set log"
        " first next choose ask contact pay pays paid buy send return install open check see find try stop keep lose"
        " bring add remove delete join meet decide decides responsible eligible free safe mandatory optional valid"
        " person people someone anyone everyone new old different sell owner owners"
    )
)
_DEFINITION = re.compile(r"\W*(?:what|who)(?:'s|’s| is| are)(?: an?)? (?!the\b)\w+\W*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Standalone:
    """What is searched for. `alone` is the question without the earlier one, where only a search can tell which of the
    two is meant."""

    text: str
    alone: str | None = None


def leans_on_history(question: str) -> Leaning:
    """Says whether the question needs the one before it: it goes on with it, points back to it, or names no subject.

    A pronoun whose noun stands in an earlier clause of the question itself points to that. Unsure is a question that
    names one thing, which may be its whole subject ("a laptop") or a part of the earlier one ("the email").
    """
    question = strip_courtesies(question)
    if not question:
        return "no"
    text = _EXPLETIVE.sub(" ", question)
    subjects = _find_subjects(text)
    if _ELLIPSIS.match(question) or (_CONTINUES.match(question) and len(subjects) <= 2):
        return "yes"
    if _points_back(text):
        return "yes"
    if any(map(_is_name, subjects)) or _DEFINITION.match(question):
        return "no"
    names_nothing = all(word.lower() in _PROPERTIES for word in subjects)
    if len(subjects) <= 1:
        return "yes" if names_nothing else "unsure"
    return "unsure" if names_nothing else "no"


def make_standalone(question: str, earlier: Sequence[str], *, asked_back: bool = False) -> Standalone:
    """Puts the earlier standalone question before one that leans on it, without greetings and thanks: search would look
    for their words. Small talk stays as it is, and nothing leans on it. `asked_back`: the person was asked which of two
    things was meant, so that a reply of few words, or without a question mark, answers that.

    Joining the two keeps every other word for search. A rewrite by a model of this size loses or invents some.
    """
    asked = strip_courtesies(question) or question
    before = next((one for one in reversed(earlier) if strip_courtesies(one)), None)
    if before is None:
        return Standalone(asked)
    replies = asked_back and bool(strip_courtesies(question))
    if replies and (not asked.endswith("?") or len(asked.split()) <= SHORT_REPLY):
        return Standalone(f"{before} {asked}")
    leaning = leans_on_history(question)
    if leaning == "no":
        return Standalone(asked)
    return Standalone(f"{before} {asked}", alone=asked if leaning == "unsure" else None)


def _points_back(text: str) -> bool:
    clauses = [[word.lower() for word in _WORD.findall(clause)] for clause in _CLAUSE_END.split(text)]
    named = False  # by an earlier clause
    for words in clauses:
        for at, word in enumerate(words):
            is_last = at == len(words) - 1
            points = (
                word in _PRONOUNS
                or (word in _POINTING and (is_last or at == 0 or words[at - 1] in _BEFORE_POINTING))
                or (word in _BACK and is_last)
                or (word == "one" and is_last)
            )
            if points and not named:
                return True
            if word in _POSSESSIVES and not named and not any(other not in _EMPTY for other in words[:at]):
                return True
        named = named or any(word not in _EMPTY for word in words)
    return False


def _find_subjects(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.lower() not in _EMPTY]


def _is_name(word: str) -> bool:
    """Capitalised, or with digits: something by itself. The first word of a question is none of those that name."""
    return word[0].isupper() or any(map(str.isdigit, word))
