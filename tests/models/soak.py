"""Mixed traffic on a real server for as long as is asked, looking for leaks, stuck requests and wrong answers.

    python -m tests.models.soak QUESTIONS.jsonl.gz [--minutes 5]

Questions come in bursts and one by one, under the base and two adapters, streamed and whole, with schemas, seen before
and not; some clients leave midway, and the second adapter is replaced again and again. Every answer that comes whole is
compared with what the same request got alone.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import psutil
import typer

from tandem.evals.questions import read_questions
from tandem.models.adapters import Adapters, Card
from tandem.models.weights import describe_weights
from tandem.settings import Settings
from tests.models.lora_files import write_adapter

BASE, FIXED, SWAPPED = "SmolLM2-135M-Instruct", "fixed", "swapped"
DISTINCT = 60
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 40}}},
    },
}
STUCK_S = 120.0
CHAT = "/v1/chat/completions"


def soak(questions: Path, minutes: Annotated[float, typer.Option(help="How long.")] = 5.0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, _env_file=None)
        registry = Adapters(settings)
        weights = describe_weights(settings)

        def add(name: str, seed: int) -> None:
            card = Card(name=name, digest="", base=weights["name"], base_digest=weights["digest"])
            registry.add(write_adapter(home / f"{seed}.gguf", seed), card)

        add(FIXED, 1)
        add(SWAPPED, 2)
        server = subprocess.Popen(
            [sys.executable, "-m", "tandem.models.server"],
            env=os.environ | {"TANDEM_HOME": folder, "TANDEM_MODEL_PORT": "0"},
        )
        try:
            address = home / "run" / "model.url"
            while not address.exists():
                time.sleep(0.05)
            asked = read_questions(questions)
            traffic = Traffic(address.read_text().strip(), server.pid, add, make_requests(asked))
            asyncio.run(traffic.run(minutes * 60))
        finally:
            server.terminate()
            server.wait()


def make_requests(questions: Any) -> list[dict[str, Any]]:
    chosen = random.Random(0)
    return [
        {
            "model": chosen.choice((BASE, BASE, FIXED)),
            "messages": [
                {"role": "system", "content": "Answer from the passage."},
                {"role": "user", "content": f"{one.passage}\n\n{one.question}"},
            ],
            "temperature": 0,
            "max_tokens": chosen.randint(1, 60),
            "logprobs": True,
        }
        | ({"response_format": SCHEMA} if chosen.random() < 0.2 else {})
        for one in chosen.sample(questions, DISTINCT)
    ]


class Traffic:
    def __init__(self, url: str, pid: int, add: Any, requests: list[dict[str, Any]]) -> None:
        self._url, self._process, self._add, self._requests = url, psutil.Process(pid), add, requests
        self._seen: Counter[str] = Counter()
        self._alone: list[Any] = []
        self._random = random.Random(1)

    async def run(self, seconds: float) -> None:
        async with httpx.AsyncClient(
            base_url=self._url, timeout=STUCK_S, limits=httpx.Limits(max_connections=64)
        ) as http:
            self._alone = [reading((await http.post(CHAT, json=one)).json()) for one in self._requests]
            memory = [self._process.memory_info().rss]
            ends, swaps = time.monotonic() + seconds, 2
            while time.monotonic() < ends:
                burst = self._random.choice((1, 2, 4, 12, 30))
                work = [self._ask(http) for _ in range(burst)]
                if self._random.random() < 0.2:
                    swaps += 1
                    await asyncio.to_thread(self._add, SWAPPED, swaps)
                await asyncio.gather(*work)
                memory.append(self._process.memory_info().rss)
            left = (await http.get("/healthz")).json()
        report = {
            "outcomes": dict(self._seen),
            "swaps": swaps - 2,
            "left": {"running": left["running"], "waiting": left["queue"]["waiting"]},
            "memory_mb": {name: value >> 20 for name, value in summarise(memory).items()},
        }
        print(json.dumps(report, indent=1))
        if self._seen["wrong"] or self._seen["stuck"] or left["running"] or left["queue"]["waiting"]:
            raise SystemExit(1)

    async def _ask(self, http: httpx.AsyncClient) -> None:
        index = self._random.randrange(DISTINCT)
        request, kind = self._requests[index], self._random.random()
        try:
            if kind < 0.15:
                await leave_midway(http, request)
                self._seen["left midway"] += 1
            elif kind < 0.3:
                answer = await http.post(CHAT, json=request | {"model": SWAPPED})
                self._seen[f"swapped adapter, status {answer.status_code}"] += 1
            elif kind < 0.45:
                new = {"role": "user", "content": f"{self._random.random()} is a number. Is it large?"}
                answer = await http.post(CHAT, json=request | {"messages": [new]})
                self._seen[f"unseen, status {answer.status_code}"] += 1
            else:
                answer = await http.post(CHAT, json=request)
                right = answer.status_code == 429 or reading(answer.json()) == self._alone[index]
                self._seen["turned away" if answer.status_code == 429 else "right" if right else "wrong"] += 1
        except httpx.TimeoutException:
            self._seen["stuck"] += 1


def summarise(memory: list[int]) -> dict[str, int]:
    fifths = [memory[len(memory) * part // 5 :][: max(1, len(memory) // 5)] for part in range(5)]
    return {f"most in fifth {number}": max(fifth) for number, fifth in enumerate(fifths, 1)}


def reading(answer: dict[str, Any]) -> tuple[Any, ...]:
    """All that must be the same, to the last bit of a log-probability."""
    [choice] = answer["choices"]
    tokens = [(entry["token"], entry["logprob"]) for entry in choice["logprobs"]["content"]]
    return choice["message"]["content"], choice["finish_reason"], tokens


async def leave_midway(http: httpx.AsyncClient, request: dict[str, Any]) -> None:
    async with http.stream("POST", CHAT, json=request | {"stream": True, "max_tokens": 200}) as response:
        pieces = 0
        async for _ in response.aiter_lines():
            pieces += 1
            if pieces > 6:
                return


if __name__ == "__main__":
    typer.run(soak)
