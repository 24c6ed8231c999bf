"""How `tandem bench routes` and `tandem bench coverage` are shown to people."""

from typing import Any

from rich.console import Console
from rich.table import Table

CHOICES = {
    "before_reading": "chosen before reading",
    "after_reading": "the same, and the better of both where it read",
    "both_written": "both written, the better sent",
}


def print_routes(measured: dict[str, Any]) -> None:
    console = Console(highlight=False)
    parts = {"all": "all questions", "drafts": "those with drafts"}
    knowing = {"with_place": "knowing where it was asked", "without_place": "without that"}
    for part, title in parts.items():
        shown = {name: measured[key][part] for key, name in knowing.items() if part in measured[key]}
        if not shown:
            continue
        first = next(iter(shown.values()))
        right = first["right"]
        console.print(
            f"{title.capitalize()}: {first['questions']:,}. Right from memory {right['always_direct']:.1%}, from a"
            f" passage {right['always_retrieve']:.1%}; the better of both, if one always knew, {right['oracle']:.1%}."
        )
        for name, figures in shown.items():
            _print_chances(console, name, figures)
            _print_choices(console, figures)


def _print_chances(console: Console, name: str, figures: dict[str, Any]) -> None:
    table = Table(f"Is it right? ({name})", "AUROC", "calibration error", box=None)
    for key, text in (
        ("p_direct", "memory"),
        ("p_direct_after_reading", "memory, the passage having been read"),
        ("p_grounded", "passage"),
    ):
        table.add_row(text, f"{figures[key]['auroc']:.3f}", f"{figures[key]['ece']:.3f}")
    console.print(table)


def _print_choices(console: Console, figures: dict[str, Any]) -> None:
    table = Table("The choice", "passages read", "sent from them", "right", "against always retrieving", box=None)
    for key, text in CHOICES.items():
        own, apart = figures[key], figures[key]["difference"]
        interval = f"{100 * apart['mean']:+.1f} points ({100 * apart['low']:+.1f} to {100 * apart['high']:+.1f})"
        table.add_row(text, f"{own['read']:.0%}", f"{own['grounded']:.0%}", f"{own['right']:.1%}", interval)
    console.print(table)
    console.print()


def print_coverage(measured: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(
        f"{measured['questions']:,} questions. Told apart by a model that had not seen the collection: AUROC"
        f" {measured['auroc']:.4f}, calibration error {measured['ece']:.3f}; by the one that ships"
        f" {measured['shipped']:.4f}."
    )
    table = Table("collection", "AUROC", box=None)
    for name, area in measured["collections"].items():
        table.add_row(name, f"{area:.4f}")
    console.print(table)
    routes = Table("route, before anything is graded", *measured["routes"]["covered"], box=None)
    for kind, counts in measured["routes"].items():
        routes.add_row(kind.replace("_", " "), *map(str, counts.values()))
    console.print(routes)
    took = measured["decision_ms"]
    console.print(f"A decision takes {took['p50']:.1f} ms (p50), {took['p95']:.1f} ms (p95) besides the search.")
