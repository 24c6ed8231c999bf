"""Weights are stale for a page that says something else than when they were trained, and for no other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from graph.routing.staleness import find_staleness
from index.standing import Standing
from tandem.models.snapshot import SeenDocument, Snapshot

TRAINED = datetime(2026, 4, 1, tzinfo=UTC)
NOW = TRAINED + timedelta(days=60)
PAGE = Standing(
    *(1, "docs", "leave.md", "Leave", "file:///leave.md", "indexed", None, None, None, None, None, "abc"),
    *(TRAINED - timedelta(days=9), None, None, None, None),
)
SNAPSHOT = Snapshot(taken_at=TRAINED, documents=(SeenDocument(id=1, source="docs", path="leave.md", revision="abc"),))


def test_a_page_as_it_was_seen_is_not_stale_but_taught() -> None:
    found = find_staleness([PAGE], SNAPSHOT, NOW)
    assert (found.stale, found.taught) == (False, True)


def test_only_the_best_page_as_it_is_now_counts_as_taught() -> None:
    other = replace(PAGE, path="badges.md", title="Badges", revision="xyz")
    for best, snapshot in (([other, PAGE], SNAPSHOT), ([PAGE], None), ([], SNAPSHOT)):
        assert not find_staleness(best, snapshot, NOW).taught
    assert not find_staleness([replace(PAGE, revision="def")], SNAPSHOT, NOW).taught


def test_a_page_with_another_revision_is_stale_whatever_its_date_says() -> None:
    changed = replace(PAGE, revision="def")
    found = find_staleness([replace(PAGE, id=2), changed], SNAPSHOT, NOW)
    assert (found.document_id, found.title, found.trained_at) == (1, "Leave", TRAINED)


def test_a_page_of_which_an_old_revision_was_taught_too_is_stale() -> None:
    old = SeenDocument(id=1, source="docs", path="leave.md", revision="old")
    both = Snapshot(taken_at=TRAINED, documents=(*SNAPSHOT.documents, old))
    assert find_staleness([PAGE], both, NOW).stale


def test_a_page_that_was_not_seen_is_stale_if_it_changed_since() -> None:
    unseen = replace(PAGE, id=2, path="badges.md", revision="xyz")
    new = replace(unseen, changed_at=TRAINED + timedelta(days=1))
    assert find_staleness([new], SNAPSHOT, NOW).changed_at == new.changed_at
    assert not find_staleness([unseen], SNAPSHOT, NOW).stale


def test_an_unchanged_page_is_not_stale_in_another_database_or_source() -> None:
    """Its number there is another page's here, its source has another name, and it was copied after the training."""
    copied = replace(PAGE, id=7, source="bench", changed_at=TRAINED + timedelta(days=1))
    other = replace(PAGE, path="badges.md", title="Badges", revision="xyz")
    assert not find_staleness([copied, other], SNAPSHOT, NOW).stale


def test_a_changed_page_is_stale_under_any_number() -> None:
    assert find_staleness([replace(PAGE, id=7, revision="def")], SNAPSHOT, NOW).document_id == 7


def test_without_a_snapshot_nothing_is_stale_and_terms_are_told() -> None:
    page = replace(PAGE, expires_at=NOW + timedelta(days=3), review_by=TRAINED)
    found = find_staleness([page], None, NOW)
    assert (found.stale, found.due, found.expires_in_days) == (False, True, 3.0)
