"""Whether a model that no graph guards says that it does not know."""

import pytest

from graph.refusals import is_refusal


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("I don’t know.", True),
        ("I do not know when that was.", True),
        ("I'm sorry, but I can't say.", True),
        ("Sorry, no.", True),
        ("I'm not sure.", True),
        ("I am unable to answer this.", True),
        (" ", True),
        ("The passages do not say: who?", True),
        ("In 1066, I am sure.", False),
        ("Unfortunate people lived there.", False),
        ("I know that it was in 1066.", False),
        ("Nobody knows.", False),
    ],
)
def test_the_rule_for_a_model_without_a_graph(said: str, refused: bool) -> None:
    assert is_refusal(said) is refused
