"""What `tandem eval` prints for people."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tandem.evals.comparison import ArmRun, Comparison


def print_comparison(compared: "Comparison", recommendation: str) -> None:
    """One column an arm, so that it fits a narrow terminal."""
    console, table = Console(highlight=False), Table("", box=None, pad_edge=False)
    figures = compared.describe()
    columns = [_describe_column(own, figures["arms"][arm]) for arm, own in compared.arms.items()]
    for arm in compared.arms:
        table.add_column(arm, justify="right", no_wrap=True)
    if oracle := compared.oracle:
        table.add_column("oracle", justify="right", style="dim", no_wrap=True)
        columns.append({"right": f"{oracle.right:.2f}", "tokens": f"{oracle.tokens:,.0f}"})
    for name in columns[0]:
        table.add_row(name, *(column.get(name, "") for column in columns))
    console.print(table)
    if compared.finding and (found := compared.finding.describe()):
        told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        console.print(f"Retrieval on its own: {told} (judged by {compared.finding.judged_by}).", markup=False)
    if "tandem" in compared.arms:
        how = f"fit {compared.fit}" if compared.fit else "the built-in rules, as nothing was learned yet"
        console.print(f"Tandem chose by {how}.")
    for arm, reason in compared.left_out.items():
        console.print(f"Left out: {arm}, as {reason}.", style="yellow", markup=False)
    console.print(f"\n{recommendation}", style="bold", markup=False)


def print_reader(figures: dict[str, Any]) -> None:
    def tell(found: dict[str, float] | None) -> str:
        return f"{found['mean']:.3f}  ({found['low']:.3f} to {found['high']:.3f})" if found else "–"

    forced, sent, retrieved = figures["forced"], figures["as_sent"], figures["retrieved"]
    table = Table(f"{figures['questions']:,} questions", "", box=None, pad_edge=False)
    for name, value in (
        ("passage given, forced to answer: EM", tell(forced["em"])),
        ("F1", tell(forced["f1"])),
        ("does the passage answer? AUROC", "–" if figures["auroc"] is None else f"{figures['auroc']:.3f}"),
        ("is it right? AUROC", "–" if figures["auroc_right"] is None else f"{figures['auroc_right']:.3f}"),
        ("as sent: F1 of the answerable", tell(sent["f1"])),
        ("unanswerable ones declined", tell(sent["declined_rightly"])),
        ("answerable ones declined", tell(sent["declined_wrongly"])),
        ("passage to be found, forced to answer: F1", tell(retrieved["f1"])),
        ("F1 lost by having to find it", tell(retrieved["f1_lost"])),
        ("as sent: citations right", tell(retrieved["citation_precision"])),
        ("only passages of other titles found: declined", tell(figures["uncovered"]["declined"])),
    ):
        table.add_row(name, value)
    Console(highlight=False).print(table)


def _describe_column(own: "ArmRun", figures: dict[str, Any]) -> dict[str, str]:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    answerable, citations, latency = figures["answerable"], figures["citations"], figures["latency_ms"]
    return {
        "right": f"{own.right.mean:.2f}",
        "  95%": f"{own.right.low:.2f}–{own.right.high:.2f}",
        "EM": share(answerable["em"]),
        "F1": share(answerable["f1"]),
        "contained": share(answerable["contained"]),
        "declined rightly": share(figures["unanswerable"]["declined"]),
        "declined wrongly": share(own.estimate("declined", answerable=True).mean if own.answerable else None),
        "citations right": share(citations["precision"]),
        "answers so cited": share(citations["recall"]),
        "tokens": f"{figures['tokens']:,.0f}",
        "model calls": f"{own.model_calls:.2f}",
        "ms, p50": f"{latency['p50']:,.0f}",
        "ms, p95": f"{latency['p95']:,.0f}",
        "cost of 1,000": f"{figures['cost_per_1000']:.3g}",
    }
