"""Adapters come, change and go while others are served, and nobody's answer changes by it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tandem.errors import ModelUnavailable
from tandem.models.adapter_set import Loaded
from tandem.models.adapters import Adapters, Card
from tandem.models.sampling import Choice, Sampling
from tandem.models.serving import Serving
from tandem.settings import Settings
from tests.models.lora_files import WIDTH, write_adapter

TOPICS = ("a lighthouse", "bread", "the tides", "an old clock")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        home=tmp_path_factory.mktemp("home"), model_context=512, model_sequences=5, model_queue=64, _env_file=None
    )


@pytest.fixture(scope="module")
def loaded(home: Settings) -> Iterator[Serving]:
    made = Serving(home)
    made.start()
    yield made
    made.close()


@pytest.fixture
async def serving(loaded: Serving, registry: Adapters) -> AsyncIterator[Serving]:
    """With an empty registry before and after."""
    yield loaded
    for path in registry.folder.glob("*.json"):
        path.unlink()
    await loaded.adapters.refresh()


@pytest.fixture
def registry(home: Settings) -> Adapters:
    return Adapters(home)


def add(registry: Adapters, serving: Serving, folder: Path, name: str, seed: int, width: int = WIDTH) -> Card:
    card = Card(name=name, digest="", base=serving.weights.name, base_digest=serving.weights.source_digest)
    return registry.add(write_adapter(folder / f"{name}-{seed}.gguf", seed, width=width), card)


async def ask(serving: Serving, topic: str, adapter: str | None, tokens: int = 12) -> list[Choice]:
    ticket = await serving.ask(
        [("user", f"Tell me about {topic}. " * 3)],
        max_tokens=tokens,
        sampling=Sampling(0.0, logprobs=True),
        stops=(),
        adapter=adapter,
    )
    deltas = [delta async for delta in ticket.deltas]
    assert deltas[-1].finish_reason in ("stop", "length")
    return [choice for delta in deltas for choice in delta.choices]


async def wait_until_under_way(serving: Serving, requests: int) -> None:
    """Also waits for those before to have left: an answer is told before its place is free."""
    while (status := serving.engine.status()).running + status.waiting != requests:
        await asyncio.sleep(0.005)


def state(serving: Serving, name: str) -> Loaded:
    return next(one for one in serving.adapters.all if one.card.name == name)


async def test_each_request_is_answered_under_its_adapter_as_if_it_were_alone(
    serving: Serving, registry: Adapters, tmp_path: Path
) -> None:
    for seed, name in enumerate(("one", "two")):
        add(registry, serving, tmp_path, name, seed)
    await serving.adapters.refresh()
    wanted = [(topic, adapter) for topic in TOPICS for adapter in (None, "one", "two")]
    alone = [await ask(serving, *one) for one in wanted]
    for order in (1, -1):
        together = await asyncio.gather(*(ask(serving, *one) for one in wanted[::order]))
        assert together[::order] == alone
    assert len({tuple(choices) for choices in alone}) == len(wanted)


async def test_a_swap_under_load_disturbs_no_answer(serving: Serving, registry: Adapters, tmp_path: Path) -> None:
    add(registry, serving, tmp_path, "house", 1)
    await serving.adapters.refresh()
    before = [await ask(serving, topic, "house", 40) for topic in TOPICS]
    base = await ask(serving, TOPICS[0], None, 40)
    await wait_until_under_way(serving, 0)
    running = [asyncio.create_task(ask(serving, topic, "house", 40)) for topic in TOPICS]
    other = asyncio.create_task(ask(serving, TOPICS[0], None, 40))
    await wait_until_under_way(serving, len(TOPICS) + 1)
    add(registry, serving, tmp_path, "house", 2)
    await serving.adapters.refresh()
    after = await ask(serving, TOPICS[0], "house", 40)
    assert await asyncio.gather(*running) == before
    assert await other == base
    assert after != before[0]
    assert await ask(serving, TOPICS[0], "house", 40) == after


async def test_one_that_is_removed_answers_who_has_it_and_nobody_else(
    serving: Serving, registry: Adapters, tmp_path: Path
) -> None:
    add(registry, serving, tmp_path, "house", 1)
    await serving.adapters.refresh()
    before = await ask(serving, TOPICS[0], "house", 40)
    await wait_until_under_way(serving, 0)
    running = asyncio.create_task(ask(serving, TOPICS[0], "house", 40))
    await wait_until_under_way(serving, 1)
    registry.remove("house")
    await serving.adapters.refresh()
    with pytest.raises(ModelUnavailable, match="removed a moment ago"):
        await ask(serving, TOPICS[0], "house")
    assert await running == before
    assert serving.adapters.all == []


async def test_one_for_another_base_does_not_serve_and_says_why(
    serving: Serving, registry: Adapters, tmp_path: Path
) -> None:
    card = Card(name="foreign", digest="", base="Some-7B", base_digest="0" * 64)
    registry.add(write_adapter(tmp_path / "foreign.gguf", 1), card)
    add(registry, serving, tmp_path, "misfit", 1, width=2 * WIDTH)
    await serving.adapters.refresh()
    foreign, misfit = state(serving, "foreign"), state(serving, "misfit")
    assert (foreign.adapter, misfit.adapter) == (None, None)
    assert foreign.problem == "It was made for Some-7B, which is not the model that is served."
    assert misfit.problem is not None
    assert "wrong base model" in misfit.problem


async def test_a_file_that_breaks_leaves_the_one_before_in_service(
    serving: Serving, registry: Adapters, tmp_path: Path
) -> None:
    add(registry, serving, tmp_path, "house", 1)
    await serving.adapters.refresh()
    before = await ask(serving, TOPICS[0], "house")
    add(registry, serving, tmp_path, "house", 2, width=2 * WIDTH)
    await serving.adapters.refresh()
    assert state(serving, "house").problem is not None
    assert await ask(serving, TOPICS[0], "house") == before
    (registry.folder / "house.json").write_text("{")
    await serving.adapters.refresh()
    assert await ask(serving, TOPICS[0], "house") == before
