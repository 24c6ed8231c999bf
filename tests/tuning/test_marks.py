"""What an answer is worth, by task."""

import pytest

from tandem.tuning.marks import mark


@pytest.mark.parametrize(
    ("task", "said", "wanted", "worth"),
    [
        ("labels", "Network.", "network", 1.0),
        ("labels", "network or hardware", "network", 0.0),
        ("tone", "Yes, at the door.", "yes at door", 1.0),
        ("answers", "the red door", "the blue door", 0.5),
        ("language", "", "anything", 0.0),
        ("format", '{"item": "rye", "quantity": 4}', '{"quantity": 4, "item": "rye"}', 1.0),
        ("format", '{"item": "rye", "quantity": "4"}', '{"item": "rye", "quantity": 4}', 0.5),
        ("format", '[{"a": [1, 2]}, null]', '[{"a": [2, 1]}, null]', 1.0),
        ("format", "Sure! Here it is: {}", "{}", 0.0),
        ("format", "{}", "{}", 1.0),
    ],
)
def test_marks(task: str, said: str, wanted: str, worth: float) -> None:
    assert mark(task, said, wanted) == worth  # type: ignore[arg-type]
