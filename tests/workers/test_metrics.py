"""What a scrape of the beat tells."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from index.jobs import enqueue_look, run_next_job
from index.sources import add_source
from tandem.db.pool import Database
from tandem.errors import SettingsError
from tandem.models.client import ModelClient
from tandem.settings import Settings
from workers.metrics import serve_metrics


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def scrape(port: int) -> tuple[str, dict[tuple[str, ...], float]]:
    """The page, and each value by its name and labels, those in the order of their names."""
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return page, {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def test_a_scrape_tells_how_each_source_stands_and_no_name(
    model_settings: Settings, database: Database, tmp_path: Path, port: int
) -> None:
    folder = tmp_path / "layoffs"
    await asyncio.to_thread(folder.mkdir)
    for name, text in (("plan.md", "# The plan\n\nNobody knows.\n"), ("broken.pdf", "junk")):
        await asyncio.to_thread((folder / name).write_text, text)
    settings = model_settings.model_copy(update={"metrics_port": port})
    serve_metrics(settings)
    source = await add_source(database, folder, name="layoffs", audience="board", added_by="test")
    await enqueue_look(database, settings, source, requested_by="test")
    _, before = await scrape(port)
    number = str(source.id)
    assert before["tandem_index_readable",] == 1
    assert before["tandem_open_jobs", number] == 1
    assert ("tandem_freshness_lag_seconds", "0.5", number) not in before
    async with ModelClient.open(settings) as model:
        while await run_next_job(database, model, settings, worker="test"):
            pass
    page, after = await scrape(port)
    assert after["tandem_open_jobs", number] == 0
    assert after["tandem_documents", number, "indexed"] == 1
    assert after["tandem_documents", number, "failed"] == 1
    lags = [after["tandem_freshness_lag_seconds", quantile, number] for quantile in ("0.5", "0.95")]
    assert 0 < lags[0] <= lags[1] < 600
    assert 0 < after["tandem_listed_seconds", number] < 600
    assert not any(secret in page for secret in ("layoffs", "plan", "board", "broken"))
    with pytest.raises(SettingsError, match="cannot be used"):
        serve_metrics(settings)


async def test_without_a_database_a_scrape_says_so(
    settings: Settings, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.db.pool.CONNECT_TIMEOUT_S", 0.3)
    away = settings.model_copy(update={"metrics_port": port, "database_url": "host=127.0.0.1 port=9 connect_timeout=1"})
    serve_metrics(away)
    page, values = await scrape(port)
    assert values == {("tandem_index_readable",): 0}
    assert "127.0.0.1" not in page
