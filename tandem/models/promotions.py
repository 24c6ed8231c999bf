"""Promotions: which adapters were put in service, by whom and why; the last one counts, and can be taken back.

They are one file beside the cards, replaced in one step, which changes the folder's time: a running server looks at
that with each request.
"""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tandem.errors import WeightsError
from tandem.models.weights import replace_with, write_text


class Promotion(BaseModel):
    """`reason` is how it passed the gate, or that somebody overrode it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str
    digest: str
    by: str
    reason: str
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


_ALL = TypeAdapter(tuple[Promotion, ...])


class Promotions:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "promotions"

    def read(self) -> tuple[Promotion, ...]:
        """In their order. Raises WeightsError when the file is damaged."""
        if not self._file.exists():
            return ()
        try:
            return _ALL.validate_json(self._file.read_bytes())
        except (OSError, ValidationError) as error:
            raise WeightsError(
                f"{self._file} cannot be read.", remedy="Delete it; the packaged adapter serves then."
            ) from error

    def add(self, promotion: Promotion) -> None:
        self._write((*self.read(), promotion))

    def take_back(self, adapters: frozenset[str]) -> Promotion:
        """Takes the newest promotion of one of these adapters back. Raises WeightsError when there is none."""
        all_of_them = self.read()
        last = next((one for one in reversed(all_of_them) if one.adapter in adapters), None)
        if last is None:
            raise WeightsError("No adapter was promoted.", remedy="`tandem model list` shows what is in service.")
        self._write(tuple(one for one in all_of_them if one is not last))
        return last

    def _write(self, promotions: tuple[Promotion, ...]) -> None:
        text = _ALL.dump_json(promotions, indent=2).decode()
        replace_with(self._file, lambda partial: write_text(partial, text))
