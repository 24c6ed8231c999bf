"""People <-> questions: Slack, Discord and the terminal.

Knows chat, and of SQL only its inbox; loads no weights and asks `index` for a re-index, never a worker.
May be imported by `tandem.cli` alone.
"""
