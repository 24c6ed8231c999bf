"""How many tokens a conversation has, by the vocabulary of the weights that serve."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llama_cpp import llama_cpp as llama

from tandem.errors import WeightsError
from tandem.models.backend import complain_of_nothing, last_error, start_backend
from tandem.models.weights import fetch_weights
from tandem.settings import Settings
from tandem.tuning.examples import Draft

OF_TEMPLATE, OF_TURN = 24, 8
"""Tokens that a model's chat template adds to a conversation and to each turn, at most."""


@contextmanager
def open_counter(settings: Settings) -> Iterator[Callable[[Draft], int]]:
    """Counts rather too many than too few. The weights themselves are not loaded. Raises WeightsError."""
    path = fetch_weights(settings)
    start_backend()
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    model = complain_of_nothing(lambda: llama.llama_model_load_from_file(str(path).encode(), parameters))
    if not model:
        raise WeightsError(f"llama.cpp cannot load {path}: {last_error()}.")
    vocabulary = llama.llama_model_get_vocab(model)

    def count(text: str) -> int:
        data = text.encode("utf-8", "replace")
        return -int(llama.llama_tokenize(vocabulary, data, len(data), (llama.llama_token * 0)(), 0, False, False))

    def measure(draft: Draft) -> int:
        return OF_TEMPLATE + sum(OF_TURN + count(turn.content) for turn in draft.messages)

    try:
        yield measure
    finally:
        llama.llama_model_free(model)
