"""The servers that Tandem is measured against, built with the flags of Tandem's own llama.cpp, from the same source.

    python -m tests.models.peers build FOLDER             about 5 minutes on 2 cores
    python -m tests.models.peers serve FOLDER MODEL.gguf  until ctrl-C; `tandem bench model` takes the URLs it prints

`llama-server` comes from llama-cpp-python's source distribution. `llama_cpp.server` gets an environment of its own with
what it needs beside llama-cpp-python, which it takes from this one: the very same compiled library.
"""

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import httpx
import typer

ROOT = Path(__file__).parents[2]
NOT_NEEDED = ("CURL", "OPENSSL", "BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_UI", "BUILD_WEBUI")
SERVER_NEEDS = ("fastapi", "uvicorn", "sse-starlette", "starlette-context<0.4", "pydantic-settings", "PyYAML")
START_S = 60
commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@commands.command()
def build(folder: Path) -> None:
    """Builds `llama-server`, and makes the environment of `llama_cpp.server`."""
    folder.mkdir(parents=True, exist_ok=True)
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder / "venv")
    run(uv, "pip", "install", "--quiet", "--python", python(folder), "cmake", "ninja", *SERVER_NEEDS)
    [packages] = folder.glob("venv/lib/python*/site-packages")
    (packages / "llama_cpp.pth").write_text(sysconfig.get_path("platlib"))
    build_llama_server(folder)


def build_llama_server(folder: Path) -> None:
    wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, wanted)
    [archive] = folder.glob("llama_cpp_python-*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    [source_folder] = folder.glob("llama_cpp_python-*/vendor/llama.cpp")
    flags = subprocess.check_output(
        ["make", "--no-print-directory", "--eval", 'flags: ; @echo "$$CMAKE_ARGS"', "flags"], cwd=ROOT, text=True
    )
    tools = python(folder).parent
    left_out = [f"-DLLAMA_{name}=OFF" for name in NOT_NEEDED]
    given = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", "-DCMAKE_BUILD_TYPE=Release"]
    run(tools / "cmake", "-S", source_folder, "-B", folder / "build", *given, *shlex.split(flags), *left_out)
    run(tools / "cmake", "--build", folder / "build", "--target", "llama-server")


@commands.command()
def serve(
    folder: Path,
    model: Path,
    threads: Annotated[int, typer.Option()] = len(os.sched_getaffinity(0)),
    sequences: Annotated[int, typer.Option(help="TANDEM_MODEL_SEQUENCES of the server to compare with.")] = 8,
    cells: Annotated[int, typer.Option(help="Tokens of context, all sequences together.")] = 16384,
    port: Annotated[int, typer.Option(help="The first of two.")] = 8802,
) -> None:
    """Runs both servers on the file until ctrl-C."""
    llama_cpp_flags = ["--n_ctx", cells // sequences, "--n_threads", threads, "--n_threads_batch", threads]
    peers: dict[int, list[object]] = {
        port: [folder / "build/bin/llama-server", "-np", sequences, "-c", cells, "-t", threads],
        port + 1: [python(folder), "-m", "llama_cpp.server", *llama_cpp_flags, "--interrupt_requests", "false"],
    }
    running: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for number, command in peers.items():
            log = (folder / f"{number}.log").open("wb")
            words = [*map(str, command), "--model", str(model), "--host", "127.0.0.1", "--port", str(number)]
            running.append(subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT))
            wait_for(number, running[-1], log.name)
        print(",".join(f"http://127.0.0.1:{number}" for number in peers), flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/models").is_success:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The server at port {port} does not start; {log} says why.")
        time.sleep(0.1)


def python(folder: Path) -> Path:
    return folder / "venv/bin/python"


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


if __name__ == "__main__":
    commands()
