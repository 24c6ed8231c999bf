"""Every text is taken once, in small batches of like length; nothing is taken of a request that is over."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import ModelUnavailable
from tandem.models.text_queue import BATCH_TEXTS, LENGTHS, MAX_TOKENS, Request, Text, TextQueue

TOKENS = 640


def put(queue: TextQueue, *lengths: int) -> Request:
    request = Request(len(lengths), 1)
    queue.put([[7] * length for length in lengths], request)
    return request


def drain(queue: TextQueue) -> list[list[Text]]:
    batches = []
    while len(queue):
        batches.append(queue.take())
    return batches


@given(st.lists(st.lists(st.integers(1, MAX_TOKENS), max_size=60), max_size=6))
def test_every_text_is_taken_once_in_small_batches_of_like_length(requests: list[list[int]]) -> None:
    queue = TextQueue(TOKENS)
    made = [put(queue, *lengths) for lengths in requests]
    batches = drain(queue)
    taken = sorted((made.index(text.request), text.row) for batch in batches for text in batch)
    assert taken == [(number, row) for number, lengths in enumerate(requests) for row in range(len(lengths))]
    for batch in batches:
        assert len(batch) <= BATCH_TEXTS
        assert len(batch).bit_count() == 1
        assert {text.length for text in batch} == {batch[0].length}
        assert len(batch) * batch[0].length <= TOKENS


def test_the_text_that_came_first_is_in_the_next_batch() -> None:
    queue = TextQueue(TOKENS)
    first, second = put(queue, 200), put(queue, 20, 20, 200)
    batches = drain(queue)
    assert [text.request for text in batches[0]] == [first, second]
    assert [len(batch) for batch in batches] == [2, 2]


def test_a_text_longer_than_a_batch_goes_alone() -> None:
    queue = TextQueue(100)
    put(queue, 250, 250)
    assert [len(batch) for batch in drain(queue)] == [1, 1]


def test_a_request_ends_with_its_last_row() -> None:
    request = Request(2, 3)
    request.fill(1, np.ones(3, np.float32))
    assert not request.is_over
    request.fill(0, np.zeros(3, np.float32))
    assert request.done.result() is None
    assert request.vectors.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert Request(0, 3).is_over


def test_nothing_is_taken_of_a_request_that_is_over() -> None:
    queue = TextQueue(TOKENS)
    left, failed, kept = put(queue, 20, 20, 90), put(queue, 20), put(queue, 20)
    left.done.cancel()
    failed.fail(ValueError())
    failed.fill(0, np.zeros(1, np.float32))
    assert [text.request for text in queue.take()] == [kept]
    with pytest.raises(ValueError):
        failed.done.result()


def test_closing_ends_whoever_waits_and_whatever_comes_later() -> None:
    queue = TextQueue(TOKENS)
    taken: list[list[Text]] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    queue.close()
    thread.join(5)
    assert taken == [[]]
    with pytest.raises(ModelUnavailable):
        put(queue, 20).done.result()


def test_few_shapes_are_ever_met() -> None:
    shapes = sum(min(BATCH_TEXTS, TOKENS // length).bit_length() for length in LENGTHS)
    assert shapes < 70
    assert LENGTHS[-1] == MAX_TOKENS
