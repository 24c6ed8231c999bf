"""What the server costs one person: `python -m tests.models.measure_loop URL MODEL.gguf QUESTIONS`.

The server and a bare loop over llama.cpp (decode the prompt, then token by token, the likeliest each time) answer the
same unseen prompts in turn, on the same file and threads.
"""

import asyncio
import ctypes
import itertools
import os
import time
from pathlib import Path

import numpy as np
import typer

from tandem.evals.load import Messages, Timing, ask, find_target, open_http
from tandem.evals.model_bench import make_prompts
from tandem.evals.questions import read_questions
from tandem.models import backend  # first, as it tells llama.cpp's threads how to wait

# isort: split
from llama_cpp import llama_cpp as llama

ANSWER_TOKENS = 48
CELLS = 2048


class Loop:
    """One context and one sequence, as in llama.cpp's own simple example."""

    def __init__(self, path: Path, threads: int) -> None:
        backend.start_backend()
        self._model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._size = llama.llama_vocab_n_tokens(self._vocab)
        params = llama.llama_context_default_params()
        params.n_ctx = params.n_batch = CELLS
        params.n_threads = params.n_threads_batch = threads
        self._context = llama.llama_init_from_model(self._model, params)

    def answer(self, prompt: Messages) -> Timing:
        began = time.perf_counter()
        llama.llama_memory_clear(llama.llama_get_memory(self._context), False)
        tokens, arrivals = self._tokenize(self._format(prompt)), []
        for _ in range(ANSWER_TOKENS):
            held = (llama.llama_token * len(tokens))(*tokens)  # the batch only points to it
            batch = llama.llama_batch_get_one(held, len(tokens))
            assert llama.llama_decode(self._context, batch) == 0
            logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, -1), (self._size,))
            tokens = [int(logits.argmax())]
            arrivals.append(time.perf_counter())
            if llama.llama_vocab_is_eog(self._vocab, tokens[0]):
                break
        return Timing(began, tuple(arrivals), len(arrivals))

    def _format(self, prompt: Messages) -> bytes:
        template = llama.llama_model_chat_template(self._model, None)
        parts = [llama.llama_chat_message(m["role"].encode(), m["content"].encode()) for m in prompt]
        messages = (llama.llama_chat_message * len(parts))(*parts)
        text = ctypes.create_string_buffer(1 << 16)
        length = llama.llama_chat_apply_template(template, messages, len(parts), True, text, len(text))
        return text.raw[:length]

    def _tokenize(self, text: bytes) -> list[int]:
        tokens = (llama.llama_token * len(text))()
        return list(tokens[: llama.llama_tokenize(self._vocab, text, len(text), tokens, len(text), True, True)])


async def compare(url: str, loop: Loop, prompts: list[Messages]) -> None:
    rates: dict[str, list[float]] = {"loop": [], "server": []}
    firsts: dict[str, list[float]] = {"loop": [], "server": []}
    async with open_http() as http:
        target = await find_target(http, url)
        for number, prompt in enumerate(prompts):
            for name in ("loop", "server") if number % 2 else ("server", "loop"):
                began = time.perf_counter()
                timing = loop.answer(prompt) if name == "loop" else await ask(http, target, prompt, ANSWER_TOKENS)
                assert timing.failure is None, timing.failure
                if number > 1:  # the first two warm up
                    rates[name].append(timing.tokens / (time.perf_counter() - began))
                    firsts[name].append(timing.arrivals[0] - timing.began)
    for name in rates:
        print(f"{name}: {np.median(rates[name]):.1f} tokens/s, first token after {np.median(firsts[name]):.3f} s")
    paired = np.median(np.divide(rates["server"], rates["loop"]))
    print(f"the server at {paired:.3f} of the loop's tokens/s (median over {len(rates['loop'])} prompts)")


def main(url: str, model: Path, questions: Path, prompts: int = 22) -> None:
    found = read_questions(questions)
    loop = Loop(model, len(os.sched_getaffinity(0)))
    asyncio.run(compare(url, loop, list(itertools.islice(make_prompts(found, seed=1), prompts))))


if __name__ == "__main__":
    typer.run(main)
