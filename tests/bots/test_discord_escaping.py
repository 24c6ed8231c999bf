"""Text of models and documents on Discord: inert, within the limit, and otherwise as it was."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.escaping import LIMIT, lay_out, make_inert, preview
from bots.surface import Message
from graph.answers import Citation

DANGEROUS = st.sampled_from(
    ["@everyone", "@here", "<@123>", "<@!9>", "<@&77>", "](http://evil.example)", "[x](https://e.example/(a))", "`",
     "```", "\\", "\n", " ", "@", "<", "](", "https://a.example/?q=<@1>", "word", "“ü”", "x" * 500]
)  # fmt: skip
TEXTS = st.lists(DANGEROUS, max_size=30).map("".join)
LIVE_MENTION = re.compile(r"@everyone|@here|<@[!&]?\d+>")


def outside_code(text: str) -> str:
    return re.sub(r"(?<!\\)(```.+?```|``[^`\n]+``|`[^`\n]+`)", "", text, flags=re.DOTALL)


@given(TEXTS)
def test_no_mention_and_no_masked_link_survives_outside_of_code(text: str) -> None:
    plain = outside_code(make_inert(text))
    assert not LIVE_MENTION.search(plain)
    assert "](" not in plain


@given(TEXTS)
def test_nothing_is_lost(text: str) -> None:
    assert re.sub(r"[\u200b<> ]", "", make_inert(text)) == re.sub(r"[<> ]", "", text)


@given(TEXTS, st.lists(TEXTS, max_size=4), TEXTS)
def test_every_part_fits_into_a_message(text: str, titles: list[str], receipt: str) -> None:
    citations = tuple(Citation(n, title, f"https://e.example/{title}", "", 0.5) for n, title in enumerate(titles, 1))
    parts = lay_out(Message(text, citations, receipt))
    assert parts
    assert all(0 < len(part) <= LIMIT and part.strip() for part in parts)
    assert 0 < len(preview(text)) <= LIMIT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ask @everyone, or `@everyone`.", "Ask @\u200beveryone, or `@everyone`."),
        ("<@123> and <@&45>", "<\u200b@123> and <\u200b@&45>"),
        ("[a page](https://e.example/x).", "[a page] (<https://e.example/x>)."),
        ("see https://e.example/a_(b), (https://e.example/c)!", "see <https://e.example/a_(b)>, (<https://e.example/c>)!"),
        ("<https://e.example>", "<https://e.example>"),
        ("```\n[x](y) @here\n```", "```\n[x](y) @here\n```"),
        ("\\`[x](http://e.example)\\`", "\\`[x] (<http://e.example>)\\`"),
        ("**bold** _it_ > # 1. `code`", "**bold** _it_ > # 1. `code`"),
    ],
)  # fmt: skip
def test_what_is_shown(text: str, shown: str) -> None:
    assert make_inert(text) == shown


def test_sources_are_named_and_lead_only_where_they_say() -> None:
    citations = (
        Citation(1, "Time *off*\n# 1", "https://wiki.example/time off?a=<b>", "", 0.9),
        Citation(2, "Payroll @everyone", "file:///srv/docs/pay%20roll.md", "", 0.8),
        Citation(3, "Odd", "javascript:alert(`1`)", "", 0.7),
    )
    [part] = lay_out(Message("Book it [1].", citations, "documents · 3 sources"))
    assert part.split("\n") == [
        "Book it [1].",
        "",
        "-# [1] Time \\*off\\* # 1 · <https://wiki.example/time%20off?a=%3Cb%3E>",
        "-# [2] Payroll @\u200beveryone · `/srv/docs/pay roll.md`",
        "-# [3] Odd · `javascript:alert(1)`",
        "-# documents · 3 sources",
    ]


def test_sources_stay_outside_a_code_block_that_was_never_closed() -> None:
    citations = (Citation(1, "Page", "https://e.example", "", 0.9),)
    [part] = lay_out(Message("```python\nprint()", citations))
    assert part == "```python\nprint()\n```\n\n-# [1] Page · <https://e.example>"
