"""Discord: mentions, direct messages, threads and slash commands, through discord.py.

`client.run_discord` is the process; `surface` is what the conversation layer sees of it. docs/discord.md sets it up.
May be imported by `tandem.cli`.
"""
