"""SQL files give their queries by name, and every query says why it is there."""

from pathlib import Path

import pytest

from tandem.db.queries import load_queries


@pytest.mark.parametrize("package", ["bots", "graph", "graph/routing", "graph/learning", "index"])
def test_every_query_of_the_house_has_a_name_and_a_reason(package: str) -> None:
    files = sorted(Path(package).glob("*.sql"))
    assert files
    for file in files:
        assert load_queries(package.replace("/", "."), file.name)


def test_a_query_without_a_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "unreasoned"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "q.sql").write_text("-- name: everything\nSELECT 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="everything does not say why"):
        load_queries("unreasoned", "q.sql")
