from dataclasses import replace
from pathlib import Path

import pytest

from index.jobs import SCHEDULE, DocumentCounts
from index.sources import Terms, set_terms
from index.standing import list_failures
from tandem.errors import SourceError
from tests.index.conftest import Room


def allow(room: Room, *licences: str) -> Room:
    return replace(room, settings=room.settings.model_copy(update={"allowed_licences": licences}))


async def test_a_document_whose_licence_is_not_allowed_fails_with_that_reason_and_its_passages_go(
    room: Room, folder: Path
) -> None:
    (folder / "free.md").write_text("---\nlicence: cc0-1.0\n---\n# Free\n\nVacation for all.\n")
    (folder / "closed.md").write_text("---\nlicence: Proprietary\n---\n# Closed\n\nVacation for some.\n")
    source = await room.add(folder)
    assert (await room.look(source)).documents == DocumentCounts(added=5)

    strict = allow(room, "CC0-1.0", "MIT")
    progress = await strict.look(source, by=SCHEDULE)
    assert progress.documents == DocumentCounts(failed=4, unchanged=1)
    assert list(await room.texts()) == ["free.md"]
    reasons = {failure.path: failure.reason for failure in await list_failures(room.database)}
    assert reasons["closed.md"].startswith("Its licence, Proprietary, is not on the allowed list")
    assert reasons["leave.md"].startswith("It states no licence")
    await room.check_counts()
    assert (await strict.look(source, by=SCHEDULE)).documents == DocumentCounts(unchanged=5), (
        "refused once, not each time"
    )

    await set_terms(room.database, strict.settings, "docs", Terms(licence="mit"), {"licence"}, set_by="ann")
    assert (await strict.look(source, by=SCHEDULE)).documents == DocumentCounts(added=3, unchanged=2)
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(added=1, unchanged=4)
    assert await list_failures(room.database) == []


async def test_other_failures_are_not_tried_again_for_a_licence(room: Room, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"junk")
    source = await room.add(folder)
    await room.look(source)
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(unchanged=4)


async def test_a_source_is_not_given_a_licence_that_is_not_allowed(room: Room, folder: Path) -> None:
    await room.add(folder)
    with pytest.raises(SourceError, match=r"GPL-3\.0 is not on the allowed list"):
        await set_terms(
            room.database,
            allow(room, "MIT").settings,
            "docs",
            Terms(licence="GPL-3.0"),
            {"licence"},
            set_by="ann",
        )
