"""Faults of our own: what the person is told, and what the log keeps."""

import logging
import secrets
import traceback

from bots.surface import Event, Message

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is misread aloud

log = logging.getLogger(__name__)


def apologise(event: Event, error: Exception) -> tuple[Message, str]:
    """An error reply with a new number, which is logged with the place where it happened."""
    number = "".join(secrets.choice(_ALPHABET) for _ in range(6))
    log.error("fault %s, event %s\n%s", number, event.id, describe_fault(error))
    return Message(
        f"Something went wrong on my side (number {number})."
        " Ask again; if it happens again, give that number to whoever runs me."
    ), number


def describe_fault(error: BaseException) -> str:
    """Where it happened, with the kinds of the errors but not their messages: those may quote what people wrote."""
    lines = traceback.format_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    earlier = [describe_fault(cause), "which led to\n"] if cause else []
    return "".join([*earlier, *lines, f"{type(error).__module__}.{type(error).__qualname__}\n"])
