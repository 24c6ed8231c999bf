"""What `tests.index.scale` printed, as a picture: `python -m tests.index.scale_plot < FIGURES > FILE.svg`."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 420, 60, 50
SIZES, TIMES = (1_000, 1_000_000), (5.0, 2_000.0)  # both scales are logarithmic
GOALS = ((5_000, 15.0), (100_000, 60.0), (1_000_000, 150.0))
LINES: tuple[tuple[str, str, Callable[[dict[str, Any]], float]], ...] = (
    ("each compared, p95", "#b3541e", lambda row: row["each_compared_ms"]["p95"]),
    ("by the indexes, p95", "#1e66b3", lambda row: row["by_index_ms"]["p95"]),
)


def place(chunks: float, milliseconds: float) -> tuple[float, float]:
    across = math.log(chunks / SIZES[0]) / math.log(SIZES[1] / SIZES[0])
    up = math.log(milliseconds / TIMES[0]) / math.log(TIMES[1] / TIMES[0])
    return LEFT + across * (WIDTH - LEFT - 20), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - 20)


def draw(rows: Sequence[dict[str, Any]]) -> str:
    """An SVG. The goals are crosses."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for chunks in (1_000, 10_000, 100_000, 1_000_000):
        x, y = place(chunks, TIMES[0])
        parts += [_line([(x, y), (x, 20)], "#ddd"), _text(x - 20, y + 20, f"{chunks:,}")]
    for milliseconds in (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000):
        x, y = place(SIZES[0], milliseconds)
        parts += [_line([(x, y), (WIDTH - 20, y)], "#ddd"), _text(x - 50, y + 4, f"{milliseconds} ms")]
    parts.append(_text(WIDTH / 2 - 40, HEIGHT - 8, "passages"))
    for number, (name, colour, read) in enumerate(LINES):
        points = [place(row["chunks"], read(row)) for row in rows]
        parts += [_line(points, colour, 2), _text(LEFT + 15, 40 + 18 * number, name, colour)]
    parts += [_text(x - 4, y + 4, "✕", "#2a7f3b") for x, y in (place(*goal) for goal in GOALS)]
    return "\n".join([*parts, _text(LEFT + 15, 76, "✕ goals (p95)", "#2a7f3b"), "</svg>\n"])


def _line(points: Iterable[tuple[float, float]], colour: str, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, colour: str = "#444") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{text}</text>'


if __name__ == "__main__":
    lines = (line[line.index("{") :] for line in sys.stdin if "{" in line)
    print(draw(sorted(map(json.loads, lines), key=lambda row: row["chunks"])), end="")
