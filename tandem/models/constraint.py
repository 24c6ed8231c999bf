"""Answers that are JSON for a schema, or in a grammar: which tokens may come next, whatever the model would rather say.

llguidance follows the answer with a parser and masks the vocabulary in about 0.1 ms a token. It refuses the keywords
that it cannot enforce, where llama.cpp's own grammars leave them out in silence.
"""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper
from numpy.typing import NDArray

from tandem.models.backend import Model
from tandem.models.schema import Grammar, Schema, SchemaRejected, check_schema

STACK_BYTES = 64 << 20
"""Of the thread that compiles: a schema at the limits makes llguidance recurse thousands of calls deep. Only what is
used costs memory."""
LIMITS = LLParserLimits(max_lexer_states=20_000, verbose_errors=False)


class Constraint:
    """Where one answer stands in its schema. Used by one thread at a time."""

    def __init__(self, matcher: LLMatcher, vocabulary_size: int) -> None:
        self._matcher = matcher
        self._vocabulary_size = vocabulary_size

    def allowed(self) -> NDArray[np.bool_]:
        """One flag a token. The end of the answer is allowed exactly where the JSON is complete, or after a fault."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        return bits[: self._vocabulary_size].view(np.bool_)

    def take(self, token: int) -> None:
        """The token that was chosen among those allowed."""
        self._matcher.consume_token(token)

    @property
    def complete(self) -> bool:
        """Whether nothing may follow but the end."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    @property
    def fault(self) -> str | None:
        """Why the schema cannot be followed any further; for instance a pattern grew too many states."""
        if not self._matcher.is_error():
            return None
        return " ".join(self._matcher.get_error().replace("<non-verbose/>", "").split())[:300]


class Constraints:
    """Compiles schemas for one model's vocabulary, which is read with the first of them (0.3 s, 20 MB)."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tokenizer: LLTokenizer | None = None
        usual = threading.stack_size(STACK_BYTES)
        self._thread = ThreadPoolExecutor(1, "schemas")
        self._thread.submit(int).result()  # starts it, with its own stack
        threading.stack_size(usual)

    async def compile(self, form: Schema | Grammar) -> Constraint:
        """Takes milliseconds, one schema after the other. Raises SchemaRejected that says what cannot be met."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._compile, form)

    def close(self) -> None:
        self._thread.shutdown()

    def _compile(self, form: Schema | Grammar) -> Constraint:
        if isinstance(form, dict):
            check_schema(form)
        if self._tokenizer is None:
            vocabulary = _Vocabulary(self._model)
            self._tokenizer = LLTokenizer(TokenizerWrapper(vocabulary), eos_token=vocabulary.ends)
        try:
            grammar = _grammar(form) if isinstance(form, dict) else LLMatcher.grammar_from_lark(form)
        except ValueError as error:  # a NaN in it
            raise SchemaRejected(f"The schema is no JSON: {error}.") from error
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=LIMITS)
        constraint = Constraint(matcher, self._model.vocabulary_size)
        if not matcher.is_error():
            constraint.allowed()  # the first mask is the dear one, and finds what the compiler lets pass
        if constraint.fault is not None:
            raise SchemaRejected(f"The schema cannot be met or is not supported: {constraint.fault}.")
        return constraint


class _Vocabulary:
    """The model's tokens as llguidance asks for them."""

    def __init__(self, model: Model) -> None:
        numbers = range(model.vocabulary_size)
        self.tokens = [model.piece(token, control=True) for token in numbers]
        self.special_token_ids = [token for token in numbers if self.tokens[token] and not model.piece(token)]
        self.ends = [token for token in numbers if model.ends_answer(token)]
        self.eos_token_id = self.ends[0]
        self.bos_token_id = model.bos if model.bos >= 0 else None
        self._model = model

    def __call__(self, text: bytes) -> list[int]:
        return self._model.tokenize(text.decode(), control=False)


def _grammar(schema: Schema) -> str:
    """JSON as Python writes it, in one line: small models like to fill an answer with line breaks. What the schema's
    own `x-guidance` says is overruled."""
    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema),  # of a dict, llguidance reads no integers beyond 64 bits
        overrides={
            "item_separator": ", ",
            "key_separator": ": ",
            "whitespace_flexible": False,
            "coerce_one_of": False,
            "lenient": False,
        },
    )
