"""What the server serves: the engine with its weights and template, and the embedder, loaded side by side."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tandem.models import backend
from tandem.models.adapter_set import AdapterSet
from tandem.models.adapters import Adapters
from tandem.models.chat_template import ChatTemplate
from tandem.models.constraint import Constraint, Constraints
from tandem.models.embedder import Embedder
from tandem.models.engine import OUTPUTS, Engine
from tandem.models.memory import check_fit, choose_sequences
from tandem.models.sampling import Sampling
from tandem.models.sequence import Delta
from tandem.models.sequence import Sequence as EngineSequence
from tandem.models.weights import PACKAGED_EMBEDDER, Weights, digest_of, find_weights, packaged_file
from tandem.settings import Settings

DEFAULT_ANSWER_TOKENS = 1024
"""For a request that sets no limit."""


@dataclass(frozen=True)
class Ticket:
    """A request that the engine has accepted. `deltas` ends with the one that has a finish reason."""

    prompt_tokens: int
    deltas: AsyncIterator[Delta]
    sequence: EngineSequence


class Serving:
    def __init__(self, settings: Settings) -> None:
        """Loads everything; takes a second or two from a warm disk cache. Raises WeightsError."""
        self.threads = settings.model_threads or len(os.sched_getaffinity(0))
        self.queue = settings.model_queue
        with ThreadPoolExecutor(1) as pool:
            embedder = pool.submit(self._load_embedder)
            self._load_chat(settings)
            self.embedder = embedder.result()

    def _load_chat(self, settings: Settings) -> None:
        backend.start_backend()
        self.gpu_devices = backend.gpu_names()
        self.gpu_supported = backend.supports_gpu()
        on_gpu = self.gpu_supported and bool(self.gpu_devices)
        self.weights: Weights = find_weights(settings, on_gpu=on_gpu, requantise=backend.requantise)
        self.digest = digest_of(self.weights.file, settings.home / "models")
        check_fit(self.weights.file, on_gpu=on_gpu)
        self.model = backend.Model(self.weights.file)
        context = min(settings.model_context, self.model.context_trained)
        self.sequences = settings.model_sequences or choose_sequences(self.model, context)
        self.template = ChatTemplate(self.model)
        self.constraints = Constraints(self.model)
        self.engine = Engine(
            self.model,
            context=context,
            sequences=self.sequences,
            queue=self.queue,
            threads=self.threads,
            prefix_bytes=settings.model_cache_mb << 20,
        )
        registry = Adapters(settings)
        registry.install_packaged()
        self.adapters = AdapterSet(self.engine, registry, base_digest=self.weights.source_digest, on_gpu=on_gpu)

    def _load_embedder(self) -> Embedder:
        return Embedder(packaged_file(*PACKAGED_EMBEDDER).parent, threads=self.threads, queue=self.queue)

    def start(self) -> None:
        self.engine.start()
        self.embedder.start()

    def close(self) -> None:
        self.engine.close()
        self.embedder.close()
        self.constraints.close()
        self.model.close()

    async def ask(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int | None,
        sampling: Sampling,
        stops: tuple[str, ...],
        constraint: Constraint | None = None,
        adapter: str | None = None,
        scored: int = 0,
    ) -> Ticket:
        """Queues (role, content) messages; the last message's last `scored` tokens get their log-probabilities.

        Raises ModelRejected, ModelBusy or ModelUnavailable.
        """
        prompt = await asyncio.to_thread(self.template.prompt, messages)
        start = max(1, prompt.said - scored, len(prompt.tokens) + 1 - OUTPUTS)
        loop = asyncio.get_running_loop()
        arrivals: asyncio.Queue[Delta] = asyncio.Queue()

        def deliver(delta: Delta) -> None:
            loop.call_soon_threadsafe(arrivals.put_nowait, delta)

        sequence = EngineSequence(
            prompt.tokens,
            max_tokens or DEFAULT_ANSWER_TOKENS,
            sampling,
            stops,
            deliver,
            constraint,
            self.adapters.adapter(adapter) if adapter else None,
            range(start, prompt.said) if scored else range(0),
        )
        self.engine.submit(sequence)
        return Ticket(len(prompt.tokens), _until_finished(arrivals), sequence)


async def _until_finished(arrivals: "asyncio.Queue[Delta]") -> AsyncIterator[Delta]:
    while True:
        delta = await arrivals.get()
        yield delta
        if delta.finish_reason:
            return
