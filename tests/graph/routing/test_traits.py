"""What is no question of fact is told from what is, in the words that people type."""

import pytest

from graph.routing.traits import read_traits

WRITING = """
Write a short thank-you note to a colleague|Please write a birthday poem for Ben|Can you write an email to my landlord?
could you please draft a mail to our client that we will be late|Hi, can you draft a short apology email?|joke please
Hello! Translate good morning into French|Help me write a farewell note|help me to write a linkedin post|tell me a joke
I need you to write a haiku|I’d like you to translate this: hallo welt|Tell me a funny joke please
can you tell me a joke|write us a limerick|brainstorm names for a cat|let's write a poem
Thanks! Now write a poem|give me another joke
"""
ASKING = """
Summarize our leave policy|Please summarise our leave policy|Hi, can you summarize our leave policy?|I need a new badge
Write a summary of our travel rules|Can you write a summary of the handbook?|Draft an FAQ about our parental leave
Translate our leave policy to German|write down what we do when the printer jams|Help me reset my VPN password
Help me with my expenses|Can you tell me who approves expenses?|Tell me a bit about parental leave|tell me about badges
How do I write an expense report?|Who writes the minutes?|Write-off rules?|Write access: who grants it?
Do I need to write it?|Can you help me find the form?|could you explain the travel rules
Give me the wifi password|Show me the leave rules
"""


def split(lines: str) -> list[str]:
    return [text for line in lines.strip().splitlines() for text in line.split("|")]


def test_writing_is_told_from_questions_and_neither_is_small_talk() -> None:
    assert not [text for text in split(WRITING) if not read_traits(text).task]
    assert not [text for text in split(ASKING) if read_traits(text).task]
    assert not [text for text in [*split(WRITING), *split(ASKING)] if read_traits(text).small_talk]


@pytest.mark.parametrize(
    ("text", "brought"),
    [
        ("rephrase this: our policy is that badges cost 15 euros", True),
        ("Translate “annual leave” into German", True),
        ("Please summarize the following\nOur policy is this.", True),
        ("Translate the badge rules into German", False),
        ("Write a note: thank you", False),
    ],
)
def test_a_text_to_be_reworded_may_come_along(text: str, brought: bool) -> None:
    traits = read_traits(text)
    assert (traits.task, traits.brings_text) == (True, brought)
