"""The screen: what is foreign is shown as it is, and nothing in it is obeyed."""

import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bots.screen import Screen, make_plain
from bots.surface import Message
from tests.bots.scripted import CITED

STYLED = "\x1b[31mred\x1b[0m"


def show(message: Message, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=80, height=10)
    screen = Screen(console)
    screen.show_progress("Searching")
    screen.show_draft("half an answ")
    screen.show(message)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@settings(deadline=None)
@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x9d[]();:?0m\x07\\")), max_size=80))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    plain = make_plain(text)
    assert all(char in "\n\t" or unicodedata.category(char) != "Cc" for char in plain)
    assert make_plain(plain) == plain


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=80))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert make_plain(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (STYLED, "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9b2Jcleared", "cleared"),
        ("bell\a, back\b\b, \rover", "bell, back, over"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("family \N{MAN}\u200d\N{WOMAN}", "family \N{MAN}\u200d\N{WOMAN}"),
    ],
)
def test_sequences_go_as_a_whole(text: str, plain: str) -> None:
    assert make_plain(text) == plain


@pytest.mark.parametrize("terminal", [True, False])
def test_markup_links_and_html_in_an_answer_are_just_text(terminal: bool) -> None:
    shown = show(Message("[bold red]x[/] :smile: <!channel> <b>html</b> [a](http://evil.example)"), terminal=terminal)
    for text in ("[bold red]x[/]", ":smile:", "<!channel>", "<b>html</b>", "http://evil.example"):
        assert text in shown
    assert "\x1b]8" not in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_an_answer_shows_its_sources_and_its_receipt(terminal: bool) -> None:
    shown = show(Message("In the calendar [1].", (CITED,), "documents · 1 source"), terminal=terminal)
    assert "[1] Time off  https://wiki.example/time-off" in shown
    assert "“Book it in the calendar.”" in shown
    assert shown.index("In the calendar [1].") < shown.index("Time off") < shown.index("documents · 1 source")


def test_a_pipe_gets_the_finished_text_and_nothing_else() -> None:
    long_line = "word " * 60
    shown = show(Message(f"# Title\n\n{long_line}\n\n```py\nx = 1\n```"), terminal=False)
    assert shown == f"# Title\n\n{long_line}\n\n```py\nx = 1\n```\n\n"


def test_a_draft_that_is_taller_than_the_screen_shows_its_end() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=40, height=10)
    screen = Screen(console)
    screen.show_draft("\n".join(f"line {n}" for n in range(100)))
    screen.clear()
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "line 99" in shown
    assert "line 80" not in shown
