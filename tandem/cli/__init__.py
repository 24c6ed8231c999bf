"""The command line: every command is one function, and imports the room it needs only when it runs."""

from tandem.cli.app import app

__all__ = ["app"]
