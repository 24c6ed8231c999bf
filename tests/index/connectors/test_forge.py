from pathlib import Path

import pytest

from index.connectors.forge import check_branch, is_repository, link_file, name_repository, resolve_repository
from tandem.errors import SourceError

PAGE = "handbook/a b.md"


@pytest.mark.parametrize(
    ("location", "link"),
    [
        ("https://github.com/acme/docs.git", "https://github.com/acme/docs/blob/main/handbook/a%20b.md"),
        ("git@github.com:acme/docs.git", "https://github.com/acme/docs/blob/main/handbook/a%20b.md"),
        ("ssh://git@gitlab.acme.dev:2222/a/b/docs", "https://gitlab.acme.dev/a/b/docs/-/blob/main/handbook/a%20b.md"),
        ("https://codeberg.org/acme/docs", "https://codeberg.org/acme/docs/src/branch/main/handbook/a%20b.md"),
        ("https://bitbucket.org/acme/docs.git", "https://bitbucket.org/acme/docs/src/main/handbook/a%20b.md"),
        ("https://git.acme.dev/docs.git", "https://git.acme.dev/docs#handbook/a%20b.md"),
        ("/srv/docs", "file:///srv/docs/handbook/a%20b.md"),
        ("file:///srv/docs", "file:///srv/docs#handbook/a%20b.md"),
    ],
)
def test_a_file_is_linked_where_the_forge_shows_it(location: str, link: str) -> None:
    assert link_file(location, "main", PAGE) == link
    assert name_repository(location) == "docs"


@pytest.mark.parametrize(
    "location",
    [
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x:y",
        "ftp://example.org/docs.git",
        "https:///docs.git",
        "https://ann:secret@example.org/docs.git",
        "https://token@example.org/docs.git",
        "git@example.org:docs\n.git",
        "http://[::1/docs",
        "no/such/folder",
    ],
)
def test_what_git_must_not_be_given_is_refused(location: str) -> None:
    with pytest.raises(SourceError) as refused:
        resolve_repository(location)
    assert "secret" not in str(refused.value)


def test_a_path_must_be_a_repository(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a git repository"):
        resolve_repository(str(tmp_path))


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        ("git@github.com:acme/docs.git", True),
        ("ssh://git@example.org/docs", True),
        ("https://example.org/docs.git", True),
        ("https://github.com/acme/docs", True),
        ("https://github.com/acme/docs/wiki", False),
        ("https://docs.acme.dev/handbook", False),
        ("/srv/docs.git", False),
        ("s3://bucket/docs", False),
        ("C:", False),
    ],
)
def test_only_what_can_be_nothing_else_is_taken_for_a_repository(location: str, meant: bool) -> None:
    assert is_repository(location) is meant


@pytest.mark.parametrize("branch", ["--force", "a..b", "a b", "a\nb", "a:b", "", "x.lock", "a~1"])
def test_a_branch_has_a_branchs_name(branch: str) -> None:
    with pytest.raises(SourceError):
        check_branch(branch)
    assert check_branch("feature/2.0-x") == "feature/2.0-x"
