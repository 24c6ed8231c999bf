"""Injected instructions: text that speaks to the model rather than with the person, or that nobody is meant to see."""

import re
import unicodedata
from collections.abc import Iterator

_RULES = r"(instruction|prompt|rule|direction|command|message)s?"
_PATTERNS: dict[str, tuple[str, ...]] = {
    "an order to drop its instructions": (
        r"\b(ignore|disregard|forget|override|bypass|do not follow)\b.{0,40}"
        r"\b(previous|prior|earlier|above|all|your|system|the)\b.{0,30}\b" + _RULES + r"\b",
    ),
    "new instructions": (rf"\b(new|updated|revised|real|secret|hidden) {_RULES}\s*[:=]",),
    "a new role": (
        r"\bfrom now on,? you (are|will|must)\b",
        r"\byou are now (a|an|in|the|no longer)\b",
        r"\bpretend (to be|that you)\b",
    ),
    "a call for its instructions": (
        rf"\b(reveal|print|repeat|show|tell me|output)\b.{{0,30}}\b(system|hidden|initial|your) {_RULES}\b",
    ),
    "a trigger": (
        r"\b(whenever|every time|if|when) you (see|read|hear)\b",
        r"\b(whenever|every time|if|when) (the )?(user|someone|anyone) (says|writes|types|mentions)\b",
    ),
    "a jailbreak": (r"\b(jailbreak|developer mode|do anything now|DAN mode|no restrictions apply)\b",),
    "control tokens": (
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
        yield "invisible characters"
    plain = unicodedata.normalize("NFKC", plain)
    flowing = _WRAPPED.sub(" ", plain)  # a sentence goes on over the end of a line
    for name, form in _FORMS.items():
        if form.search(plain) or form.search(flowing):
            yield name


def _is_invisible(char: str) -> bool:
    """Also the tags, which spell out ASCII that no screen shows."""
    return char in _INVISIBLE or "\U000e0000" <= char <= "\U000e007f"
