"""What the server answers: OpenAI's chat, embedding and model objects."""

import base64
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.models.backend import Model
from tandem.models.embedder import Embeddings
from tandem.models.sampling import Choice
from tandem.models.sequence import Delta

Json = dict[str, Any]


@dataclass(frozen=True)
class ChatReply:
    """The objects of one answer, which share an id."""

    model: str
    vocabulary: Model
    prompt_tokens: int
    logprobs: bool
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def first_chunk(self) -> Json:
        return self._chunk({"role": "assistant", "content": ""}, None, None)

    def chunk(self, delta: Delta) -> Json:
        content = {"content": delta.text} if delta.text or not delta.finish_reason else {}
        chunk = self._chunk(content, self._logprobs(delta.choices), delta.finish_reason)
        chunk["choices"][0] |= self._prompt_logprobs(delta)
        return chunk

    def usage_chunk(self, last: Delta) -> Json:
        return self._head("chat.completion.chunk") | {"choices": [], "usage": self._usage(last)}

    def whole(self, deltas: Sequence[Delta]) -> Json:
        last = deltas[-1]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(delta.text for delta in deltas), "refusal": None},
            "logprobs": self._logprobs([choice for delta in deltas for choice in delta.choices]),
            "finish_reason": last.finish_reason,
            **self._prompt_logprobs(last),
        }
        return self._head("chat.completion") | {"choices": [choice], "usage": self._usage(last)}

    def _chunk(self, delta: Json, logprobs: Json | None, finish_reason: str | None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _head(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self, last: Delta) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": last.answer_tokens,
            "total_tokens": self.prompt_tokens + last.answer_tokens,
            "prompt_tokens_details": {"cached_tokens": last.reused_tokens},
        }

    def _logprobs(self, choices: Iterable[Choice]) -> Json | None:
        if not self.logprobs:
            return None
        return {
            "content": [
                self._entry(choice.token, choice.logprob)
                | {"top_logprobs": [self._entry(token, logprob) for token, logprob in choice.rivals]}
                for choice in choices
            ],
            "refusal": None,
        }

    def _prompt_logprobs(self, last: Delta) -> Json:
        if not last.prompt:
            return {}
        return {"prompt_logprobs": [self._entry(choice.token, choice.logprob) for choice in last.prompt]}

    def _entry(self, token: int, logprob: float) -> Json:
        piece = self.vocabulary.piece(token, control=True)
        return {"token": piece.decode(errors="replace"), "logprob": logprob, "bytes": list(piece)}


def embedding_reply(model: str, embeddings: Embeddings, *, as_base64: bool) -> Json:
    """Vectors as arrays of float32, or as base64 of little-endian float32."""
    rows: list[object] = [
        base64.b64encode(row.astype("<f4").tobytes()).decode() if as_base64 else row for row in embeddings.vectors
    ]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)],
        "model": model,
        "usage": {"prompt_tokens": embeddings.tokens, "total_tokens": embeddings.tokens},
    }
