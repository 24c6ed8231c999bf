"""Weights from a hub: a broken download goes on where it stopped, and a wrong one never gets into place."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tandem.errors import WeightsError
from tandem.models.download import download

CONTENT = bytes(range(256)) * 20_000
MODEL = "hf:owner/repo/folder/model.gguf"


@dataclass
class Hub:
    """Redirects to its own storage path, as the real one does; `cut` bytes are sent before it hangs up, for each."""

    url: str = ""
    digest: str = hashlib.sha256(CONTENT).hexdigest()
    cuts: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            if self.path == "/owner/repo/resolve/main/folder/model.gguf":
                self.send_response(302)
                self.send_header("location", "/storage")
                self.send_header("x-linked-etag", f'"{state.digest}"')
                self.send_header("x-linked-size", str(len(CONTENT)))
                self.send_header("content-length", "0")
                self.end_headers()
                return
            if self.path != "/storage":
                self.send_error(404)
                return
            wanted = self.headers["range"]
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("content-length", str(len(CONTENT) - start))
            self.end_headers()
            if with_body:
                state.ranges.append(wanted)
                cut = state.cuts.pop(0) if state.cuts else len(CONTENT)
                self.wfile.write(CONTENT[start : start + cut])
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_file_arrives_whole_and_is_kept(hub: Hub, tmp_path: Path) -> None:
    path = download(MODEL, tmp_path, hub=hub.url)
    assert path.read_bytes() == CONTENT
    assert download(MODEL, tmp_path, hub="http://127.0.0.1:1") == path


def test_a_broken_download_is_resumed(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1_500_000, 2_000_000]
    assert download(MODEL, tmp_path, hub=hub.url).read_bytes() == CONTENT
    assert hub.ranges[0] is None
    assert all(wanted is not None for wanted in hub.ranges[1:])


def test_a_later_process_goes_on(hub: Hub, tmp_path: Path) -> None:
    partial = tmp_path / "hf/owner/repo/folder/model.gguf.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT[:1000])
    assert download(MODEL, tmp_path, hub=hub.url).read_bytes() == CONTENT
    assert hub.ranges == ["bytes=1000-"]


def test_a_file_with_another_digest_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    hub.digest = "0" * 64
    with pytest.raises(WeightsError, match="did not arrive whole"):
        download(MODEL, tmp_path, hub=hub.url)
    assert not list(tmp_path.rglob("*.gguf*"))


def test_an_unknown_file_is_named(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"hf:owner/repo/other\.gguf: the hub answers 404"):
        download("hf:owner/repo/other.gguf", tmp_path, hub=hub.url)


def test_no_hub_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be reached"):
        download(MODEL, tmp_path, hub="http://127.0.0.1:1")
