"""Cutting Markdown into messages, and telling people what is going on."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.rendering import (
    describe_age,
    describe_answer,
    describe_lag,
    describe_left,
    describe_look,
    describe_sources,
    receipt_line,
    split_markdown,
)
from graph.answers import Answer
from index.jobs import ChunkCounts, DocumentCounts, LookProgress
from index.sources import Source, SourceStatus
from tests.bots.scripted import make_answer

FENCE = re.compile(r"^ {0,3}(`{3,9}|~{3,9})[^`\n]*$", re.MULTILINE)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ANSWER = make_answer("a1", "How do I book time off?", "In the calendar [1].")
LOOK = LookProgress(1, "handbook", "running", 12, 250, DocumentCounts(), ChunkCounts(), 3.0, None, ())
STATUS = SourceStatus(Source(1, "handbook", "folder", "/srv/handbook", "*", "everyone"), 250, 1200, 0, NOW, "done", ())

words = st.text("abcdefg*_[](). é😀", min_size=1, max_size=60).map(str.strip).filter(bool)
paragraphs = st.lists(words, min_size=1, max_size=30).map(" ".join)
code_lines = st.lists(st.text("abc (){}=#'\"\t", max_size=50), min_size=1, max_size=40)
code = st.tuples(st.sampled_from(["```", "~~~~"]), st.sampled_from(["", "python", "sql"]), code_lines).map(
    lambda block: "\n".join([block[0] + block[1], *block[2], block[0]])
)
documents = st.lists(st.one_of(paragraphs, code), min_size=1, max_size=12).map("\n\n".join)
limits = st.integers(80, 400)


def ink(text: str) -> str:
    """All that is seen but the fences."""
    return re.sub(r"\s", "", FENCE.sub("", text))


def is_balanced(part: str) -> bool:
    opened = None
    for line in part.split("\n"):
        if not (found := FENCE.fullmatch(line)):
            continue
        mark = found[1]
        if opened is None:
            opened = mark
        elif mark[0] == opened[0] and len(mark) >= len(opened) and line.strip() == mark:
            opened = None
    return opened is None


@settings(deadline=None)
@given(documents, limits)
def test_parts_fit_are_balanced_and_lose_nothing(text: str, limit: int) -> None:
    parts = split_markdown(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert all(is_balanced(part) for part in parts)
    assert "".join(ink(part) for part in parts) == ink(text)


@settings(deadline=None)
@given(st.text("`~ab \n.", max_size=600), limits)
def test_any_text_at_all_is_cut_without_loss(text: str, limit: int) -> None:
    parts = split_markdown(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert all(is_balanced(part) for part in parts)
    shown = iter("".join(parts))
    assert all(char in shown for char in text if char in "ab.")  # in this order, with fences between


@settings(deadline=None)
@given(documents)
def test_what_fits_stays_as_it_is(text: str) -> None:
    text = text.strip("\n").rstrip()
    assert split_markdown(text, len(text) + 80) == [text]


def test_nothing_at_all_is_no_part() -> None:
    assert split_markdown(" \n\n", 100) == []


def test_a_paragraph_is_the_best_place_then_a_line_then_a_sentence_then_a_word() -> None:
    a, b = "a" * 60, "b" * 60
    assert split_markdown(f"{a} x. y\nz\n\n{b}", 90) == [f"{a} x. y\nz", b]
    assert split_markdown(f"{a} x. y\nz {b}", 90) == [f"{a} x. y", f"z {b}"]
    assert split_markdown(f"{a} x. y {b}", 90) == [f"{a} x.", f"y {b}"]
    assert split_markdown(f"{a} x {b}", 90) == [f"{a} x", b]
    assert split_markdown(a + b, 90) == [(a + b)[:80], (a + b)[80:]]


def test_a_code_block_is_closed_and_opened_again_with_its_language() -> None:
    lines = [f"line {n:02}" for n in range(20)]
    parts = split_markdown("Look:\n\n```python\n" + "\n".join(lines) + "\n```\n\nDone.", 100)
    assert len(parts) > 2
    assert all("```python\n" in part and part.count("```") == 2 for part in parts[:-1])
    assert re.findall(r"line \d\d", "\n".join(parts)) == lines
    assert parts[-1].endswith("Done.")


def test_no_part_opens_a_block_only_to_close_it() -> None:
    text = "x" * 70 + "\n```python\n" + "y" * 60 + "\n```"
    assert split_markdown(text, 100) == ["x" * 70, "```python\n" + "y" * 60 + "\n```"]
    text = "```python\n" + "y" * 79 + "\n```\n" + "z" * 60
    assert split_markdown(text, 100) == ["```python\n" + "y" * 79 + "\n```", "z" * 60]


def test_indentation_in_a_code_block_survives_a_cut() -> None:
    parts = split_markdown("```\n" + "\n".join(["    indented"] * 20) + "\n```", 100)
    assert all(line in ("```", "    indented") for part in parts for line in part.split("\n"))


def test_a_limit_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="too short"):
        split_markdown("text", 20)


def test_the_receipt_line_says_who_answered_from_what_how_fast_and_why() -> None:
    reason = "looked it up: the best passage covers 90% of the words that matter"
    assert receipt_line(ANSWER) == f"documents · 1 source · 1.2 s · {reason}"
    direct = replace(ANSWER, route="direct", citations=())
    assert receipt_line(direct).startswith("model · 1.2 s · ")
    set_reply = replace(direct, receipt=replace(direct.receipt, model_calls=0))
    assert receipt_line(set_reply).startswith("set reply · 1.2 s · ")
    assert "**A set reply.** Neither the model nor a document was asked." in describe_answer(set_reply)


def test_why_needs_no_manual() -> None:
    indexed = datetime.now(UTC) - timedelta(days=3, hours=1)
    answer = replace(ANSWER, citations=(replace(ANSWER.citations[0], indexed_at=indexed),))
    assert describe_answer(answer).splitlines() == [
        "You asked: `How do I book time off?`",
        "",
        "**From the documents.** The passages below were read, and the answer cites them.",
        "",
        "Why:",
        "1. looked it up: the best passage covers 90% of the words that matter",
        "2. that page changed yesterday",
        "",
        "Passages:",
        "- [1] `Time off`, indexed 3 days ago, score 0.80: `Book it in the calendar.`",
        "",
        "Time: 1.2 s in all (search 12 ms, decision under 1 ms, first word 300 ms, writing 0.9 s)",
        "Tokens: 1,234 read, 56 written",
        "Model: `scripted`",
        "Index: version `v1`",
    ]


def test_why_tells_where_a_passage_comes_from_how_old_it_is_and_that_it_is_due() -> None:
    changed = datetime.now(UTC) - timedelta(days=3, hours=1)
    cited = replace(
        ANSWER.citations[0],
        source="handbook",
        owner="slack:U1",
        licence="CC0-1.0",
        revision="3f2a91c0d4e5f6a7b8c9",
        changed_at=changed,
        lag_s=130.0,
        review_by=datetime(2026, 1, 31, tzinfo=UTC),
    )
    answer = replace(ANSWER, citations=(cited, replace(cited, n=2, title="", quote="", is_withheld=True)))
    assert describe_answer(answer).splitlines()[9:11] == [
        "- [1] `Time off`, from `handbook`, revision `3f2a91c0d4e5`, changed 3 days ago, found 2 min later,"
        " owner `slack:U1`, licence `CC0-1.0`, due for review since 2026-01-31, score 0.80: `Book it in the calendar.`",
        "- [2] can no longer be found here, so nothing is told of it",
    ]
    assert " · due for review: [1], [2] · " in receipt_line(answer)
    assert "due" not in receipt_line(replace(answer, citations=(replace(cited, review_by=changed + timedelta(99)),)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "about 10 s left"),
        (41, "about 50 s left"),
        (55, "about 1 min left"),
        (61, "about 2 min left"),
        (7_000, "about 2 hours left"),
    ],
)
def test_time_left_is_no_more_exact_than_it_can_be(seconds: float, words: str) -> None:
    assert describe_left(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4 s"), (30, "30 s"), (150, "2 min"), (7_200, "2 hours"), (200_000, "2 days")]
)
def test_a_lag_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert describe_lag(seconds) == words


@settings(deadline=None)
@given(st.text(max_size=300))
def test_text_of_people_cannot_leave_its_line_or_its_quotes(text: str) -> None:
    answer: Answer = replace(ANSWER, question=text)
    told = describe_answer(answer).split("\n")
    assert told[0].startswith("You asked: `")
    assert told[0].count("`") == 2
    assert told[1:] == describe_answer(ANSWER).split("\n")[1:]


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=65), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_ages_are_in_words(passed: timedelta, words: str) -> None:
    assert describe_age(NOW - passed, now=NOW) == words


def test_a_look_is_told_from_the_queue_to_its_counts() -> None:
    assert describe_look(replace(LOOK, state="queued")) == "`handbook`: queued"
    assert describe_look(replace(LOOK, state="queued", error="no model")) == "`handbook`: queued (no model)"
    assert describe_look(replace(LOOK, state="listing")) == "`handbook`: listing what is there"
    assert describe_look(replace(LOOK, done=125)) == f"`handbook`: {'▰' * 10}{'▱' * 10} 125 of 250 documents"
    assert describe_look(replace(LOOK, seconds_left=61.0)).endswith("12 of 250 documents, about 2 min left")
    assert describe_look(replace(LOOK, done=0, total=0)).endswith("0 of 0 documents")
    cancelled = "`handbook`: cancelled after 12 of 250 documents. What is indexed stays."
    assert describe_look(replace(LOOK, state="cancelled")) == cancelled
    assert describe_look(replace(LOOK, state="failed", error="It is gone.")) == "`handbook`: failed. It is gone."
    done = replace(
        LOOK,
        state="done",
        documents=DocumentCounts(3, 1, 0, 240, 7),
        chunks=ChunkCounts(12, 900, 2),
        failures=tuple(f"page{n}.pdf: broken" for n in range(7)),
    )
    assert describe_look(done).split("\n") == [
        "`handbook`: done in 3.0 s. Documents: 3 added, 1 changed, 0 removed, 240 unchanged, 7 failed."
        " Passages: 12 embedded, 900 kept, 2 removed.",
        *(f"- could not be read: `page{n}.pdf: broken`" for n in range(5)),
        "- and 2 more that could not be read",
    ]


def test_sources_are_listed_with_their_counts_and_failures() -> None:
    looked = datetime.now(UTC) - timedelta(minutes=5, seconds=1)
    assert describe_sources([]).startswith("There are no sources here yet.")
    one = replace(STATUS, documents=1, chunks=1, last_look_at=None, last_look_state=None)
    failing = replace(STATUS, last_look_at=looked, last_look_state="failed", failed=1, failures=("a.pdf: broken",))
    busy = replace(
        STATUS, last_look_state="running", last_look_at=looked, look_id=1, due=2, lag_p50_s=4.0, lag_p95_s=600.0
    )
    assert describe_sources([busy], {1: replace(LOOK, seconds_left=61.0)}).split("\n") == [
        "- `handbook` (folder): 250 documents, 1,200 passages, looked at 5 minutes ago (running),"
        " changes found after 4.0 s (p50), 10 min (p95)",
        f"  - {'▱' * 20} 12 of 250 documents, about 2 min left",
        "  - due for review: 2 documents",
    ]
    assert describe_sources([one, failing]).split("\n") == [
        "- `handbook` (folder): 1 document, 1 passage, not looked at yet",
        "- `handbook` (folder): 250 documents, 1,200 passages, looked at 5 minutes ago (failed)",
        "  - could not be read: `a.pdf: broken`",
    ]
