"""A tuning environment: the real one where it is, and one without torch for what happens around training."""

from pathlib import Path

import pytest

from tandem.errors import TandemError
from tandem.settings import read_settings
from tandem.tuning.process import find_interpreter
from tests.tuning.stand_in import write_interpreter


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    return write_interpreter(tmp_path)


@pytest.fixture
def interpreter() -> Path:
    """The one with torch, as `make tune` makes it."""
    try:
        return find_interpreter(read_settings())
    except TandemError as error:
        pytest.skip(f"{error.message} {error.remedy}")
