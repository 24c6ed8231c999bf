"""The sandbox: a child process that converts documents within bounds of time and memory, and dies of what breaks it.

One child serves this process, one document at a time. It gets no secret from the environment, and it ends with its
parent: also with one that was killed, as its input closes then and its own alarm ends whatever it was doing.
"""

import atexit
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from typing import IO

import psutil

from index.documents import DocumentError

TIMEOUT_S = 60
MAX_MEMORY = 1024 * 2**20
"""Bytes of address space."""
RETIRE_MEMORY = 384 * 2**20
"""A child that has grown beyond this is replaced, so that no document suffers for those before it."""
MAX_REPLY = 128 * 2**20
_lock = threading.Lock()
_child: "subprocess.Popen[bytes] | None" = None


def convert_apart(data: bytes, suffix: str) -> tuple[str | None, str]:
    """What `conversion.convert` returns, from the child. About 0.2 s for the first document, a millisecond for others.

    Raises DocumentError, also when the child took too long, needed too much memory or crashed.
    """
    with _lock:
        child = _ensure_child()
        requests, replies = _pipes(child)
        try:
            header = {"suffix": suffix, "size": len(data), "timeout_s": TIMEOUT_S}
            requests.write(json.dumps(header).encode() + b"\n" + data)
            requests.flush()
            reply = _read_reply(replies)
        except (BrokenPipeError, EOFError):
            raise DocumentError(_explain(_end_child())) from None
        except BaseException:
            _end_child()  # it would answer the next request with this one's reply
            raise
        if reply["retires"]:
            _end_child()
    if reply["fault"]:
        raise DocumentError(reply["fault"])
    return reply["title"], reply["text"]


def _ensure_child() -> "subprocess.Popen[bytes]":
    global _child
    if _child is None or _child.poll() is not None:
        _end_child()
        _child = subprocess.Popen(
            [sys.executable, "-m", "index.sandbox", str(MAX_MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what parsers print may quote the document
            # One arena: threads' heaps would reserve address space that they never use.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,  # Ctrl-C is the worker's, which ends its job first
        )
    return _child


@atexit.register
def _end_child() -> int:
    """Kills and forgets the child; returns its exit status, negative for a signal that had ended it before."""
    global _child
    child, _child = _child, None
    if child is None:
        return 0
    requests, replies = _pipes(child)
    replies.close()
    with contextlib.suppress(BrokenPipeError):
        requests.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(timeout=1)
    child.kill()
    return child.wait()


def _explain(status: int) -> str:
    if status == -signal.SIGALRM:
        return f"Reading it took longer than {TIMEOUT_S:g} seconds."
    if status == -signal.SIGKILL:
        return "Its reading was killed, as when the machine runs out of memory."
    cause = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"Its reading needed more than {MAX_MEMORY // 2**20:,} MB of memory, or crashed ({cause})."


def _read_reply(replies: IO[bytes]) -> dict[str, str]:
    size = int.from_bytes(_read(replies, 8), "big")
    if size > MAX_REPLY:
        raise EOFError
    reply: dict[str, str] = json.loads(_read(replies, size))
    return reply


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _pipes(child: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both are pipes")
    return child.stdin, child.stdout


def _serve() -> None:
    """The child: converts what comes in, until the input closes."""
    memory = int(sys.argv[1])
    _confine(memory)
    from index.conversion import convert  # its parsers are loaded here alone

    process = psutil.Process()
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints shall not speak into the replies
    while line := requests.readline():
        header = json.loads(line)
        data = _read(requests, header["size"])
        # Unhandled, so the kernel ends the process, wherever it is.
        signal.setitimer(signal.ITIMER_REAL, header["timeout_s"])
        reply: dict[str, object] = {"title": None, "text": "", "fault": None}
        try:
            reply["title"], reply["text"] = convert(data, header["suffix"])
        except DocumentError as error:
            reply["fault"] = error.message
        except MemoryError:
            reply["fault"] = f"Its reading needed more than {memory // 2**20:,} MB of memory."
        except Exception as error:  # noqa: BLE001 - whatever a parser raises is the document's fault
            reply["fault"] = f"It cannot be read ({type(error).__name__})."
        reply["retires"] = process.memory_info().rss > RETIRE_MEMORY
        body = json.dumps(reply).encode()
        replies.write(len(body).to_bytes(8, "big") + body)
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _confine(memory: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    with contextlib.suppress(OSError, ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write("1000")  # where memory runs out, this goes before the worker does


if __name__ == "__main__":
    _serve()
