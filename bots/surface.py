"""The contract between the conversation layer and a chat platform. Both sides are written against this file alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from graph.answers import Citation
from index.audience import Viewer
from tandem.errors import TandemError

Kind = Literal["question", "reindex", "sources", "why", "review"]
REVIEW_LINE = "Something that you own is due for review"
"""What a notice says before its text is there; a phone shows this."""


class ReplyImpossible(TandemError):
    """The place to reply to is gone: the channel was deleted, or the bot may not write there."""

    remedy = "Invite the bot again and ask again."


@dataclass(frozen=True)
class Event:
    """What a person asked for, as the platform told it.

    `id` is the platform's own id with the platform's name before it (`slack:C1:1726.0001`), the same on every
    redelivery. `conversation` names the thread and keys the memory. `address` says where the reply goes, in the
    surface's own terms, and is stored as JSON. `text` is the question, the command's argument, or the number of the
    notice that an owner is to be given: nobody asked for that, and it is stored all the same, to be given once.
    """

    id: str
    surface: str
    kind: Kind
    conversation: str
    viewer: Viewer
    user: str
    text: str
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A button under a message; `value` comes back when somebody presses it."""

    label: str
    value: str


@dataclass(frozen=True)
class Message:
    """A finished reply: Markdown as models and documents wrote it, which the surface escapes and splits.

    `feedback_for` is the answer's id where thumbs are wanted. `receipt` is one line about the route. `choices` are the
    buttons of a notice; a surface without buttons leaves them out.
    """

    markdown: str
    citations: tuple[Citation, ...] = ()
    receipt: str = ""
    feedback_for: str | None = None
    choices: tuple[Choice, ...] = ()


class Reply(Protocol):
    """The one visible reply to an event, while it is being written.

    Every method raises ReplyImpossible, with the reason, when no later try can succeed; any other error is tried again.
    """

    @property
    def reference(self) -> Mapping[str, str]:
        """Where the reply is, to be stored; `Surface.resume` takes it up again after a crash."""
        ...

    async def show_progress(self, line: str) -> None:
        """Replaces what is visible by one line; calls may come faster than the platform allows."""
        ...

    async def append(self, text: str) -> None:
        """Adds streamed Markdown; calls may come faster than the platform allows."""
        ...

    async def finish(self, message: Message) -> None:
        """Makes the reply say exactly this. May be repeated after a crash and must then change nothing."""
        ...


class Surface(Protocol):
    """One chat platform. Its methods raise ReplyImpossible as those of Reply do."""

    @property
    def name(self) -> str: ...

    async def find_reply(self, event: Event) -> Reply | None:
        """Looks on the platform for a reply to this event that was sent but never recorded."""
        ...

    async def open_reply(self, event: Event) -> Reply:
        """Makes the reply visible with a first progress line. A lost response must not lead to a second message."""
        ...

    def resume(self, event: Event, reference: Mapping[str, str]) -> Reply:
        """Takes up a reply that was recorded before a crash."""
        ...
