"""A lesson: one conversation whose last turn is what the adapter is to say. The form of `train.jsonl`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tandem.models.client import ChatMessage


class Lesson(BaseModel):
    """`origin` is what a split must not cut through: the document, person or thread that it comes from. `id` is the
    example's, where it is one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=2)]
    origin: str
    id: int | None = None


def read_lessons(path: Path) -> Iterator[Lesson]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Lesson.model_validate_json(line)


def write_lessons(path: Path, lessons: Iterable[Lesson]) -> int:
    """Returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for lesson in lessons:
            file.write(lesson.model_dump_json() + "\n")
            count += 1
    return count
