"""Documents -> passages that can be found: sources, chunks, search and the job ledger.

The only writer of the knowledge tables. Embeds through `tandem.models`; knows no chat and no Celery task.
May be imported by `graph` and everything above it.
"""
