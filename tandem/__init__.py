"""What the four rooms stand on: settings, errors, telemetry, database, models; and the command line above them.

`tandem.db` and `tandem.models` may be imported by every room, `tandem.cli` by none.
"""
