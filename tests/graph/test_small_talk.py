"""A courtesy is answered in kind, and whoever asks what this is is told."""

import pytest

from graph.courtesy import strip_courtesies
from graph.small_talk import ELSE, reply_to_courtesy

HELLO, THANKS, BYE = "Hello! What would you like to know?", "You are welcome!", "Goodbye!"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("hi", HELLO),
        ("Hey Tandem!", HELLO),
        ("Hello everyone", HELLO),
        ("nice to meet you", HELLO),
        ("Good morning!", "Good day! What would you like to know?"),
        ("Thanks a lot, that helped!", THANKS),
        ("great, thank you very much", THANKS),
        ("ok, cheers", THANKS),
        ("Thank you for your help", THANKS),
        ("bye", BYE),
        ("Good night", BYE),
        ("See you tomorrow", BYE),
        ("how are you?", "All is well here, thank you. What would you like to know?"),
        ("What’s up?", "All is well here, thank you. What would you like to know?"),
        ("sorry to bother you", "No trouble at all. What would you like to know?"),
        ("ok", ELSE),
        ("perfect", ELSE),
        ("that helps", ELSE),
    ],
)
def test_a_courtesy_is_answered_in_kind(text: str, reply: str) -> None:
    assert not strip_courtesies(text)
    assert reply_to_courtesy(text) == reply


@pytest.mark.parametrize(
    "text",
    [
        "who are you?",
        "What can you do?",
        "help",
        "Hi, I have a question",
        "are you a bot?",
        "Hello, anyone there?",
        "how can you help?",
    ],
)
def test_whoever_asks_what_this_is_is_told(text: str) -> None:
    assert not strip_courtesies(text)
    assert reply_to_courtesy(text).startswith("I am Tandem")
