"""Many requests share one context and none disturbs another; places and cells come free as soon as they can."""

from collections.abc import Iterator

import numpy as np
import pytest

from tandem.errors import ModelBusy, ModelRejected
from tandem.models.backend import Context, Model, Shape
from tandem.models.chat_template import ChatTemplate
from tandem.models.engine import Engine
from tandem.models.sampling import Sampling
from tests.models.conftest import Asked, wait_until

TOPICS = ("a lighthouse", "bread", "the tides", "an old clock", "glass", "snow", "a ferry", "ink")
NEAR_TIE = 0.7
"""Nats. Kernels for one row and for many differ in rounding, moving a log-probability this far (docs/models.md)."""


def short(model: Model, topic: str) -> list[int]:
    """A prompt so short that a step's rows stay below 64, up to which llama.cpp uses one attention kernel."""
    return model.tokenize(f"The story of {topic} is", control=False)


def chat(model: Model, text: str) -> list[int]:
    return ChatTemplate(model).prompt([("user", text)])


def test_short_requests_together_get_what_each_gets_alone(model: Model, engine: Engine) -> None:
    alone = [Asked(engine, short(model, topic), 24).text for topic in TOPICS[:4]]
    engine._slots.clear()
    together = [Asked(engine, short(model, topic), 24) for topic in TOPICS[:4]]
    assert [asked.text for asked in together] == alone
    assert len(set(alone)) == 4


def test_long_requests_together_differ_from_alone_by_near_ties_at_most(model: Model, engine: Engine) -> None:
    sampling = Sampling(0.0, logprobs=True, top_logprobs=5)
    prompts = [chat(model, f"Write a long, calm story about {topic}, with people and weather.") for topic in TOPICS]
    alone = [Asked(engine, prompt, 24, sampling).wait() for prompt in prompts]
    together = [Asked(engine, prompt, 24, sampling) for prompt in prompts]
    for one, other in zip(alone, together, strict=True):
        first = [choice for delta in one.deltas for choice in delta.choices]
        second = [choice for delta in other.wait().deltas for choice in delta.choices]
        assert len(first) == len(second) == 24
        for a, b in zip(first, second, strict=True):
            if a.token != b.token:
                assert dict(a.rivals)[b.token] > a.logprob - NEAR_TIE
                break
            assert a.logprob == pytest.approx(b.logprob, abs=NEAR_TIE)


def test_logprobs_are_those_of_the_position(model: Model, engine: Engine) -> None:
    """Against logits of a context of its own: an off-by-one would report another position's."""
    prompt = short(model, "a lighthouse")
    asked = Asked(engine, prompt, 6, Sampling(0.0, logprobs=True)).wait()
    choices = [choice for delta in asked.deltas for choice in delta.choices]
    context = Context(model, Shape(cells=512, sequences=1, batch=64, threads=2))
    tokens = list(prompt)
    for choice in choices:
        context.forget(0)
        row = context.add(0, tokens, 0, wants_logits=True)
        context.decode()
        logits = context.logits(row).astype(np.float64)
        direct = logits[choice.token] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        assert choice.logprob == pytest.approx(direct, abs=NEAR_TIE / 2)
        assert choice.token == int(logits.argmax())
        tokens.append(choice.token)
    context.close()


def test_a_prompt_seen_before_is_not_read_again(model: Model, engine: Engine) -> None:
    prompt = chat(model, "What is a lease?")
    first, second = (Asked(engine, prompt, 8).wait() for _ in range(2))
    assert first.last.reused_tokens == 0
    assert second.last.reused_tokens == len(prompt) - 1
    assert second.text == first.text


def test_a_shared_beginning_is_read_once_also_while_its_owner_runs(model: Model, engine: Engine) -> None:
    system = "You help a team. " * 20
    template = ChatTemplate(model)
    one, two = (
        template.prompt([("system", system), ("user", text)]) for text in ("Who is on call?", "Where is lunch?")
    )
    shared = next(n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    running = Asked(engine, one, 200)
    wait_until(lambda: bool(running.deltas))
    assert Asked(engine, two, 4).last.reused_tokens == shared
    engine.cancel(running.sequence)


def test_a_follow_up_reuses_the_whole_exchange(model: Model, engine: Engine) -> None:
    template = ChatTemplate(model)
    answer = Asked(engine, template.prompt([("user", "Name a bird.")]), 12).text
    asked = [("user", "Name a bird."), ("assistant", answer), ("user", "Another.")]
    follow_up = template.prompt(asked)
    before = template.prompt(asked[:1])
    assert Asked(engine, follow_up, 4).last.reused_tokens >= len(before)


def test_more_requests_than_cells_are_all_answered(model: Model) -> None:
    engine = Engine(model, context=512, sequences=2, queue=64, threads=2)
    engine.start()
    try:
        filler = "The ferry leaves at noon and the tide is low. "
        prompts = [chat(model, f"{number}. {filler * 18}") for number in range(8)]
        assert sum(map(len, prompts)) > 2 * engine.shape.cells
        for asked in [Asked(engine, prompt, 8) for prompt in prompts]:
            assert asked.last.finish_reason in ("stop", "length")
    finally:
        engine.close()


def test_a_cancelled_request_leaves_its_place(model: Model) -> None:
    engine = Engine(model, context=2048, sequences=1, queue=8, threads=2)
    engine.start()
    try:
        hog = Asked(engine, short(model, "snow"), 1500)
        wait_until(lambda: bool(hog.deltas))
        waiting = Asked(engine, short(model, "ink"), 4)
        engine.cancel(hog.sequence)
        assert waiting.last.finish_reason == "length"
        told = len(hog.deltas)
        assert Asked(engine, short(model, "glass"), 4).last.answer_tokens == 4
        assert len(hog.deltas) == told < 1000
        assert engine.status().running == engine.status().waiting == 0
    finally:
        engine.close()


def test_one_that_waits_can_be_cancelled(model: Model) -> None:
    engine = Engine(model, context=2048, sequences=1, queue=8, threads=2)
    engine.start()
    try:
        hog = Asked(engine, short(model, "snow"), 1500)
        waiting = Asked(engine, short(model, "ink"), 4)
        engine.cancel(waiting.sequence)
        wait_until(lambda: engine.status().waiting == 0)
        assert waiting.deltas == []
        engine.cancel(hog.sequence)
        wait_until(lambda: engine.status().running == 0)
    finally:
        engine.close()


def test_the_queue_is_bounded(model: Model) -> None:
    engine = Engine(model, context=2048, sequences=1, queue=2, threads=2)
    engine.start()
    try:
        hog = Asked(engine, short(model, "snow"), 1500)
        wait_until(lambda: bool(hog.deltas))
        waiting = [Asked(engine, short(model, topic), 2) for topic in TOPICS[:2]]
        with pytest.raises(ModelBusy) as caught:
            Asked(engine, short(model, "ink"), 2)
        assert caught.value.retry_after_s >= 1
        engine.cancel(hog.sequence)
        assert [asked.last.finish_reason for asked in waiting] == ["length", "length"]
    finally:
        engine.close()


def test_short_prompts_go_before_long_ones(model: Model) -> None:
    engine = Engine(model, context=512, sequences=1, queue=8, threads=2)
    hog = Asked(engine, short(model, "snow"), 30)
    long = Asked(engine, chat(model, "word " * 300), 2)
    brief = Asked(engine, short(model, "ink"), 2)
    engine.start()
    try:
        for asked in (hog, long, brief):
            asked.wait()
        assert brief.began is not None
        assert long.began is not None
        assert brief.began < long.began
    finally:
        engine.close()


def test_a_long_prompt_is_not_passed_by_for_ever(model: Model) -> None:
    engine = Engine(model, context=512, sequences=1, queue=8, threads=2)
    long = Asked(engine, chat(model, "word " * 300), 2)
    long.sequence.arrived -= 60
    brief = Asked(engine, short(model, "ink"), 2)
    engine.start()
    try:
        assert brief.wait().began is not None
        assert long.wait().began is not None
        assert long.began < brief.began  # type: ignore[operator]
    finally:
        engine.close()


def test_a_prompt_beyond_the_context_is_refused_with_both_counts(model: Model, engine: Engine) -> None:
    with pytest.raises(ModelRejected, match=r"The prompt has 600 tokens; the context has 512"):
        Asked(engine, [1] * 600)


def test_an_answer_ends_where_the_context_does(model: Model, engine: Engine) -> None:
    prompt = model.tokenize("word " * 500, control=False)
    last = Asked(engine, prompt, 400).last
    assert (last.finish_reason, last.answer_tokens) == ("length", 512 - len(prompt))


def test_a_stop_string_ends_the_answer_and_is_not_shown(model: Model, engine: Engine) -> None:
    whole = Asked(engine, short(model, "bread"), 24).text
    stop = whole[10:14]
    asked = Asked(engine, short(model, "bread"), 24, stop=stop)
    assert asked.text == whole.split(stop)[0]
    assert asked.last.finish_reason == "stop"


def test_closing_ends_those_who_wait_with_an_error(model: Model) -> None:
    engine = Engine(model, context=512, sequences=1, queue=8, threads=2)
    asked = [Asked(engine, short(model, topic), 400) for topic in TOPICS[:2]]
    engine.start()
    wait_until(lambda: any(one.deltas for one in asked))
    engine.close()
    assert [one.last.finish_reason for one in asked] == ["error", "error"]


@pytest.fixture
def broken(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine(model, context=512, sequences=1, queue=8, threads=2)
    engine.start()
    yield engine
    engine.close()


def test_a_step_that_fails_ends_its_requests_and_the_next_ones_are_served(
    model: Model, broken: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tandem.models.backend.llama.llama_decode", lambda *_: -3)
        failed = Asked(broken, short(model, "snow"), 4)
        assert failed.last.finish_reason == "error"
    assert Asked(broken, short(model, "snow"), 4).last.finish_reason == "length"
