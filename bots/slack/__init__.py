"""Slack: slack-bolt over Socket Mode or signed HTTP, one file for each listener.

What people write becomes an Event in `incoming` and is durable before Slack is told so; what they get back is a Reply,
laid out by `blocks` and escaped by `escaping`. May be imported by `tandem.cli` alone.
"""
