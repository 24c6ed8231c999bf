"""The picture shows what was measured: the bars are as long as the shares, and every arm has its row."""

from pathlib import Path

import pytest
from PIL import Image

from tandem.errors import TandemError
from tandem.evals import picture
from tandem.evals.comparison import Comparison
from tandem.evals.recommendation import recommend
from tests.evals.compared import first, make_comparison, make_questions


@pytest.fixture
def compared() -> Comparison:
    return make_comparison(
        make_questions(40),
        {"prompt": first(0, 40), "retrieval": first(30, 40), "tandem": [True] * 40},
        left_out={"tuned": "no adapter is in service"},
    )


def test_bars_are_as_long_as_the_shares(compared: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "table.png"
    picture.draw_comparison(compared, recommend(compared), path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width == picture.WIDTH
        row = [image.getpixel((x, 250 + 2 * picture.ROW + 10)) for x in range(image.width)]
    green, red = (tuple(bytes.fromhex(colour[1:])) for colour in (picture.RIGHT, picture.WRONG))
    assert row.count(green) / (row.count(green) + row.count(red)) == pytest.approx(0.75, abs=0.01)


def test_a_place_that_cannot_be_written_is_said(compared: Comparison, tmp_path: Path) -> None:
    with pytest.raises(TandemError, match="cannot be written"):
        picture.draw_comparison(compared, recommend(compared), tmp_path / "nowhere" / "table.png")


def test_every_letter_of_what_is_written_is_in_the_font(compared: Comparison) -> None:
    said = [recommend(compared), picture.NOTE, *(text for pair in picture.WHO.values() for text in pair)]
    assert all(text.isascii() for text in said)
