"""A tuning environment: the real one where it is, and one without torch for what happens around training."""

import sys
from pathlib import Path

import pytest

from tandem.errors import TandemError
from tandem.settings import Settings, read_settings
from tandem.tuning.process import find_interpreter


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """An interpreter that runs the stand-in whatever module it is asked to run."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.tuning.stand_in "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def tuning_settings(settings: Settings, stand_in: Path) -> Settings:
    return settings.model_copy(update={"tuning_python": stand_in})


@pytest.fixture
def interpreter() -> Path:
    """The one with torch, as `make tune` makes it."""
    try:
        return find_interpreter(read_settings())
    except TandemError as error:
        pytest.skip(f"{error.message} {error.remedy}")
