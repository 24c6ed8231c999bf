"""How the index stands, in numbers for Prometheus: read from the ledger at each scrape, so any one process can tell."""

import asyncio
from collections.abc import Iterator

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from index.standing import Gauges, read_gauges
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable, SettingsError
from tandem.settings import Settings

STATES = ("new", "indexed", "failed", "retired")


class IndexCollector(Collector):
    """Names sources by their number alone, and no document at all: who may scrape need not be who may read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        readable = GaugeMetricFamily("tandem_index_readable", "Whether the database answered this scrape")
        try:
            sources = asyncio.run(self._read())
        except (DatabaseUnavailable, psycopg.OperationalError):
            readable.add_metric([], 0)
            yield readable
            return
        readable.add_metric([], 1)
        yield readable
        yield from describe_sources(sources)

    async def _read(self) -> list[Gauges]:
        async with Database.open(self._settings, max_size=1) as database:
            return await read_gauges(database)


def describe_sources(sources: list[Gauges]) -> Iterator[GaugeMetricFamily]:
    documents = GaugeMetricFamily("tandem_documents", "Documents by state", labels=["source", "state"])
    lag = GaugeMetricFamily(
        "tandem_freshness_lag_seconds",
        "From a document's last change until it could be found",
        labels=["source", "quantile"],
    )
    due = GaugeMetricFamily("tandem_documents_due", "Documents that are due for review", labels=["source"])
    expired = GaugeMetricFamily("tandem_documents_expired", "Documents that have expired", labels=["source"])
    jobs = GaugeMetricFamily("tandem_open_jobs", "Jobs queued or under way", labels=["source"])
    listed = GaugeMetricFamily(
        "tandem_listed_seconds", "Since the last listing of the source that worked", labels=["source"]
    )
    for one in sources:
        source = str(one.source_id)
        for state in STATES:
            documents.add_metric([source, state], getattr(one, state))
        for quantile, value in (("0.5", one.lag_p50_s), ("0.95", one.lag_p95_s)):
            if value is not None:
                lag.add_metric([source, quantile], value)
        due.add_metric([source], one.due)
        expired.add_metric([source], one.expired)
        jobs.add_metric([source], one.open_jobs)
        if one.listed_s is not None:
            listed.add_metric([source], one.listed_s)
    yield from (documents, lag, due, expired, jobs, listed)


def serve_metrics(settings: Settings) -> None:
    """Serves `/metrics` from a thread, if the settings name a port. Raises SettingsError when that is taken."""
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    registry.register(IndexCollector(settings))
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        raise SettingsError(
            f"TANDEM_METRICS_PORT: port {settings.metrics_port} of {settings.metrics_host} cannot be used"
            f" ({error.strerror})."
        ) from error
