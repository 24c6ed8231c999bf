"""Passages are drawn from all documents that a viewer may see, a few of each, and the same ones each time."""

from pathlib import Path

from index.audience import ANYWHERE, Viewer
from index.jobs import enqueue_look, run_next_job
from index.passages import draw_passages
from index.sources import add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

SENTENCE = (
    "The {place} is opened by the keeper at half past {hour}, and closed again when the last boat has been moored. "
)


async def test_a_few_of_each_document_and_nothing_of_another_audience(
    tmp_path: Path, database: Database, model_settings: Settings
) -> None:
    async with ModelClient.open(model_settings) as model:
        for audience in ("everyone", "hr"):
            folder = tmp_path / audience
            folder.mkdir()
            for page in range(2):
                parts = [f"## Part {n}\n\n" + SENTENCE.format(place=f"{audience} {page}", hour=n) * 3 for n in range(5)]
                (folder / f"p{page}.md").write_text(f"# Page {page}\n\nShort.\n\n" + "\n\n".join(parts))
            source = await add_source(database, folder, name=audience, audience=audience, added_by="test")
            await enqueue_look(database, model_settings, source, requested_by="test")
        while await run_next_job(database, model, model_settings, worker="test"):
            pass
    anybody = Viewer(ANYWHERE)
    drawn = await draw_passages(database, anybody, most=50, each=2)
    assert [one.source for one in drawn] == ["everyone"] * 4
    assert len({one.document_id for one in drawn}) == 2
    assert all(len(one.text) >= 200 and len(one.revision) == 32 for one in drawn)
    assert await draw_passages(database, anybody, most=50, each=2) == drawn
    assert await draw_passages(database, anybody, most=3, each=2) == drawn[:3]
    assert await draw_passages(database, anybody, most=50, source="hr") == []
    assert len(await draw_passages(database, Viewer("x", frozenset({"hr"})), most=50, source="hr")) == 6
