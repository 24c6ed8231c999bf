"""Examples from files: JSON lines in chat form, or a table with the columns `question` and `answer`."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from graph.prompts import ask_directly
from tandem.tuning.examples import Draft, TuningError, Turn

DELIMITERS = ",;\t"
REMEDY = (
    'A .jsonl file has one {"messages": [{"role", "content"}, …], "origin": …} a line; a .csv file the columns'
    " question, answer and origin. docs/tuning.md shows both."
)


class Line(BaseModel):
    """What stands in the file wins over what was said of the whole file. A bare question is put as the agent does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Turn, ...] | None = None
    question: str = ""
    answer: str = ""
    origin: str | None = None
    licence: str | None = None
    author: str | None = None

    def draft(self, path: Path, *, licence: str, author: str) -> Draft:
        return Draft(
            messages=self.messages if self.messages is not None else converse(self.question, self.answer),
            origin=self.origin or path.name,
            licence=self.licence or licence,
            author=self.author or author,
        )


def converse(question: str, answer: str) -> tuple[Turn, ...]:
    """As the agent asks the weights alone, with what they should have said."""
    asked = (Turn(role=message.role, content=message.content) for message in ask_directly(question, []))
    return (*asked, Turn(role="assistant", content=answer))


def read_file(path: Path, *, licence: str, author: str) -> list[Draft]:
    """Raises TuningError, which names the first bad line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TuningError(f"{path} cannot be read: {error.strerror}.", remedy=REMEDY) from error
    except UnicodeDecodeError as error:
        raise TuningError(f"{path} is no UTF-8.", remedy="Save it as UTF-8.") from error
    drafts: list[Draft] = []
    number = 0
    try:
        rows = _read_table(text) if path.suffix.lower() in (".csv", ".tsv") else _read_lines(text)
        for number, row in rows:  # noqa: B007 - the errors name it
            drafts.append(Line.model_validate(row).draft(path, licence=licence, author=author))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise TuningError(f"{path}, line {number}: {where} {fault['msg']}.".replace("  ", " "), remedy=REMEDY) from None
    except (ValueError, csv.Error) as error:
        raise TuningError(f"{path}, after line {number}: {error}.", remedy=REMEDY) from error
    if not drafts:
        raise TuningError(f"{path} holds no examples.", remedy=REMEDY)
    return drafts


def _read_lines(text: str) -> Iterator[tuple[int, object]]:
    """Only a newline ends a line: a text may hold other characters that `splitlines` takes for one, such as U+2028."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, from_json(line)


def _read_table(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The first line names the columns; of others than those that are known nothing is taken."""
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in reader:
        cells = {(name or "").strip().lower(): cell for name, cell in row.items() if isinstance(cell, str)}
        yield reader.line_num, {name: cell for name, cell in cells.items() if name in Line.model_fields and cell}
