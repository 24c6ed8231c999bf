"""`tandem ask`: one question, one answer."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tandem.cli.workplace import AsJson, Audience, begin, new_id, open_database, open_model, run, terminal_viewer

if TYPE_CHECKING:
    from graph.answers import Answer, Citation


def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    audience: Audience = None,
    as_json: AsJson = False,
) -> None:
    """Ask one question; needs nothing else running."""
    run(_ask(question, audience, as_json))


async def _ask(text: str, audience: list[str] | None, as_json: bool) -> None:
    from bots.rendering import receipt_line
    from graph.agent import Agent
    from graph.answers import Answer, Delta, Done, Question

    settings = begin("ask", quiet=True)
    console, identity = Console(highlight=False), new_id()
    question = Question(
        id=f"ask:{identity}",
        text=text,
        conversation=f"ask:{identity}",
        viewer=terminal_viewer(audience),
        user="terminal",
    )
    answers: list[Answer] = []
    async with (
        open_database(settings) as database,
        open_model(settings) as model,
        Agent.open(settings, database, model) as agent,
    ):
        async for event in agent.answer(question):
            if isinstance(event, Delta) and not as_json:
                console.print(event.text, end="", markup=False, soft_wrap=True)
            if isinstance(event, Done):
                answers.append(event.answer)
    [answer] = answers
    if as_json:
        print(json.dumps(describe_answer(answer), ensure_ascii=False))
        return
    console.print()
    for citation in answer.citations:
        console.print(f"[{citation.n}] {citation.title}  {citation.uri}", style="dim", markup=False, soft_wrap=True)
    console.print(receipt_line(answer), style="dim italic", markup=False, soft_wrap=True)


def describe_answer(answer: "Answer") -> dict[str, object]:
    """The contract of `tandem ask --json`."""
    return {
        "question": answer.question,
        "answer": answer.answer,
        "route": answer.route,
        "citations": [_describe_citation(citation) for citation in answer.citations],
        "receipt": asdict(answer.receipt),
        "id": answer.id,
    }


def _describe_citation(citation: "Citation") -> dict[str, object]:
    """With the age of what is cited, in seconds since its source changed it."""
    keys = ("n", "title", "uri", "quote", "score", "source", "owner", "licence", "revision", "lag_s")
    moments = {key: getattr(citation, key) for key in ("changed_at", "indexed_at", "review_by")}
    age = (datetime.now(UTC) - citation.changed_at).total_seconds() if citation.changed_at else None
    return (
        {key: getattr(citation, key) for key in keys}
        | {key: moment.isoformat() if moment else None for key, moment in moments.items()}
        | {"age_s": age, "is_due": citation.is_due}
    )
