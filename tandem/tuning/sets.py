"""What adapters are judged by: the held-out examples; and, to notice forgetting, those of what was learned before,
questions on passages, and general ones."""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from graph.prompts import ask_directly
from graph.reading import read_passages
from tandem.evals.grading import best_f1, contains
from tandem.evals.rows import read_rows
from tandem.models.client import ChatMessage, ModelClient
from tandem.settings import Settings
from tandem.tuning.examples import Example, Task
from tandem.tuning.hits import make_hit
from tandem.tuning.marks import mark

SHORT_ANSWER = 48
LONGEST_ANSWER = 400


Asked = Callable[[ModelClient, str], Awaitable[float]]
"""Asks the model of that name, and says what its answer is worth, 0 to 1."""


@dataclass(frozen=True)
class JudgedSet:
    """`is_own`: held out of the project that the adapter was trained on. `origins`: of each question, where some share
    one."""

    name: str
    questions: tuple[Asked, ...]
    is_own: bool = False
    origins: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Of each question: those of one group stand or fall together."""
        return self.origins or tuple((self.name, at) for at in range(len(self.questions)))


class OnPassages(BaseModel):
    """A line of `grounded.jsonl`; `cite` is the number of the passage that answers, None where none does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passages: tuple[tuple[str, str], ...]
    question: str
    answers: tuple[str, ...]
    cite: int | None

    async def ask(self, model: ModelClient, name: str) -> float:
        """As an answer from the documents is made: what is not sure enough is declined."""
        hits = [make_hit(at, title, text) for at, (title, text) in enumerate(self.passages, 1)]
        reading = await read_passages(model, self.question, hits, name=name)
        if reading is None or not reading.is_sent or self.cite is None:
            return float(self.cite is None and (reading is None or not reading.is_sent))
        if reading.passage.chunk_id != self.cite:
            return 0.0
        return best_f1(reading.answer, self.answers)


class General(BaseModel):
    """A line of `general.jsonl`: right is what holds one of the answers, word for word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answers: tuple[str, ...]

    def mark(self, said: str) -> float:
        return float(contains(said, self.answers))


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str


def make_sets(
    held_out: Sequence[Example], taught: Mapping[str, Sequence[Example]] | None = None
) -> tuple[JudgedSet, ...]:
    """`taught`: what was held out of the projects that the adapter in service has learned, by their names."""
    held = [_make_held_out(task, mine, is_own=True) for task, mine in _by_task(held_out)]
    kept = [
        _make_held_out(f"{project}: {task}", mine, is_own=False)
        for project, examples in (taught or {}).items()
        for task, mine in _by_task(examples)
    ]
    grounded = tuple(one.ask for one in read_grounded())
    general = tuple(chat(ask_directly(one.question, []), SHORT_ANSWER, one.mark) for one in read_general())
    return (*held, *kept, JudgedSet("on passages", grounded), JudgedSet("general", general))


def chat(messages: Sequence[ChatMessage], max_tokens: int, mark: Callable[[str], float]) -> Asked:
    async def ask(model: ModelClient, name: str) -> float:
        async with aclosing(model.chat(messages, max_tokens=max_tokens, model=name)) as deltas:
            return mark("".join([delta.text async for delta in deltas]).strip())

    return ask


def read_grounded() -> tuple[OnPassages, ...]:
    return tuple(OnPassages.model_validate_json(line) for line in _read("grounded.jsonl"))


def read_general() -> tuple[General, ...]:
    return tuple(General.model_validate_json(line) for line in _read("general.jsonl"))


def list_tests(settings: Settings) -> list[str]:
    """The questions that no adapter may be trained on: of these sets, and of the files in TANDEM_HELD_OUT, read as
    `tandem eval` reads them. Raises DataError."""
    tests = [*(one.question for one in read_grounded()), *(one.question for one in read_general())]
    remedy = 'TANDEM_HELD_OUT names it; each of its lines is a JSON object with a "question".'
    for name in settings.held_out:
        tests += [row.question for _, row in read_rows(Path(name).expanduser(), _Question, remedy=remedy)]
    return tests


def _by_task(examples: Sequence[Example]) -> Iterator[tuple[Task, list[Example]]]:
    for task in dict.fromkeys(example.task for example in examples):
        yield task, [example for example in examples if example.task == task]


def _make_held_out(name: str, examples: Sequence[Example], *, is_own: bool) -> JudgedSet:
    origins = tuple(example.origin for example in examples)
    return JudgedSet(name, tuple(map(_ask_example, examples)), is_own=is_own, origins=origins)


def _ask_example(example: Example) -> Asked:
    messages = tuple(ChatMessage(turn.role, turn.content) for turn in example.messages[:-1])
    room = min(LONGEST_ANSWER, SHORT_ANSWER + len(example.answer) // 2)

    def worth(said: str) -> float:
        return mark(example.task, said, example.answer)

    return chat(messages, room, worth)


def _read(name: str) -> list[str]:
    return resources.files("tandem.tuning").joinpath(name).read_text(encoding="utf-8").splitlines()
