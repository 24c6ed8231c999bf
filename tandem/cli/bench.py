"""`tandem bench`: measurements that anyone can repeat on their own machine and questions."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tandem.cli.routes_table import print_coverage, print_routes
from tandem.cli.workplace import AsJson, begin, open_model, run

if TYPE_CHECKING:
    from tandem.evals.replay import ReplayRun
    from tandem.evals.retrieval import RetrievalRun
    from tandem.evals.workbench import OnProgress, SourceKind, Workbench
    from tandem.settings import Settings

MOST_AT_ONCE = 1024
T = TypeVar("T")
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
    with _progress() as bar:
        task = bar.add_task("Reaching the servers", total=plan.total)
        runs = run(bench_models(plan, found, lambda text: bar.update(task, description=text, advance=1)))
    described = [own.describe(runs[place - place % len(plan.urls)]) for place, own in enumerate(runs)]
    if as_json:
        print(json.dumps({"runs": described}))
    else:
        _print_table(described)


@commands.command("retrieval")
def retrieval(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds corpus.jsonl, queries.jsonl and qrels.tsv.")],
    as_json: AsJson = False,
) -> None:
    """Index a collection in BEIR form into a scratch database, and measure what search finds and how fast."""
    from tandem.evals.collection import read_collection
    from tandem.evals.retrieval import bench_retrieval

    settings = begin("bench", quiet=True)
    collection = read_collection(folder)
    measured = run(_on_workbench(settings, lambda bench, report: bench_retrieval(bench, collection, report)))
    if as_json:
        print(json.dumps(measured.describe()))
    else:
        _print_retrieval(measured)


@commands.command("replay")
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds events.jsonl and blobs.jsonl.")],
    commits: Annotated[int, typer.Option(min=0, help="How many to replay; 0 for all.")] = 60,
    start: Annotated[
        str | None, typer.Option("--from", metavar="COMMIT", help="The first one; else the last ones are replayed.")
    ] = None,
    source: Annotated[
        Literal["folder", "git"], typer.Option(help="The kind of source that it goes through.")
    ] = "folder",
    as_json: AsJson = False,
) -> None:
    """Replay a folder's history, and check after each commit that the index says what the folder says."""
    from tandem.evals.history import read_history
    from tandem.evals.replay import bench_replay, choose_commits

    settings = begin("bench", quiet=True)
    before, steps = choose_commits(read_history(folder), start, commits)
    measured = run(_on_workbench(settings, lambda bench, report: bench_replay(bench, before, steps, report), source))
    if as_json:
        print(json.dumps(measured.describe()))
    else:
        _print_replay(measured)
    if measured.difference:
        raise SystemExit(1)


@commands.command("coverage")
def coverage(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON lines with `passage` and `question`.")],
    passages: Annotated[int, typer.Option(min=2, help="Of each file at most so many are indexed.")] = 300,
    questions: Annotated[int, typer.Option(min=10, help="Of each file at most so many are asked.")] = 100,
    write: Annotated[Path | None, typer.Option(help="Write the model fitted to all files here, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Index each file alone, ask it its own questions and the others', and see whether the search tells them apart."""
    from tandem.evals.coverage import ask_collections, describe_coverage, fit_coverage
    from tandem.evals.questions import read_questions
    from tandem.evals.workbench import open_workbench

    settings = begin("bench", quiet=True)
    found = {f"{file.parent.name}/{file.name}": read_questions(file) for file in files}
    if len(found) < 2:
        raise typer.BadParameter("give at least two files, so that each has questions that it does not cover.")
    with _progress() as bar:
        task = bar.add_task("Starting", total=None)
        asked = run(
            ask_collections(
                lambda: open_workbench(settings),
                found,
                passages,
                questions,
                lambda text, done, total: bar.update(task, description=text, completed=done, total=total),
            )
        )
    if write:
        write.write_text(json.dumps(asdict(fit_coverage(asked))) + "\n")
    measured = describe_coverage(asked)
    print(json.dumps(measured)) if as_json else print_coverage(measured)


@commands.command("routes")
def routes(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds outcomes.jsonl.")],
    as_json: AsJson = False,
) -> None:
    """Judge the choice between memory and retrieval on graded outcomes of both, cross-validated by question."""
    from tandem.evals.outcomes import read_outcomes
    from tandem.evals.routes import bench_routes, embed_outcomes

    settings = begin("bench", quiet=True)
    outcomes = read_outcomes(folder)

    async def measure() -> dict[str, Any]:
        async with open_model(settings) as model:
            vectors = await embed_outcomes(model, outcomes)
        return bench_routes(outcomes, vectors)

    measured = run(measure())
    if as_json:
        print(json.dumps(measured))
    else:
        print_routes(measured)


async def _on_workbench(
    settings: "Settings", measure: "Callable[[Workbench, OnProgress], Awaitable[T]]", source: "SourceKind" = "folder"
) -> "T":
    from tandem.evals.workbench import open_workbench

    with _progress() as bar:
        task = bar.add_task("Starting", total=None)
        async with open_workbench(settings, source) as bench:
            return await measure(
                bench, lambda text, done, total: bar.update(task, description=text, completed=done, total=total)
            )


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _print_retrieval(measured: "RetrievalRun") -> None:
    figures, console = measured.describe(), Console(highlight=False)
    table = Table("", *measured.ndcg, box=None)
    for name in [name for name in figures if "@" in name]:
        table.add_row(name, *(f"{value:.4f}" for value in figures[name].values()))
    console.print(table)
    latency, index = figures["latency_ms"], figures["index"]
    console.print(
        f"{measured.queries:,} queries, {measured.documents:,} documents, {measured.chunks:,} passages."
        f" A query takes {latency['p50']:.1f} ms (p50), {latency['p95']:.1f} ms (p95)."
        f" {index['chunks_per_s']:.1f} passages indexed a second, {index['bytes_per_chunk']:,} bytes each."
    )
    if measured.failed:
        text = f"{measured.failed:,} documents could not be indexed, the first of them {measured.failures[0]}"
        console.print(text, style="yellow", markup=False)


def _print_replay(measured: "ReplayRun") -> None:
    figures, console = measured.describe(), Console(highlight=False)
    table = Table("", "p50", "p95", box=None)
    for name, key in (("seconds a step", "seconds_per_step"), ("seconds of lag", "lag_s")):
        table.add_row(name, _number(figures[key]["p50"], 2), _number(figures[key]["p95"], 2))
    console.print(table)
    first, share, passages = figures["first_look"], figures["embedded_share"], figures["passages"]
    console.print(
        f"First look: {first['documents']:,} documents, {first['chunks']:,} passages, {first['seconds']:.1f} s."
        f" Then {figures['commits']:,} commits with {figures['changed_documents']:,} changed documents;"
        f" of their passages {_percent(share['of_chunks'])} were embedded"
        f" ({_percent(share['mean_of_documents'])} of the mean document, {_percent(share['median_of_documents'])}"
        " of the median)."
    )
    text = f"Passages stale {passages['stale']:,}, missing {passages['missing']:,}, doubled {passages['doubled']:,}."
    console.print(text, style="bold red" if measured.difference else "green")
    if measured.difference:
        console.print(f"After {', '.join(figures['wrong_after'])}.", style="red", markup=False)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


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
