"""The process: it publishes its address when it serves, takes it back at its end, and says why it cannot start."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.models.conftest import wait_until

Process = subprocess.Popen[str]


def start(home: Path, **more: str) -> Process:
    environment = os.environ | {"TANDEM_HOME": str(home), "TANDEM_MODEL_PORT": "0"} | more
    return subprocess.Popen(
        [sys.executable, "-m", "tandem.models.server"], env=environment, stderr=subprocess.PIPE, text=True
    )


def test_sigterm_stops_it_cleanly_also_amid_an_answer(weights_home: Path) -> None:
    address = weights_home / "run" / "model.url"
    process = start(weights_home)
    wait_until(lambda: address.exists() or process.poll() is not None)
    url = address.read_text()
    body = {"messages": [{"role": "user", "content": "Count."}], "stream": True, "max_tokens": 1000, "temperature": 2}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as answer:
        next(answer.iter_lines())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert not address.exists()


def test_a_taken_port_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(tmp_path, TANDEM_MODEL_PORT=str(taken.getsockname()[1]))
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is taken. Set TANDEM_MODEL_PORT" in log


def test_weights_that_cannot_be_used_are_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("no weights")
    process = start(tmp_path, MODEL=str(tmp_path / "notes.gguf"))
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "notes.gguf is no GGUF file" in log
    assert "Traceback" not in log
