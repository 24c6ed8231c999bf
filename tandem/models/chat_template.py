"""Messages to prompt tokens, with the model's own template.

Only the template may write control tokens: a message that contains `<|im_start|>` gets those characters, not the token,
so that nobody ends their own turn and speaks as the system.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tandem.errors import ModelRejected
from tandem.models.backend import Model

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""For a file without a template of its own."""


@dataclass(frozen=True)
class Prompt:
    """The last message's own tokens end before the place `said`; the template's follow."""

    tokens: list[int]
    said: int


class ChatTemplate:
    def __init__(self, model: Model) -> None:
        self._model = model
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, autoescape=False)
        environment.globals.update(raise_exception=_refuse, strftime_now=lambda form: datetime.now().strftime(form))
        self._template = environment.from_string(model.chat_template or CHATML)
        self._bos = model.piece(model.bos, control=True).decode(errors="replace") if model.bos >= 0 else ""

    def prompt(self, messages: Sequence[tuple[str, str]]) -> Prompt:
        """Of (role, content) pairs, up to where the assistant speaks. Raises ModelRejected."""
        pieces = list(self._pieces(messages))
        tokens = [] if pieces[0][0].startswith(self._bos) and self._bos else self._opening()
        said = 0
        for text, control in pieces:
            tokens += self._model.tokenize(text, control=control)
            said = said if control else len(tokens)
        return Prompt(tokens, said)

    def _opening(self) -> list[int]:
        return [self._model.bos] if self._model.adds_bos else []

    def _pieces(self, messages: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bool]]:
        """The rendered text cut where contents begin and end, each piece with whether it is the template's."""
        mark = secrets.token_hex(8)  # unknown to whoever wrote the messages
        stand_ins: list[dict[str, Any]] = [
            {"role": role, "content": f"[{mark}:{index}]"} for index, (role, _) in enumerate(messages)
        ]
        try:
            text = self._template.render(
                messages=stand_ins, add_generation_prompt=True, bos_token=self._bos, eos_token="", tools=None
            )
        except jinja2.TemplateError as error:
            raise ModelRejected(f"The model's chat template refuses these messages: {error}") from error
        for index, part in enumerate(re.split(rf"\[{mark}:(\d+)\]", text)):
            if index % 2:
                yield messages[int(part)][1], False
            elif part or not index:
                yield part, True


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
