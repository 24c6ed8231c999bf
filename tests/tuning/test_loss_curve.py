"""The picture of a run is whole, and stays so for odd runs."""

from xml.etree import ElementTree

import pytest

from tandem.tuning.loss_curve import draw_losses
from tandem.tuning.run import Report


def report(step: int, loss: float, held: float | None = None) -> Report:
    return Report(step=step, steps=9, tokens=1, loss=loss, seconds_left=0.0, validation_loss=held)


@pytest.mark.parametrize(
    "reports",
    [
        [report(1, 2.0)],
        [report(1, 2.0, 2.5), report(2, 1.0, 1.5), report(3, 0.5, 1.9)],
        [report(1, 1.0, 1.0), report(2, 1.0, 1.0), report(2, 1.0, 1.0)],
    ],
)
def test_both_curves_lie_inside_the_picture(reports: list[Report]) -> None:
    picture = ElementTree.fromstring(draw_losses("house <1>", reports))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    points = [
        tuple(map(float, point.split(",")))
        for line in picture.iter("{http://www.w3.org/2000/svg}polyline")
        for point in line.attrib["points"].split()
    ]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    said = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert said[0].startswith("house <1>: loss")


def test_the_step_that_was_kept_is_named() -> None:
    drawn = draw_losses("a", [report(1, 2.0, 2.5), report(2, 1.0, 1.5), report(3, 0.5, 1.9)])
    assert "kept: step 2, 1.500" in drawn
