"""The loss curves of a run as a picture: an SVG, which any browser shows."""

from collections.abc import Sequence
from html import escape

from tandem.tuning.run import Report

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 60, 20, 50, 50
FOOT = HEIGHT - 14
INK, GRID, TRAINED, HELD = "#444", "#ddd", "#9bb8d9", "#b3541e"
LINES = 5
SMOOTHED = 0.9
"""How much of the running mean each step keeps, so that the course shows through the noise."""
Point = tuple[float, float]


def draw_losses(name: str, reports: Sequence[Report]) -> str:
    """Of at least one report, in the order in which they came; a step that was done twice counts as it ended."""
    steps = {report.step: report for report in reports}
    trained = _smooth([(step, report.loss) for step, report in sorted(steps.items())])
    held = [(step, r.validation_loss) for step, r in sorted(steps.items()) if r.validation_loss is not None]
    losses = [loss for _, loss in (*trained, *held)]
    low, high = min(losses), max(losses)
    high = max(high, low + 0.1)
    last = max(steps)

    def place(step: float, loss: float) -> Point:
        across = step / last * (WIDTH - LEFT - RIGHT)
        return LEFT + across, TOP + (high - loss) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text((LEFT, 28), f"{name}: loss (nats a token) over {last} steps", INK, 16),
        _text((WIDTH - 330, FOOT), "examples it learns from", TRAINED),
        _text((WIDTH - 150, FOOT), "examples it does not", HELD),
    ]
    for number in range(LINES):
        loss = low + (high - low) * number / (LINES - 1)
        left, right = place(0, loss), place(last, loss)
        parts += [_line([left, right], GRID), _text((12, left[1] + 4), f"{loss:.2f}")]
    parts += [_line([place(*one) for one in trained], TRAINED, 2), _line([place(*one) for one in held], HELD, 2)]
    if held:
        best = min(held, key=lambda one: one[1])
        x, y = place(*best)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{HELD}"/>')
        parts.append(_text((LEFT, FOOT), f"kept: step {best[0]}, {best[1]:.3f}", HELD))
    return "\n".join([*parts, "</svg>\n"])


def _smooth(points: Sequence[Point]) -> list[Point]:
    smooth: list[Point] = []
    mean, weight = 0.0, 0.0
    for step, loss in points:
        mean, weight = SMOOTHED * mean + (1 - SMOOTHED) * loss, SMOOTHED * weight + (1 - SMOOTHED)
        smooth.append((step, mean / weight))
    return smooth


def _line(points: Sequence[Point], colour: str, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(at: Point, text: str, colour: str = INK, size: int = 13) -> str:
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" font-size="{size}">{escape(text)}</text>'
