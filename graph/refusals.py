"""Refusals: what a model says that does not know."""

import re

_REFUSAL = re.compile(
    r"^\W*((i'?m |i am )?sorry\b|i (really )?(do not|don'?t|can ?not|can'?t|couldn'?t) (know|say|answer|tell|find)"
    r"|i('?m| am) (not (sure|aware|certain|able)|unable)|i (have|found) no |the passages do not say"
    r"|unfortunately\b|as an ai\b)",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """The rule for replies that come from a model without a graph, which nothing but their words tells: they are empty,
    or begin with an apology or with a statement that the model does not know, cannot say or is not sure."""
    return not text.strip() or bool(_REFUSAL.match(text.replace("’", "'")))
