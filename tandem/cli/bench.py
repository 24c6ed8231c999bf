"""`tandem bench`: measurements that anyone can repeat on their own machine and questions."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, run

MOST_AT_ONCE = 1024
commands = typer.Typer(help="Measure how fast and how well Tandem's parts do their work.", no_args_is_help=True)


def _split_urls(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip() for part in text.split(",") if part.strip())
    if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
        raise typer.BadParameter("give http:// or https:// addresses, with commas between them.")
    return urls


def _split_numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= MOST_AT_ONCE for part in parts):
        raise typer.BadParameter(f"give numbers from 1 to {MOST_AT_ONCE:,}, with commas between them.")
    return tuple(dict.fromkeys(map(int, parts)))


@commands.command("model")
def model(
    url: Annotated[str, typer.Option(help="OpenAI-compatible servers, with commas; ratios are to the first.")],
    questions: Annotated[Path, typer.Option(help="JSON lines with `passage` and `question`; may be gzipped.")],
    concurrency: Annotated[str, typer.Option(help="How many ask at once, with commas.")] = "1,4,8,16",
    requests: Annotated[int, typer.Option(min=1, help="Per server, concurrency and round; at least 2 an asker.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="How often the servers take turns.")] = 3,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Length of an answer.")] = 48,
    seen: Annotated[bool, typer.Option("--seen", help="Measure prompts that the server has just had.")] = False,
    seed: Annotated[int, typer.Option(help="Which questions are drawn.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Put load on model servers, in turns, with questions that they have not seen before."""
    from tandem.evals.model_bench import Plan, bench_models
    from tandem.evals.questions import read_questions

    begin("bench", quiet=True)
    plan = Plan(_split_urls(url), _split_numbers(concurrency), requests, rounds, answer_tokens, seen, seed)
    found = read_questions(questions)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reaching the servers", total=plan.total)
        runs = run(bench_models(plan, found, lambda text: bar.update(task, description=text, advance=1)))
    described = [own.describe(runs[place - place % len(plan.urls)]) for place, own in enumerate(runs)]
    if as_json:
        print(json.dumps({"runs": described}))
    else:
        _print_table(described)


def _print_table(runs: list[dict[str, Any]]) -> None:
    headings = ("tok/s", "ratio", "req/s", "first p50", "p95", "ratio", "gap p99", "MiB", "failed")
    table = Table("at once", "server", box=None)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for own in runs:
        first, ratios = own["first_token_s"], own["ratios"]
        table.add_row(
            str(own["concurrency"]),
            own["url"].split("://")[1],
            _number(own["answer_tokens_per_s"], 1),
            _number(ratios["answer_tokens_per_s"], 2),
            _number(own["requests_per_s"], 2),
            _number(first["p50"], 2),
            _number(first["p95"], 2),
            _number(ratios["first_token_p50"], 2),
            _number(own["token_gap_ms"]["p99"], 0),
            _number(own["memory_mb"], 0),
            str(own["failures"]),
        )
    console = Console(highlight=False)
    console.print(table)
    for own in runs:
        if own["failures"]:
            console.print(f"{own['url']}, {own['concurrency']} at once: {own['failure']}", style="yellow", markup=False)
    lengths = [own["tokens_per_answer"] or 0 for own in runs]
    console.print(
        f"Answers of {min(lengths):.1f} to {max(lengths):.1f} tokens. First token in seconds, gap between tokens in"
        " milliseconds; ratios, of tokens/s and of the first token's p50, are to the first server."
    )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
