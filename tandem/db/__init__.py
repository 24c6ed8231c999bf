"""The database: the embedded server, the pool, named queries and forward-only migrations.

Nothing in here knows what the tables mean; SQL lives in `.sql` files beside the code that runs it.
May be imported by everything above `tandem.settings`.
"""
