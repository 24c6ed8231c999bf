"""Many requests share one context and none disturbs another; places and cells come free as soon as they can."""

from collections.abc import Iterator

import numpy as np
import pytest

from tandem.errors import ModelBusy, ModelRejected
from tandem.models.backend import Model
from tandem.models.chat_template import ChatTemplate
from tandem.models.context import Context, Shape
from tandem.models.engine import Engine
from tandem.models.sampling import Sampling
from tests.models.conftest import Asked, wait_until

TOPICS = ("a lighthouse", "bread", "the tides", "an old clock", "glass", "snow", "a ferry", "ink")
CERTAIN = Sampling(0.0, logprobs=True)


def make_engine(model: Model, *, context: int = 512, sequences: int = 1, queue: int = 8, cache: int = 64) -> Engine:
    """`cache` in MiB."""
    return Engine(model, context=context, sequences=sequences, queue=queue, threads=2, prefix_bytes=cache << 20)


def short(model: Model, topic: str) -> list[int]:
    return model.tokenize(f"The story of {topic} is", control=False)


def chat(model: Model, text: str) -> list[int]:
    return ChatTemplate(model).prompt([("user", text)]).tokens


def story(model: Model, topic: str) -> list[int]:
    return chat(model, f"Write a long, calm story about {topic}, with people and weather. " * (1 + len(topic) % 5))


def test_whatever_the_order_of_arrival_an_answer_is_that_of_one_request_alone(model: Model) -> None:
    """To the bit: tokens and log-probabilities, prompts read before or not."""
    prompts = [story(model, topic) for topic in TOPICS] + [short(model, topic) for topic in TOPICS]
    engine = make_engine(model, sequences=1, cache=0)
    engine.start()
    alone = [Asked(engine, prompt, 16, CERTAIN).choices for prompt in prompts]
    engine.close()
    engine = make_engine(model, sequences=5, queue=32)
    engine.start()
    try:
        for seed in range(2):
            order = np.random.default_rng(seed).permutation(len(prompts)).tolist()
            asked: dict[int, Asked] = {}
            first = asked[order[0]] = Asked(engine, prompts[order[0]], 16, CERTAIN)
            for number, index in enumerate(order[1:]):
                asked[index] = Asked(engine, prompts[index], 16, CERTAIN)
                if number % 4 == 3:  # others join while answers are under way, and leave at different steps
                    wait_until(lambda first=first: bool(first.deltas))  # type: ignore[misc]
            gone = Asked(engine, story(model, "a cancelled one"), 24)
            engine.cancel(gone.sequence)
            assert [asked[index].choices for index in range(len(prompts))] == alone
    finally:
        engine.close()
    assert len({tuple(choices) for choices in alone}) > len(prompts) // 2


def test_logprobs_are_those_of_the_position(model: Model, engine: Engine) -> None:
    """Against logits of a context of its own: an off-by-one would report another position's."""
    prompt = short(model, "a lighthouse")
    asked = Asked(engine, prompt, 6, Sampling(0.0, logprobs=True)).wait()
    choices = [choice for delta in asked.deltas for choice in delta.choices]
    context = Context(model, Shape(cells=512, sequences=1, batch=64, outputs=1, threads=2))
    tokens, position = prompt, 0
    for choice in choices:
        row = context.add(0, tokens, position, outputs=1)
        context.decode()
        logits = context.logits(row).astype(np.float64)
        direct = logits[choice.token] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        assert choice.logprob == pytest.approx(direct, abs=1e-5)
        assert choice.token == int(logits.argmax())
        tokens, position = [choice.token], position + len(tokens)
    context.close()


@pytest.mark.parametrize("tokens", [100, 540])
def test_a_prompts_last_tokens_are_scored(model: Model, tokens: int) -> None:
    """Also where they are read in two parts, and where the prompt was read before. Against a context of its own."""
    text = "The ferry leaves at noon, and the tide is low when it comes back to the harbour in the evening. " * 40
    prompt = model.tokenize(text, control=False)[:tokens]
    scored = range(tokens - 34, tokens - 4)
    engine = make_engine(model, context=1024)
    engine.start()
    try:
        first, second = (Asked(engine, prompt, 4, scored=scored).wait() for _ in range(2))
        plain = Asked(engine, prompt, 4).wait()
    finally:
        engine.close()
    context = Context(model, Shape(cells=1024, sequences=1, batch=1024, outputs=tokens, threads=2))
    row = context.add(0, prompt, 0, outputs=tokens)
    context.decode()
    direct = []
    for at in scored:
        logits = context.logits(row - (tokens - at)).astype(np.float64)
        direct.append(logits[prompt[at]] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
    context.close()
    assert [choice.token for choice in first.last.prompt] == prompt[scored.start : scored.stop]
    assert [choice.logprob for choice in first.last.prompt] == pytest.approx(direct, abs=1e-3)
    assert second.last.prompt == first.last.prompt
    assert second.last.reused_tokens == scored.start - 1
    assert (plain.text, plain.last.prompt) == (first.text, ())
    assert second.text == first.text


def test_a_prompt_seen_before_is_not_read_again(model: Model, engine: Engine) -> None:
    prompt = chat(model, "What is a lease?")
    first, second = (Asked(engine, prompt, 8).wait() for _ in range(2))
    assert first.last.reused_tokens == 0
    assert second.last.reused_tokens == len(prompt) - 2
    assert second.text == first.text


def test_a_shared_beginning_is_read_once_also_while_its_owner_runs(model: Model, engine: Engine) -> None:
    system = "You help a team. " * 20
    template = ChatTemplate(model)
    one, two = (
        template.prompt([("system", system), ("user", text)]).tokens for text in ("Who is on call?", "Where is lunch?")
    )
    shared = next(n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    running = Asked(engine, one, 200)
    wait_until(lambda: bool(running.deltas))
    assert Asked(engine, two, 4).last.reused_tokens == shared
    engine.cancel(running.sequence)


def test_a_follow_up_reuses_all_but_the_answer_before_it(model: Model, engine: Engine) -> None:
    template = ChatTemplate(model)
    answer = Asked(engine, template.prompt([("user", "Name a bird.")]).tokens, 12).text
    asked = [("user", "Name a bird."), ("assistant", answer), ("user", "Another.")]
    follow_up = template.prompt(asked).tokens
    before = template.prompt(asked[:1]).tokens
    assert Asked(engine, follow_up, 4).last.reused_tokens == len(before)


def test_more_requests_than_places_are_all_answered(model: Model) -> None:
    engine = make_engine(model, sequences=2, queue=64)
    engine.start()
    try:
        filler = "The ferry leaves at noon and the tide is low. "
        prompts = [chat(model, f"{number}. {filler * 18}") for number in range(8)]
        for asked in [Asked(engine, prompt, 8) for prompt in prompts]:
            assert asked.last.finish_reason in ("stop", "length")
    finally:
        engine.close()


def test_a_cancelled_request_leaves_its_place(model: Model) -> None:
    engine = make_engine(model, context=2048)
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
    engine = make_engine(model, context=2048)
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
    engine = make_engine(model, context=2048, queue=2)
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
    engine = make_engine(model)
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
    engine = make_engine(model)
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
    engine = make_engine(model)
    asked = [Asked(engine, short(model, topic), 400) for topic in TOPICS[:2]]
    engine.start()
    wait_until(lambda: any(one.deltas for one in asked))
    engine.close()
    assert [one.last.finish_reason for one in asked] == ["error", "error"]


@pytest.fixture
def broken(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = make_engine(model)
    engine.start()
    yield engine
    engine.close()


def test_a_step_that_fails_ends_its_requests_and_the_next_ones_are_served(
    model: Model, broken: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tandem.models.context.llama.llama_decode", lambda *_: -3)
        failed = Asked(broken, short(model, "snow"), 4)
        assert failed.last.finish_reason == "error"
    assert Asked(broken, short(model, "snow"), 4).last.finish_reason == "length"
