"""However the bytes of an answer are cut, only whole characters and nothing of a stop string are shown."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tandem.models.answer_text import AnswerText
from tandem.models.sampling import Choice

LETTERS = st.text("abé🙂", max_size=40)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({min(edge, len(data)) for edge in at}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def feed(answer: AnswerText, pieces: list[bytes]) -> tuple[str, list[int]]:
    """The text shown, and the numbers of the pieces whose choices came with it."""
    shown, choices = "", []
    for number, piece in enumerate(pieces):
        text, made = answer.add(piece, Choice(number, -1.0))
        shown += text
        choices += made
        if answer.stopped:
            return shown, [choice.token for choice in choices]
    text, made = answer.finish()
    return shown + text, [choice.token for choice in choices + made]


@given(LETTERS, st.lists(st.integers(0, 120)))
def test_without_a_stop_all_of_it_is_shown(text: str, at: list[int]) -> None:
    pieces = cut(text.encode(), at)
    assert feed(AnswerText(), pieces) == (text, list(range(len(pieces))))


@given(LETTERS, st.lists(st.integers(0, 120)), st.text("abé🙂", min_size=1, max_size=4))
def test_the_answer_ends_before_the_first_stop(text: str, at: list[int], stop: str) -> None:
    answer = AnswerText((stop,))
    shown, _ = feed(answer, cut(text.encode(), at))
    assert shown == text.split(stop)[0]
    assert answer.stopped == (stop in text)


@given(LETTERS, st.lists(st.integers(0, 120)), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_no_stop_is_ever_shown(text: str, at: list[int], stops: list[str]) -> None:
    answer = AnswerText(stops)
    shown, _ = feed(answer, cut(text.encode(), at))
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    assert answer.stopped or shown == text


def test_half_a_character_is_held_and_dropped_at_the_end() -> None:
    answer = AnswerText()
    smile = "🙂".encode()
    assert answer.add(b"hi" + smile[:2], Choice(0, -1.0))[0] == "hi"
    assert answer.finish()[0] == ""


def test_what_may_begin_a_stop_is_held_until_it_is_decided() -> None:
    answer = AnswerText(("END",))
    texts = [answer.add(piece, Choice(0, -1.0))[0] for piece in (b"the E", b"N", b"T ", b"EN", b"D more")]
    assert texts == ["the ", "", "ENT ", "", ""]
    assert answer.stopped


def test_choices_inside_a_stop_are_not_reported() -> None:
    answer = AnswerText(("END",))
    assert feed(answer, [b"a", b"bE", b"N", b"D"]) == ("ab", [0, 1])
