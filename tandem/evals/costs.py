"""What an answer costs: the electricity of its seconds, and its tokens where a server charges for them."""

from tandem.evals.arms import Reply
from tandem.settings import Settings

JOULES_PER_KWH = 3.6e6
MILLION = 1e6


def price_reply(reply: Reply, settings: Settings) -> float:
    """In the currency of the settings' prices. One question at a time: under load the seconds are shared."""
    energy = reply.milliseconds / 1000 * settings.watts / JOULES_PER_KWH * settings.price_kwh
    tokens = reply.prompt_tokens * settings.price_prompt + reply.answer_tokens * settings.price_answer
    return energy + tokens / MILLION
