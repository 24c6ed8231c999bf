"""Small talk: what is said to a courtesy. Written by people, since a model of this size loses itself in it."""

import re

KNOW = "What would you like to know?"
ABOUT = (
    "I am Tandem, a bot. Ask me something: I look it up in the documents that may be read here and show the passage,"
    " or answer from what I have learned, and say which of the two it was."
)
REPLIES = (
    (r"\b(?:thank|thanks|thx|tnx|ty|tysm|cheers|appreciate\w*)\b", "You are welcome!"),
    (r"\bhow(?:'s|s| is| are| do)\b|what'?s up|\bsup\b", f"All is well here, thank you. {KNOW}"),
    (
        r"\b(?:who|what|help|question|(?:can|may) i|are you|(?:you|any(?:one|body)) (?:there|here))\b",
        ABOUT,
    ),
    (r"\b(?:good ?bye|bye|cya|ciao|farewell|see (?:you|ya|u)|good night|take care|have an?|enjoy)\b", "Goodbye!"),
    (r"\b(?:sorry|pardon|excuse me|never ?mind|nvm|my bad|oops)\b", f"No trouble at all. {KNOW}"),
    (r"\bgood (?:morning|afternoon|evening|day)\b", f"Good day! {KNOW}"),
    (
        r"\b(?:hi+(?:ya)?|he+y+a?|hello+|howdy|yo|gm|greetings|morning|afternoon|evening|welcome|nice to|pleased to)\b",
        f"Hello! {KNOW}",
    ),
)
"""Patterns and what is said to them. The first that is found counts, so a text of several courtesies gets one reply."""
ELSE = f"All right. {KNOW}"


def reply_to_courtesy(text: str) -> str:
    """The reply to a text that is small talk and nothing else."""
    said = text.replace("’", "'")
    return next((reply for pattern, reply in REPLIES if re.search(pattern, said, re.IGNORECASE)), ELSE)
