"""Each sequence has a stream of its own; what is put away and put back is the same to the bit."""

from collections.abc import Iterator

import numpy as np
import pytest

from tandem.models.backend import Model
from tandem.models.context import Context, Shape


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    made = Context(model, Shape(cells=256, sequences=3, batch=128, outputs=3, threads=2))
    yield made
    made.close()


def decode(
    context: Context, sequence: int, tokens: list[int], position: int
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    row = context.add(sequence, tokens, position, outputs=1)
    context.decode()
    return context.logits(row).copy()


def test_a_prompt_read_in_parts_is_a_prompt_read_at_once(model: Model, context: Context) -> None:
    prompt = model.tokenize("The ferry leaves at noon. " * 8, control=False)
    whole = decode(context, 0, prompt, 0)
    for size in (2, 7, 30):
        context.forget(1)
        for start in range(0, len(prompt) - 2, size):
            end = start + size if len(prompt) - start - size >= 2 else len(prompt)
            part = decode(context, 1, prompt[start:end], start)
            if end == len(prompt):
                break
        assert np.array_equal(part, whole)


def test_saved_cells_outlive_their_stream_and_may_be_cut(model: Model, context: Context) -> None:
    prompt = model.tokenize("The ferry leaves at noon, and the tide is low.", control=False)
    direct = decode(context, 0, prompt, 0)
    longer = decode(context, 0, [5], len(prompt))
    saved = context.save(0)
    context.forget(0)
    assert context.restore(2, saved)
    context.forget(2, len(prompt) - 2)
    assert np.array_equal(decode(context, 2, prompt[-2:], len(prompt) - 2), direct)
    assert np.array_equal(decode(context, 2, [5], len(prompt)), longer)


def test_damaged_cells_are_not_taken(model: Model, context: Context) -> None:
    decode(context, 0, model.tokenize("The tide is low.", control=False), 0)
    saved = context.save(0)
    assert not context.restore(1, saved[: len(saved) // 2].copy())
