"""What the terminal shows. Text of models and documents is inert here: no markup, no links, no control sequences."""

import re
import unicodedata

from markdown_it import MarkdownIt
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.spinner import Spinner
from rich.text import Text

from bots.surface import Message
from graph.answers import Citation

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"
)
_REORDERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPINNER_TAIL = 4000  # characters; more than any screen shows


def make_plain(text: str) -> str:
    """The text without anything that a terminal obeys: escape sequences, control characters, changes of direction."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(
        char for char in text if char in "\n\t" or (unicodedata.category(char) != "Cc" and char not in _REORDERING)
    )


class Screen:
    """Prints plainly where the output is no terminal; else streams, and renders what is finished."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None

    def show_progress(self, line: str) -> None:
        """One line with a spinner, replaced by whatever comes next."""
        self._glimpse(Spinner("dots", Text(make_plain(line))))

    def show_draft(self, markdown: str) -> None:
        """The end of a text that is still being written, as much as the screen holds."""
        lines = Text(make_plain(markdown)[-_SPINNER_TAIL:]).wrap(self.console, self.console.width)
        self._glimpse(Group(*lines[-max(self.console.height - 3, 1) :]))

    def show(self, message: Message) -> None:
        """A finished reply."""
        self.clear()
        answer, rich = make_plain(message.markdown), self.console.is_terminal
        self._print(_render_markdown(answer) if rich else Text(answer))
        if message.citations:
            self._print(Group(Text(), *(_render_citation(citation) for citation in message.citations)))
        if message.receipt:
            self._print(Text(f"\n{make_plain(message.receipt)}", style="dim"))
        self._print(Text())

    def say(self, text: str) -> None:
        """A line of our own."""
        self.clear()
        self._print(Text(make_plain(text)))

    def clear(self) -> None:
        """Takes away what is not finished."""
        if self._live:
            self._live.stop()
            self._live = None

    def _print(self, what: RenderableType) -> None:
        self.console.print(what, soft_wrap=not self.console.is_terminal)

    def _glimpse(self, what: RenderableType) -> None:
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=10)
            self._live.start()
        self._live.update(what)


def _render_markdown(text: str) -> Markdown:
    rendered = Markdown(text, hyperlinks=False)
    rendered.parsed = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table").parse(text)
    return rendered  # rich leaves out what looks like HTML; here it is text


def _render_citation(citation: Citation) -> Text:
    title, uri, quote = (" ".join(make_plain(part).split()) for part in (citation.title, citation.uri, citation.quote))
    return Text.assemble((f"[{citation.n}] ", "bold"), title, ("  ", ""), (uri, "dim"), (f"\n    “{quote}”", "italic"))
