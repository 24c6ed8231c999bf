"""The `tandem` command, put together from its parts; what goes wrong becomes a line for people and an exit status."""

import typer
from rich.console import Console

from tandem.cli import (
    ask,
    audit,
    bench,
    chat,
    doctor,
    index,
    model,
    routing,
    search,
    serve,
    source,
    standing,
    tune,
    tune_run,
    up,
)
from tandem.cli import eval as evaluation
from tandem.errors import TandemError


class Tandem(typer.Typer):
    """Turns TandemError into one line on stderr and exit status 1; everything else is a fault of ours and shows."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        try:
            return super().__call__(*args, **kwargs)
        except TandemError as error:
            console = Console(stderr=True)
            console.print(error.message, style="bold red", markup=False, highlight=False)
            console.print(error.remedy, markup=False, highlight=False)
            raise SystemExit(1) from None


app = Tandem(
    name="tandem",
    help="Answers a team's questions from a local model or from the team's documents, and says which it was.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("chat")(chat.chat)
app.command("ask")(ask.ask)
app.command("search")(search.search)
source.commands.add_typer(standing.commands)
app.add_typer(source.commands, name="source")
app.command("reindex")(source.reindex)
app.add_typer(index.commands, name="index")
app.command("audit")(audit.audit)
app.command("up")(up.up)
app.command("slack")(serve.slack)
app.command("discord")(serve.discord)
app.add_typer(model.commands, name="model")
app.add_typer(routing.commands, name="routing")
tune.commands.command("run")(tune_run.train)
tune.commands.command("gate")(tune_run.gate)
app.add_typer(tune.commands, name="tune")
app.command("worker")(serve.worker)
app.command("beat")(serve.beat)
app.command("watch")(serve.watch)
app.command("webhooks")(serve.webhooks)
app.command("migrate")(serve.migrate)
app.command("doctor")(doctor.doctor)
app.command("eval")(evaluation.evaluate)
app.add_typer(bench.commands, name="bench")
