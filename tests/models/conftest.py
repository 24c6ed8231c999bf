"""The packaged weights, loaded once in the test process, and a small server that fills up quickly."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from tandem.models import backend
from tandem.models.api import make_app
from tandem.models.engine import Engine
from tandem.models.sampling import Choice, Sampling
from tandem.models.sequence import Delta, Sequence
from tandem.models.serving import Serving
from tandem.models.weights import find_weights
from tandem.settings import Settings

DEADLINE_S = 60


@pytest.fixture(scope="session")
def weights_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="session")
def model(weights_home: Path) -> Iterator[backend.Model]:
    backend.start_backend()
    weights = find_weights(Settings(home=weights_home, _env_file=None), on_gpu=False, requantise=backend.requantise)
    loaded = backend.Model(weights.file)
    yield loaded
    loaded.close()


class Asked:
    """A request at an engine, whose answer is collected."""

    def __init__(
        self,
        engine: Engine,
        prompt: list[int],
        max_tokens: int = 16,
        sampling: Sampling | None = None,
        stop: str = "",
        scored: range = range(0),
    ) -> None:
        self.deltas: list[Delta] = []
        self.began: float | None = None
        self._done = threading.Event()
        stops = (stop,) if stop else ()
        self.sequence = Sequence(prompt, max_tokens, sampling or Sampling(0.0), stops, self._receive, scored=scored)
        engine.submit(self.sequence)

    def _receive(self, delta: Delta) -> None:
        self.began = self.began or time.monotonic()
        self.deltas.append(delta)
        if delta.finish_reason:
            self._done.set()

    def wait(self) -> "Asked":
        assert self._done.wait(DEADLINE_S), "no answer"
        return self

    @property
    def choices(self) -> list[Choice]:
        return [choice for delta in self.wait().deltas for choice in delta.choices]

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.wait().deltas)

    @property
    def last(self) -> Delta:
        return self.wait().deltas[-1]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def engine(model: backend.Model) -> Iterator[Engine]:
    made = Engine(model, context=512, sequences=4, queue=8, threads=2, prefix_bytes=64 << 20)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def small_server(weights_home: Path) -> Iterator[tuple[str, Serving]]:
    """URL and parts of a server with one place, one seat in the queue and 512 tokens of context."""
    settings = Settings(home=weights_home, model_context=512, model_sequences=1, model_queue=1, _env_file=None)
    serving = Serving(settings)
    server = uvicorn.Server(uvicorn.Config(make_app(serving), port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", serving
    server.should_exit = True
    thread.join()
