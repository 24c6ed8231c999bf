"""Slack's markup: text of people made plain, text of models and documents made harmless.

Slack acts on `<...>` alone (mentions, links, dates) once link_names is off and parse is none, so no `<` of such text
ever reaches it. Source: docs.slack.dev/messaging/formatting-message-text; that a markdown block shows `&lt;` as `<` and
never reads it again as markup was measured in PostHog/posthog #95054.
"""

import re
from urllib.parse import unquote, urlsplit

_ENTITY = re.compile(r"&(?=#?\w+;)")
_MARKUP = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_URL = re.compile(r"https?://[^\s<>|]+", re.IGNORECASE)


def escape_markdown(text: str) -> str:
    """For a markdown block or stream: shown as written, with Markdown's own meaning.

    A `>` can begin nothing but a quotation and stays; so does an `&` that Slack would not decode, or links would break.
    """
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;")


def escape_mrkdwn(text: str) -> str:
    """For a mrkdwn text object or a message's `text`: shown as written, though `*` and `_` keep their meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(uri: str, title: str) -> str:
    """A mrkdwn link where Slack can open the address; else the title and the path, as text."""
    label = escape_mrkdwn(" ".join(title.split()) or uri)
    if _URL.fullmatch(uri):
        return f"<{uri.replace('&', '&amp;')}|{label.replace('|', '¦')}>"
    path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
    return f"{label} — `{escape_mrkdwn(path).replace('`', chr(39))}`" if path else label


def read_text(text: str, bot_user: str) -> str:
    """What a person wrote, as they see it: without our own mention, with names and labels for Slack's markup."""
    own = f"@{bot_user}"

    def plain(match: re.Match[str]) -> str:
        target, label = match.group(1), match.group(2)
        if target == own:
            return ""
        if target[:1] in "@#":
            return f"{target[0]}{label or target[1:]}"
        if target.startswith("!"):
            return label or f"@{target[1:].split('^')[0]}"
        return label or target

    shown = _MARKUP.sub(plain, text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def mentions(text: str) -> set[str]:
    """The ids of the users that the text mentions."""
    return {match.group(1)[1:] for match in _MARKUP.finditer(text) if match.group(1).startswith("@")}
