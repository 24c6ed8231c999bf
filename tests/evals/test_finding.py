"""A passage counts as found by its document's address, or by the words of an answer in it."""

import pytest

from tandem.evals.finding import Finding, answers
from tandem.evals.qa import Asked

BADGES = Asked(question="What does a badge cost?", answers=("15 euros",))


@pytest.mark.parametrize(
    ("uri", "wanted", "right"),
    [
        ("file:///house/badges.md", "file:///house/badges.md", True),
        ("file:///house/badges.md#lost", "badges.md", True),
        ("file:///my%20house/badges.md", "./my house/badges.md", True),
        ("https://wiki.example/badges/", "https://wiki.example/badges", True),
        ("file:///house/old-badges.md", "badges.md", False),
        ("file:///house/badges.md.bak", "badges.md", False),
    ],
)
def test_addresses(uri: str, wanted: str, right: bool) -> None:
    assert answers(BADGES.model_copy(update={"uri": wanted}), uri, "15 euros") is right


def test_words_count_where_no_address_is_given() -> None:
    assert answers(BADGES, "any", "A new one costs 15 Euros.")
    assert not answers(BADGES, "any", "A new one costs 115 euros.")
    assert not answers(Asked(question="Why?", answerable=False, uri="any"), "any", "15 euros")


def test_figures() -> None:
    found = Finding((1, None, 4, 6), by_uri=4)
    assert found.describe() == {"recall@1": 0.25, "recall@5": 0.5, "mrr": round((1 + 1 / 4 + 1 / 6) / 4, 4)}
    assert found.judged_by == "the document's address"
    assert Finding((1,), 0).judged_by == "an answer's text in the passage"
    assert Finding((1, 2), 1).judged_by.startswith("the document's address where it is given (1 of 2)")
    assert Finding((), 0).describe() is None
