"""Questions on passages, as evaluation files hold them: JSON lines, plain or gzipped."""

import gzip
import zlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.errors import TandemError

GZIP = b"\x1f\x8b"


class QuestionsError(TandemError):
    """The file of questions cannot be used."""

    remedy = 'Each line is a JSON object with "passage" and "question"; the file may be gzipped.'


class Question(BaseModel):
    """One line of the file; what else stands in it is left alone."""

    model_config = ConfigDict(frozen=True)

    passage: str = Field(min_length=1)
    question: str = Field(min_length=1)


def read_questions(path: Path) -> list[Question]:
    """At least one question, in the file's order. Raises QuestionsError, which names a bad line by its number."""
    questions = []
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            questions.append(Question.model_validate_json(line))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise QuestionsError(f"{path}, line {number}: {f'{place}: ' if place else ''}{fault['msg']}.") from None
    if not questions:
        raise QuestionsError(f"{path} holds no questions.")
    return questions


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(GZIP) else data).decode()
    except OSError as error:  # gzip's BadGzipFile is one too
        raise QuestionsError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error) as error:
        raise QuestionsError(f"{path} is cut short or damaged: {error}.") from error
    except UnicodeDecodeError as error:
        raise QuestionsError(f"{path} is no UTF-8: {error.reason} at byte {error.start}.") from error
