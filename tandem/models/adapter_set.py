"""The adapters that are loaded, kept in step with the registry while requests are served."""

import asyncio
import logging
from dataclasses import dataclass

from tandem.errors import ModelUnavailable, TandemError
from tandem.models.adapters import Adapters, Card
from tandem.models.backend import Adapter
from tandem.models.engine import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """`problem` says why a registered adapter does not serve, or why its earlier file goes on serving."""

    card: Card
    adapter: Adapter | None
    problem: str | None = None


class AdapterSet:
    """Used in the event loop."""

    def __init__(self, engine: Engine, registry: Adapters, *, base_digest: str, on_gpu: bool) -> None:
        self._engine = engine
        self._registry = registry
        self._base_digest = base_digest
        self._on_gpu = on_gpu
        self._loaded: dict[str, Loaded] = {}
        self._in_service: str | None = None
        self._seen = 0
        self._refreshing = asyncio.Lock()

    @property
    def all(self) -> list[Loaded]:
        return list(self._loaded.values())

    @property
    def in_service(self) -> Card | None:
        """What answers when nothing is said; None is the base alone."""
        loaded = self._loaded.get(self._in_service or "")
        return loaded.card if loaded and loaded.adapter else None

    def adapter(self, name: str) -> Adapter:
        """For a request that is submitted at once: it keeps the adapter loaded. Raises ModelUnavailable."""
        loaded = self._loaded.get(name)
        if loaded is None or loaded.adapter is None:
            raise ModelUnavailable(f"The adapter '{name}' was removed a moment ago.")
        return loaded.adapter

    async def refresh(self) -> None:
        """Loads what is new in the registry and lets go of what is not there any more; a look at a folder's time when
        nothing changed. A file that cannot be loaded changes nothing but what is said of it."""
        async with self._refreshing:
            changed_at = self._registry.changed_at()
            if changed_at == self._seen:
                return
            try:
                cards = await asyncio.to_thread(self._registry.cards)
                chosen = await asyncio.to_thread(self._registry.in_service, self._base_digest)
            except TandemError as error:
                log.warning("the registry of adapters cannot be read, what was loaded goes on: %s", error.message)
                return
            for name in self._loaded.keys() - {card.name for card in cards}:
                self._let_go(self._loaded.pop(name))
            for card in cards:
                await self._take_in(card)
            self._choose(chosen)
            self._seen = changed_at

    def _choose(self, card: Card | None) -> None:
        """One that does not load leaves what was in service before."""
        loaded = self._loaded.get(card.name) if card else None
        if card is None or (loaded and loaded.adapter):
            self._in_service = card.name if card else None
        else:
            log.warning("adapter %s was promoted and cannot be loaded; what was in service goes on", card.name)

    async def _take_in(self, card: Card) -> None:
        before = self._loaded.get(card.name)
        if before and before.adapter and before.card.digest == card.digest:
            self._loaded[card.name] = Loaded(card, before.adapter)
            return
        try:
            adapter = await self._load(card)
        except TandemError as error:
            log.warning("adapter %s is not loaded: %s", card.name, error.message)
            kept = before if before and before.adapter else Loaded(card, None)
            self._loaded[card.name] = Loaded(kept.card, kept.adapter, error.message)
            return
        self._loaded[card.name] = Loaded(card, adapter)
        if before:
            self._let_go(before)

    async def _load(self, card: Card) -> Adapter:
        if card.base_digest != self._base_digest:
            raise ModelUnavailable(f"It was made for {card.base}, which is not the model that is served.")
        return await asyncio.wrap_future(self._engine.load_adapter(self._registry.file(card, on_gpu=self._on_gpu)))

    def _let_go(self, loaded: Loaded) -> None:
        if loaded.adapter:
            self._engine.retire_adapter(loaded.adapter)
