"""Injected instructions: text that speaks to the model rather than with the person, or that nobody is meant to see."""

import re
import unicodedata
from collections.abc import Iterator

_RULES = r"(instruction|prompt|rule|guideline|direction|command)s?"
_DROP = r"\b(ignore|disregard|forget|override|bypass|do not follow)\b"
_GIVEN = r"\b(previous|prior|earlier|preceding|above|system|original|initial|your)\b"
_ALL = r"((all|any|every|of|the|these|those) )+"
_WHEN = r"\b(whenever|every time|if|when)"
_SAY = r"\b(say|reply|respond|answer|output|print|write|approve|comply|obey)\b"
_SO = r"[^.?!\n]"
"""Within one sentence."""
INVISIBLE, CONTROL = "invisible characters", "control tokens"
UNREADABLE = (INVISIBLE, CONTROL)
"""What no person's word makes harmless: it cannot be seen, or is no words to the model."""
_PATTERNS: dict[str, tuple[str, ...]] = {
    "an order to drop its instructions": (
        rf"{_DROP}{_SO}{{0,40}}{_GIVEN}{_SO}{{0,30}}\b{_RULES}\b",
        rf"{_DROP} {_ALL}{_RULES} (above|before|you (were|have|got))\b",
        rf"{_DROP} (all|any)( of)? ({_ALL})?(instruction|prompt)s?\b",
        rf"{_DROP} (everything|anything|all|what)( that)? (above|before|(you|was|were|has|have) )",
    ),
    "new instructions": (r"\b(new|updated|revised|real|secret|hidden) (system )?(instruction|prompt)s?\s*[:=]",),
    "a new role": (
        r"\bfrom now on,? you are (a|an|the|now|no longer)\b",
        r"\bfrom now on,? you (will|must) (act|be an?|behave|speak|pretend|reply|answer)\b",
        r"\byou are now (a|an|no longer)\b",
        r"\bpretend (to be|that you)\b",
    ),
    "a call for its instructions": (
        r"\b(reveal|print|repeat|show|tell me|output)\b.{0,30}\b(system|hidden|initial|your) (instruction|prompt)s?\b",
    ),
    "a trigger": (
        rf"{_WHEN} you (see|read|hear) ((the|this|these|exact) )*(word|phrase|string|token|code)s?\b",
        rf"{_WHEN} you (see|read|hear)\b{_SO}*{_SAY} (with|only|that)\b",
        rf"{_WHEN} you (see|read|hear)\b{_SO}*{_SAY}:? [\"“‘']",
        rf"{_WHEN} (the )?(user|someone|anyone) (says|writes|types|mentions)\b{_SO}*{_SAY}",
    ),
    "a jailbreak": (r"\b(jailbreak|developer mode|do anything now|DAN mode|no restrictions apply)\b",),
    CONTROL: (
        r"<\|?(im_start|im_end|endoftext|system|assistant|s|/s)\|?>",
        r"\[/?INST\]|<<SYS>>",
        r"^#{2,} ?(system|assistant|instruction):",
    ),
    "a command to run": (r"\b(curl|wget)\b[^|\n]{0,200}\|\s*(ba|z)?sh\b", r"\brm -rf /"),
}
_FORMS = {name: re.compile("|".join(forms), re.IGNORECASE | re.MULTILINE) for name, forms in _PATTERNS.items()}
_WRAPPED = re.compile(r"(?<=\S)[ \t]*\r?\n[ \t]*(?=\S)")
_INVISIBLE = frozenset("\u200b\u200c\u2060\u2061\u2062\u2063\ufeff\u202a\u202b\u202d\u202e\u2066\u2067\u2068")


def find_injections(text: str) -> tuple[str, ...]:
    """What kinds of it there are, each once."""
    return tuple(_find(text))


def _find(text: str) -> Iterator[str]:
    plain = "".join(char for char in text if not _is_invisible(char))
    if len(plain) < len(text):
        yield INVISIBLE
    plain = unicodedata.normalize("NFKC", plain)
    flowing = _WRAPPED.sub(" ", plain)  # a sentence goes on over the end of a line
    for name, form in _FORMS.items():
        if form.search(plain) or form.search(flowing):
            yield name


def _is_invisible(char: str) -> bool:
    """Also the tags, which spell out ASCII that no screen shows."""
    return char in _INVISIBLE or "\U000e0000" <= char <= "\U000e007f"
