"""Celery: the shell that runs `index`'s jobs in the background.

Holds no business rules: a message only says "look", the ledger in `index` says what is to be done.
May be imported by `tandem.cli` alone.
"""
