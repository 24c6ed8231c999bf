"""What Tandem knows, in words and Markdown that every surface can show."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bots.surface import Choice, Message
from graph.answers import Answer, Citation, Route
from index.jobs import LookProgress
from index.reviews import Notice
from index.sources import SourceStatus

SMALLEST_LIMIT = 80
SHOWN_FAILURES = 5
QUOTE_LENGTH = 160
REVISION_LENGTH = 12
BAR_LENGTH = 20

_ROUTES: dict[Route, tuple[str, str]] = {
    "direct": ("model", "**From the model.** Its own knowledge answered; no document was quoted."),
    "grounded": ("documents", "**From the documents.** The passages below were read, and the answer cites them."),
    "asked": ("a question back", "**Asked back.** The question could mean two things; say which, and I look it up."),
    "declined": ("no answer", "**Declined.** Neither the documents nor the model could be relied on for this."),
}

_SET_REPLY = ("set reply", "**A set reply.** Neither the model nor a document was asked.")

_FENCE = re.compile(r" {0,3}(?P<mark>`{3,9}|~{3,9})(?P<info>[^`]*)")
_CLOSING_ROOM = 10  # a line break and the longest fence
_CUTS = [re.compile(cut) for cut in (r"\n[ \t]*\n\s*?(?=[^\n])", r"\n", r"(?<=[.!?:;])[ \t]+", r"[ \t]+")]  # best first


@dataclass(frozen=True)
class _Fence:
    mark: str
    language: str


def split_markdown(text: str, limit: int) -> list[str]:
    """Cuts Markdown into parts of at most `limit` characters (code points, at least 80), none of them empty.

    Cuts at a paragraph, else a line, a sentence, a word. A code block that does not fit is closed at the end of one
    part and opened again, with its language, in the next. Only white space at the cuts is lost.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"Parts of {limit} characters are too short; the least is {SMALLEST_LIMIT}.")
    parts: list[str] = []
    opened: _Fence | None = None
    rest = text.strip("\n").rstrip()
    while rest:
        head = f"{opened.mark}{opened.language}\n" if opened else ""
        after = _fence_after(rest, opened)
        if len(head) + len(rest) + (_CLOSING_ROOM if after else 0) <= limit:
            piece, rest = rest, ""
        else:
            piece, rest = _cut(rest, limit - len(head) - _CLOSING_ROOM)
            after = _fence_after(piece, opened)
            first, _, others = rest.partition("\n")
            if after and _fence_after(first, after) is None:  # the block ends at the cut: its own closing line is spent
                rest = others
                piece, after = f"{piece}\n{after.mark}", None
        if piece.strip():
            parts.append(f"{head}{piece}\n{after.mark}" if after else head + piece)
        opened = after
    return parts


def _fence_after(text: str, opened: _Fence | None) -> _Fence | None:
    """The code block that is open after these lines, if one was open before them or not."""
    for line in text.split("\n"):
        found = _FENCE.fullmatch(line)
        if not found:
            continue
        mark, info = found["mark"], found["info"].strip()
        if opened is None:
            language = info.split()[0] if info else ""
            opened = _Fence(mark, language if len(language) <= 20 else "")
        elif mark[0] == opened.mark[0] and len(mark) >= len(opened.mark) and not info:
            opened = None
    return opened


def _cut(text: str, room: int) -> tuple[str, str]:
    """The first part of a text that is longer than `room`, and the rest, at the best place in the second half."""
    for cut in _CUTS:
        places = [m for m in cut.finditer(text, room // 2, room + 2) if m.start() <= room]
        for place in reversed(places):
            piece, rest = text[: place.start()], text[place.end() :]
            lines = piece.split("\n")
            if len(lines) > 1 and _FENCE.fullmatch(lines[-1]) and _fence_after(piece, None):
                piece, rest = "\n".join(lines[:-1]), f"{lines[-1]}\n{rest}"  # no block opened only to be closed
            if piece.strip():
                return piece, rest
    end = room
    while end > room // 2 and text[end] == text[end - 1] and text[end] in "`~":
        end -= 1
    return text[:end], text[end:]


def receipt_line(answer: Answer) -> str:
    """One short line: who answered, from how many sources, which are due for review, in how long, and why."""
    parts = [_name_speaker(answer)[0]]
    if answer.citations:
        parts.append(_count(len(answer.citations), "source"))
    if due := [f"[{citation.n}]" for citation in answer.citations if citation.is_due]:
        parts.append(f"due for review: {', '.join(due)}")
    parts.append(_seconds(answer.receipt.timings_ms.total / 1000))
    return " · ".join([*parts, *answer.receipt.reasons[:1]])


def _name_speaker(answer: Answer) -> tuple[str, str]:
    """In a word and in a sentence. What no model was asked for was written beforehand (graph/small_talk.py)."""
    is_set = answer.route == "direct" and answer.receipt.model_calls == 0
    return _SET_REPLY if is_set else _ROUTES[answer.route]


def describe_answer(answer: Answer) -> str:
    """The whole receipt, for someone who has read no manual."""
    receipt, times = answer.receipt, answer.receipt.timings_ms
    lines = [f"You asked: {_inline(answer.question)}", "", _name_speaker(answer)[1]]
    if receipt.reasons:
        lines += ["", "Why:", *(f"{n}. {reason}" for n, reason in enumerate(receipt.reasons, 1))]
    if answer.citations:
        lines += ["", "Passages:", *(_describe_citation(citation) for citation in answer.citations)]
    steps = (("search", times.retrieve), ("decision", times.decide), ("first word", times.first_token))
    lines += [
        "",
        f"Time: {_seconds(times.total / 1000)} in all ("
        + ", ".join(f"{name} {_milliseconds(spent)}" for name, spent in steps)
        + f", writing {_seconds(times.answer / 1000)})",
        f"Tokens: {receipt.tokens.prompt:,} read, {receipt.tokens.answer:,} written",
        f"Model: {_code(receipt.model)}" + (f" with the adapter {_code(receipt.adapter)}" if receipt.adapter else ""),
        f"Index: version {_code(receipt.index_version)}",
    ]
    return "\n".join(lines)


def _describe_citation(citation: Citation) -> str:
    if citation.is_withheld:
        return f"- [{citation.n}] can no longer be found here, so nothing is told of it"
    facts = [_code(citation.title)]
    if citation.source:
        facts.append(f"from {_code(citation.source)}")
    if citation.revision:
        facts.append(f"revision {_code(citation.revision[:REVISION_LENGTH])}")
    if citation.changed_at:
        facts.append(f"changed {describe_age(citation.changed_at)}")
    if citation.lag_s is not None:
        facts.append(f"found {describe_lag(citation.lag_s)} later")
    if citation.indexed_at:
        facts.append(f"indexed {describe_age(citation.indexed_at)}")
    if citation.owner:
        facts.append(f"owner {_code(citation.owner)}")
    if citation.licence:
        facts.append(f"licence {_code(citation.licence)}")
    if citation.review_by and citation.is_due:
        facts.append(f"due for review since {citation.review_by:%Y-%m-%d}")
    return f"- [{citation.n}] {', '.join(facts)}, score {citation.score:.2f}: {_inline(citation.quote)}"


def describe_look(progress: LookProgress) -> str:
    """One line while it goes on; the counts, and what could not be read, once it has ended."""
    name = _code(progress.source)
    trouble = f" ({progress.error})" if progress.error else ""
    match progress.state:
        case "queued":
            return f"{name}: queued{trouble}"
        case "listing":
            met = f", {_count(progress.met, 'document')} so far" if progress.met else ""
            return f"{name}: listing what is there{met}{trouble}"
        case "running":
            filled = BAR_LENGTH * progress.done // max(progress.total, 1)
            bar = "▰" * filled + "▱" * (BAR_LENGTH - filled)
            left = f", {describe_left(progress.seconds_left)}" if progress.seconds_left is not None else ""
            return f"{name}: {bar} {progress.done:,} of {_count(progress.total, 'document')}{left}{trouble}"
        case "cancelled":
            done = f"{progress.done:,} of {_count(progress.total, 'document')}"
            return f"{name}: cancelled after {done}. What is indexed stays."
        case "failed":
            return f"{name}: failed. {progress.error or 'The worker gave no reason.'}"
        case "done":
            found, cut = progress.documents, progress.chunks
            summary = (
                f"{name}: done in {_seconds(progress.seconds)}."
                f" Documents: {found.added:,} added, {found.changed:,} changed, {found.removed:,} removed,"
                f" {found.unchanged:,} unchanged, {found.failed:,} failed."
                f" Passages: {cut.embedded:,} embedded, {cut.kept:,} kept, {cut.removed:,} removed."
            )
            return "\n".join([summary, *_list_failures(progress.failures, found.failed)])


def describe_sources(sources: Sequence[SourceStatus], running: Mapping[int, LookProgress] | None = None) -> str:
    """One line a source, with its running look, what is due for review, and what could not be read."""
    if not sources:
        return "There are no sources here yet. Whoever runs me can add one with `tandem source add PATH`."
    lines: list[str] = []
    for status in sources:
        looked = f"looked at {describe_age(status.last_look_at)}" if status.last_look_at else "not looked at yet"
        if status.last_look_state not in (None, "done"):
            looked += f" ({status.last_look_state})"
        counts = f"{_count(status.documents, 'document')}, {_count(status.chunks, 'passage')}"
        if status.lag_p50_s is not None and status.lag_p95_s is not None:
            looked += f", changes found after {describe_lag(status.lag_p50_s)} (p50)"
            looked += f", {describe_lag(status.lag_p95_s)} (p95)"
        lines.append(f"- {_code(status.source.name)} ({status.source.kind}): {counts}, {looked}")
        if look := (running or {}).get(status.look_id or 0):
            lines.append(f"  - {describe_look(look).partition(': ')[2]}")
        if status.due:
            lines.append(f"  - due for review: {_count(status.due, 'document')}")
        lines += [f"  {line}" for line in _list_failures(status.failures, status.failed)]
    return "\n".join(lines)


def describe_notice(notice: Notice | None, days: int, *, said: str = "") -> Message:
    """What an owner is told of a document or source of theirs, as it stands, with what they can do about it."""
    if notice is None:
        return Message("What this was about is no longer among the sources.")
    if notice.document_id is None:
        name = f"The source {_code(notice.source)}"
    else:
        name = f"{_code(notice.title or '')} ({_code(notice.path or '')} in {_code(notice.source)})"
    if notice.state == "retired":
        choices, told = [Choice("Restore", f"restore:{notice.id}")], f"{name} is retired."
    elif notice.review_by is not None and notice.review_by <= datetime.now(UTC):
        told = f"{name} is due for review since {notice.review_by:%Y-%m-%d}. Does it still hold?"
        choices = [
            Choice(f"Still valid ({_count(days, 'day')})", f"confirm:{notice.id}"),
            Choice("Re-index", f"reindex:{notice.id}"),
        ]
        if notice.document_id is not None:
            choices.append(Choice("Retire", f"retire:{notice.id}"))
    else:
        until = f"until {notice.review_by:%Y-%m-%d}" if notice.review_by else "without an end"
        choices, told = [], f"{name} is valid {until}."
    return Message(f"{told}\n\n{said}" if said else told, choices=tuple(choices))


def describe_age(moment: datetime, *, now: datetime | None = None) -> str:
    """How long ago that was, such as `3 days ago`."""
    passed = (now or datetime.now(UTC)) - moment
    for unit, length in (
        ("year", timedelta(days=365)),
        ("month", timedelta(days=30)),
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if passed >= length:
            return f"{_count(passed // length, unit)} ago"
    return "just now"


def describe_lag(seconds: float) -> str:
    """A lag, in the unit that tells it best."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def describe_left(seconds: float) -> str:
    """How long it will still take, as exactly as such an estimate can be."""
    if seconds < 50:
        return f"about {max(10, math.ceil(seconds / 10) * 10)} s left"
    minutes = math.ceil(seconds / 60)
    return f"about {minutes} min left" if minutes < 100 else f"about {_count(round(minutes / 60), 'hour')} left"


def _list_failures(failures: Sequence[str], failed: int) -> list[str]:
    lines = [f"- could not be read: {_code(failure)}" for failure in failures[:SHOWN_FAILURES]]
    more = max(failed, len(failures)) - len(lines)
    return [*lines, f"- and {more:,} more that could not be read"] if lines and more > 0 else lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _milliseconds(spent: float) -> str:
    return f"{spent:.0f} ms" if spent >= 1 else "under 1 ms"


def _inline(text: str) -> str:
    """Text of people and documents on one line, cut short, where Markdown in it means nothing."""
    flat = " ".join(text.split())
    return _code(flat if len(flat) <= QUOTE_LENGTH else flat[: QUOTE_LENGTH - 1].rstrip() + "…")


def _code(text: str) -> str:
    flat = " ".join(text.replace("`", "'").split())
    return f"`{flat or '(none)'}`"
