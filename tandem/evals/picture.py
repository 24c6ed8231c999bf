"""The picture: what each arm gets right, and what it takes, with the recommendation under it.

Drawn with Pillow, whose wheel brings its own font, so that it looks the same in a container without any. That font has
ASCII and little else: what is written here keeps to it.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tandem.errors import TandemError
from tandem.evals.arms import ARMS, ArmName
from tandem.evals.comparison import ArmRun, Comparison

WIDTH, MARGIN = 1800, 60
BAR_LEFT, BAR_RIGHT = 550, 1240
COLUMNS = (1375, 1560, 1740)  # right edges
ROW, BAR = 92, 46
TITLE, TEXT, SMALL = 44, 28, 22
INK, FAINT, PAPER = "#1c2530", "#66707d", "#ffffff"
RIGHT, SILENT, WRONG, GRID, BEST = "#2f7d6b", "#c3c9d1", "#d9664f", "#e4e8ed", "#1c2530"
NOTE = (
    "Seconds: half of the answers take no longer, and 95 of 100 take no longer. Cost: of 1,000 answers, in the currency"
    " of the prices that are set (docs/evaluation.md)."
)
WHO: dict[ArmName, tuple[str, str]] = {
    "prompt": ("Prompt alone", "base model, from memory"),
    "tuned": ("Tuned", "trained model, from memory"),
    "retrieval": ("Prompt + retrieval", "base model reads what search finds"),
    "tuned+retrieval": ("Tuned + retrieval", "trained model reads what search finds"),
    "tandem": ("Tandem's choice", "decides for each question"),
}


def draw_comparison(compared: Comparison, recommendation: str, path: Path) -> None:
    """Writes a PNG. Raises TandemError when it cannot be written."""
    headline, _, rest = recommendation.partition(". ")
    lines = _wrap(rest, TEXT, WIDTH - 2 * MARGIN)
    top = 250
    shown = [arm for arm in ARMS if arm in compared.arms or arm in compared.left_out]
    bottom = top + ROW * len(shown)
    height = bottom + 140 + 40 * len(lines) + MARGIN
    image = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(image)
    _write(pen, (MARGIN, 40), f"{headline.rstrip('.')}.", TITLE)
    _write(pen, (MARGIN, 100), _subtitle(compared), SMALL, FAINT)
    _draw_legend(pen, 152)
    _draw_axis(pen, top, bottom)
    for number, arm in enumerate(shown):
        _draw_name(pen, top + ROW * number, arm)
        if run := compared.arms.get(arm):
            _draw_arm(pen, top + ROW * number, run)
        else:
            _write(pen, (BAR_LEFT + 10, top + ROW * number + 16), f"not tried: {compared.left_out[arm]}", SMALL, FAINT)
    if compared.oracle:
        _draw_oracle(pen, compared.oracle.right, top, bottom)
    for number, line in enumerate(lines):
        _write(pen, (MARGIN, bottom + 70 + 40 * number), line, TEXT)
    _write(pen, (MARGIN, height - MARGIN - 20), NOTE, SMALL, FAINT)
    try:
        image.save(path, "PNG", optimize=True)
    except OSError as error:
        raise TandemError(
            f"{path} cannot be written: {error.strerror or error}.", remedy="Give --plot another place."
        ) from error


def _subtitle(compared: Comparison) -> str:
    count = len(compared.questions)
    nothing = sum(not asked.answerable for asked in compared.questions)
    also = f", {nothing:,} of which nothing answers," if nothing else ""
    return (
        f"The same {count:,} questions{also} put to each."
        " The thin line is how far luck in the questions may reach (95%)."
    )


def _draw_legend(pen: ImageDraw.ImageDraw, y: int) -> None:
    x = BAR_LEFT
    for colour, text in ((RIGHT, "right"), (SILENT, "says it does not know, though it could"), (WRONG, "wrong")):
        pen.rectangle((x, y + 4, x + 20, y + 24), colour)
        _write(pen, (x + 30, y), text, SMALL)
        x += 62 + round(_font(SMALL).getlength(text))
    for edge, first, second in zip(
        COLUMNS, ("tokens", "seconds", "cost of"), ("a question", "usual / slow", "1,000"), strict=True
    ):
        _write(pen, (edge, y + 20), first, SMALL, FAINT, anchor="ra")
        _write(pen, (edge, y + 48), second, SMALL, FAINT, anchor="ra")


def _draw_axis(pen: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    for percent in range(0, 101, 20):
        x = _place(percent / 100)
        pen.line((x, top - 12, x, bottom), GRID, 2)
        _write(pen, (x, bottom + 6), f"{percent}%" if percent else "0", SMALL, FAINT, anchor="ma")


def _draw_name(pen: ImageDraw.ImageDraw, y: int, arm: ArmName) -> None:
    name, who = WHO[arm]
    _write(pen, (MARGIN, y + 2), name, TEXT)
    _write(pen, (MARGIN, y + 36), who, SMALL, FAINT)


def _draw_arm(pen: ImageDraw.ImageDraw, y: int, run: ArmRun) -> None:
    silent = sum(outcome.grade.declined for outcome in run.answerable) / len(run.outcomes)
    start = 0.0
    for share, colour in ((run.right.mean, RIGHT), (silent, SILENT), (1 - run.right.mean - silent, WRONG)):
        if share > 0:
            pen.rectangle((_place(start), y + 6, _place(start + share) - 1, y + 6 + BAR), colour)
        start += share
    _draw_whisker(pen, y + 6 + BAR // 2, run)
    _write_share(pen, y, run.right.mean)
    p50, p95 = run.latency_ms
    texts = (f"{run.tokens:,.0f}", f"{p50 / 1000:.1f} / {p95 / 1000:.1f}", f"{run.cost_per_1000:.3g}")
    for edge, text in zip(COLUMNS, texts, strict=True):
        _write(pen, (edge, y + 14), text, TEXT, anchor="ra")


def _draw_whisker(pen: ImageDraw.ImageDraw, y: int, run: ArmRun) -> None:
    low, high = _place(run.right.low), _place(run.right.high)
    pen.line((low, y, high, y), INK, 3)
    for x in (low, high):
        pen.line((x, y - 9, x, y + 9), INK, 3)


def _write_share(pen: ImageDraw.ImageDraw, y: int, share: float) -> None:
    """At the bar's left end, where it never meets the whisker of a good arm."""
    _write(pen, (BAR_LEFT - 14, y + 14), f"{share:.0%}", TEXT, anchor="ra")


def _draw_oracle(pen: ImageDraw.ImageDraw, share: float, top: int, bottom: int) -> None:
    x = _place(share)
    for y in range(top - 12, bottom, 14):
        pen.line((x, y, x, min(y + 7, bottom)), BEST, 3)
    label = f"best possible choice {share:.0%}"
    end = min(x + round(_font(SMALL).getlength(label) / 2), BAR_RIGHT)  # clear of the columns beside the bars
    _write(pen, (end, top - 44), label, SMALL, BEST, anchor="ra")


def _place(share: float) -> int:
    return BAR_LEFT + round(share * (BAR_RIGHT - BAR_LEFT))


def _wrap(text: str, size: int, width: int) -> list[str]:
    font, lines = _font(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: str = INK, *, anchor: str = "la"
) -> None:
    pen.text(place, text.encode("ascii", "replace").decode(), colour, _font(size), anchor)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font
