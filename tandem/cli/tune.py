"""`tandem tune`: examples, their review and their checks; what trains on them is in `tune_run`."""

import json
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from tandem.cli.workplace import AsJson, begin, open_database, open_model, operator, run
from tandem.tuning.examples import PROJECT, State, Task

if TYPE_CHECKING:
    from tandem.db.pool import Database
    from tandem.tuning.checks import Finding
    from tandem.tuning.examples import Example

Project = Annotated[str, typer.Option(help="The adapter that it is for.")]
TaskOption = Annotated[Task, typer.Option("--task", help="What it teaches.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve them at once: you vouch for them.")]
commands = typer.Typer(help="Train an adapter on your examples: docs/tuning.md.", no_args_is_help=True)


@commands.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(help="JSON lines in chat form, or CSV with question and answer.")],
    licence: Annotated[str, typer.Option(help="Of the examples, such as CC-BY-4.0; `own` is what you wrote yourself.")],
    author: Annotated[str, typer.Option(help="Who wrote them.")],
    project: Project = PROJECT,
    task: TaskOption = "answers",
    approve: Approve = False,
    as_json: AsJson = False,
) -> None:
    """Propose examples from files. What was added before is left as it is."""
    from tandem.tuning.examples import check_project_name
    from tandem.tuning.files import read_file

    check_project_name(project)
    drafts = [draft for file in files for draft in read_file(file, licence=licence, author=author)]
    run(_add(drafts, project, task, approve, as_json))


async def _add(drafts: "list[Any]", project: str, task: Task, approve: bool, as_json: bool) -> None:
    from tandem.tuning.examples import add_examples

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        by = operator() if approve else None
        added = await add_examples(database, drafts, project=project, task=task, approved_by=by)
    _tell_added(project, len(drafts), added, approve, as_json)


@commands.command("collect")
def collect(
    project: Project = PROJECT,
    open_to: Annotated[
        list[str] | None,
        typer.Option(
            "--open", help="An audience whose words everybody may read, such as slack:C0123; may be repeated."
        ),
    ] = None,
    approve: Approve = False,
    as_json: AsJson = False,
) -> None:
    """Propose what people approved or corrected in chat, and what changed documents say against the weights.

    What was said before an audience, as in a channel, stays there unless you name it.
    """
    run(_collect(project, open_to or [], approve, as_json))


async def _collect(project: str, open_to: list[str], approve: bool, as_json: bool) -> None:
    from tandem.tuning.collecting import collect_answers, collect_clashes, count_closed
    from tandem.tuning.examples import add_examples

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        drafts = [*await collect_answers(database, open_to), *await collect_clashes(database, open_to)]
        closed = await count_closed(database, open_to)
        by = operator() if approve else None
        added = await add_examples(database, drafts, project=project, task="answers", approved_by=by)
    if as_json:
        print(json.dumps({"project": project, "found": len(drafts), "added": added, "left_out": closed}))
        return
    _tell_added(project, len(drafts), added, approve, as_json)
    if closed:
        told = ", ".join(f"{name} ({count})" for name, count in closed.most_common())
        line = f"Left out is what was said before {told}; `--open NAME` takes in what everybody may read."
        Console(highlight=False).print(Text(line), soft_wrap=True)


@commands.command("draft")
def draft(
    docs: Annotated[str | None, typer.Option(help="The source to draft from; all of them by default.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Passages to ask about.")] = 50,
    licence: Annotated[
        str, typer.Option(help="Of documents that state none; `own` is what you wrote yourself.")
    ] = "unknown",
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Let the model propose questions and answers on the documents that everybody may see."""
    run(_draft(docs, most, licence, project, as_json))


async def _draft(docs: str | None, most: int, licence: str, project: str, as_json: bool) -> None:
    from index.passages import draw_passages
    from tandem.tuning.collecting import ANYBODY
    from tandem.tuning.drafting import draft_example
    from tandem.tuning.examples import add_examples

    settings = begin("tune", quiet=True)
    drafts = []
    async with open_database(settings) as database, open_model(settings) as model:
        passages = await draw_passages(database, ANYBODY, most=most, source=docs)
        author = (await model.describe()).adapter or (await model.describe()).model
        with Progress(console=Console(stderr=True), disable=as_json, transient=True) as bar:
            for passage in bar.track(passages, description="Drafting"):
                drafted = await draft_example(model, passage, licence=licence, author=author)
                drafts += [drafted] if drafted else []
        added = await add_examples(database, drafts, project=project, task="answers")
    _tell_added(project, len(drafts), added, False, as_json)


def _tell_added(project: str, found: int, added: int, approve: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"project": project, "found": found, "added": added}))
        return
    state = "approved" if approve else "proposed; `tandem tune review` shows them"
    Console(highlight=False).print(
        f"{project}: {added} examples are {state}, {found - added} were there already.", markup=False, soft_wrap=True
    )


@commands.command("review")
def review(
    project: Project = PROJECT,
    approve: Annotated[list[int] | None, typer.Option(help="An example's number; may be repeated.")] = None,
    clear: Annotated[
        list[int] | None,
        typer.Option(help="Approve this one, though it looks like instructions to the model; may be repeated."),
    ] = None,
    reject: Annotated[list[int] | None, typer.Option(help="An example's number; may be repeated.")] = None,
    state: Annotated[State, typer.Option(help="Which to show.")] = "proposed",
    as_json: AsJson = False,
) -> None:
    """Approve or reject examples: by their numbers, or one after the other in a terminal."""
    run(_review(project, approve or [], clear or [], reject or [], state, as_json))


async def _review(
    project: str, approve: list[int], clear: list[int], reject: list[int], state: State, as_json: bool
) -> None:
    from tandem.tuning.examples import list_examples, review_examples

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        if named := {*approve, *clear, *reject}:
            _require_known(project, named, await list_examples(database, project))
            terms: dict[str, Any] = {"project": project, "by": operator()}
            approved = await review_examples(database, approve, state="approved", **terms)
            approved += await review_examples(database, clear, state="approved", cleared=True, **terms)
            rejected = await review_examples(database, reject, state="rejected", **terms)
            print(json.dumps({"approved": approved, "rejected": rejected}) if as_json
                  else f"{approved} approved, {rejected} rejected.")  # fmt: skip
            return
        examples = await list_examples(database, project, state)
        if as_json:
            print(json.dumps([example.model_dump(mode="json") for example in examples]))
        elif sys.stdin.isatty():
            await _review_one_by_one(database, examples)
        else:
            for example in examples:
                print(
                    f"{example.id}\t{example.task}\t{_line(example.origin)}\t{_line(example.question)}\t{_line(example.answer)}"
                )


def _require_known(project: str, named: set[int], examples: "list[Example]") -> None:
    from tandem.tuning.examples import TuningError

    if unknown := sorted(named.difference(example.id for example in examples)):
        raise TuningError(
            f"{project} has no example {', '.join(map(str, unknown))}; nothing was changed.",
            remedy="`--project` names another project; with `--json`, `tandem tune review` shows the numbers.",
        )


async def _review_one_by_one(database: "Database", examples: "list[Example]") -> None:
    from tandem.tuning.examples import review_examples
    from tandem.tuning.injections import find_injections

    console = Console(highlight=False)
    for number, example in enumerate(examples, 1):
        show_example(console, example, f"{number} of {len(examples)}")
        keys = {"a": "approve", "e": "edit and approve", "r": "reject", "s": "skip", "q": "quit"}
        if kinds := find_injections(example.text):
            console.print(Text(f"It looks like {', '.join(kinds)}."))
            keys = {"c": "approve, since it is none"} | keys
        asked = ", ".join(f"{key} {told}" for key, told in keys.items())
        key = typer.prompt(asked, default="s").strip().lower()[:1]
        if key == "q":
            return
        if key not in ("a", "c", "e", "r") or key not in keys:
            continue
        answer = _ask_for_answer(example) if key == "e" else None
        state: State = "rejected" if key == "r" else "approved"
        terms: dict[str, Any] = {"project": example.project, "by": operator(), "cleared": key == "c"}
        await review_examples(database, [example.id], state=state, answer=answer, **terms)
    console.print("That was all of them.")


def _ask_for_answer(example: "Example") -> str:
    asked: str = typer.prompt("The answer; enter keeps it", default=example.answer, show_default=False)
    return asked.strip() or example.answer


def show_example(console: Console, example: "Example", title: str) -> None:
    """All of its words as they are: no markup, and what no screen shows by its code."""
    told = f"{example.licence}, by {example.author}, from {example.origin}"
    for turn in example.messages[:-2]:
        console.print(_show(f"{turn.role}: {turn.content}"), style="dim")
    title = f"{title}: {example.task}"
    console.print(Panel(_show(example.question), title=_show(title), subtitle=_show(told)))
    console.print(_show(example.answer))


def _show(text: str) -> Text:
    return Text("".join(f"\\u{ord(char):04x}" if _is_hidden(char) else char for char in text))


def _is_hidden(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@commands.command("check")
def check(project: Project = PROJECT, as_json: AsJson = False) -> None:
    """Say whether the approved examples may be trained on, and why not."""
    findings = run(_check(project))
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        show_findings(findings)
    if not all(finding.passed for finding in findings):
        raise SystemExit(1)


async def _check(project: str) -> "tuple[Finding, ...]":
    from tandem.tuning.checks import check_project

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        _, findings = await check_project(database, settings, project)
        return findings


def show_findings(findings: "tuple[Finding, ...]") -> None:
    console = Console(highlight=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.passed else "[red]✗[/]"
        console.print(mark, end=" ")
        console.print(finding.line, markup=False, soft_wrap=True)


@commands.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Show the examples that there are, the runs, and how their adapters were judged."""
    run(_list(as_json))


async def _list(as_json: bool) -> None:
    from tandem.tuning.examples import count_examples
    from tandem.tuning.runs import list_runs
    from tandem.tuning.verdict import list_verdicts

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        counts, verdicts = await count_examples(database), await list_verdicts(database)
    judged = {verdict.adapter: verdict for verdict in verdicts}
    runs = [one for project in dict.fromkeys(count.project for count in counts) for one in list_runs(settings, project)]
    if as_json:
        listed = {
            "examples": [count.model_dump() for count in counts],
            "runs": [{"adapter": one.name, "is_trained": one.is_trained, "folder": str(one.path)} for one in runs],
            "verdicts": [one.model_dump(mode="json") | {"passed": one.passed} for one in verdicts],
        }
        print(json.dumps(listed))
        return
    console = Console(highlight=False)
    table = Table("project", "task", "state", "examples", "origins", box=None)
    for count in counts:
        table.add_row(Text(count.project), count.task, count.state, str(count.examples), str(count.origins))
    console.print(table)
    for one in runs:
        verdict = judged.get(one.name)
        told = verdict.summary if verdict else "trained, not judged" if one.is_trained else "not finished"
        console.print(f"{one.name}: {told}", markup=False)


def _line(text: str) -> str:
    return " ".join(text.split())
