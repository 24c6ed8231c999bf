"""The Celery application: its settings, its schedule, and the two processes that run it."""

import logging
import sys
import threading
import warnings
from typing import Any

from celery import Celery, signals
from celery.beat import Scheduler
from celery.platforms import SecurityWarning
from celery.schedules import crontab

from index.wakeups import RUN_JOBS, make_broker_app
from tandem.db.server import ensure_server
from tandem.settings import Settings, read_settings
from tandem.telemetry import configure_logging
from workers.metrics import serve_metrics
from workers.tasks import learn_routes, look_at_sources, run_jobs

LOOK_AT_SOURCES = "tandem.look_at_sources"
LEARN = "tandem.learn"
LEARN_MINUTE = 17
LEARN_EXPIRES_S = 3600.0
RECOVER_S = 5.0
"""How often the ledger is looked at without any message: for leases that ran out and retries that came due."""


def make_app(settings: Settings, stopping: threading.Event | None = None) -> Celery:
    """Returns the application with its tasks; they stop between two jobs once `stopping` is set.

    Starts the embedded Postgres if that is the one in use. Raises DatabaseUnavailable.
    """
    stop = stopping or threading.Event()
    app = make_broker_app(settings.broker_url, ensure_server(settings), listens=True)
    app.conf.update(
        # A message is acknowledged after its work, so a killed worker's message comes back.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        beat_schedule={
            "look at sources": _every(LOOK_AT_SOURCES, min(max(settings.look_interval_s / 10, 1.0), 30.0)),
            "recover": _every(RUN_JOBS, RECOVER_S),
            "learn": {
                "task": LEARN,
                "schedule": crontab(hour=str(settings.learn_hour), minute=str(LEARN_MINUTE)),
                "options": {"expires": LEARN_EXPIRES_S, "ignore_result": True},
            },
        },
    )

    @app.task(name=RUN_JOBS, shared=False)  # type: ignore[untyped-decorator]
    def run() -> None:
        run_jobs(settings, stop)

    @app.task(name=LOOK_AT_SOURCES, shared=False)  # type: ignore[untyped-decorator]
    def look() -> None:
        look_at_sources(settings)

    @app.task(name=LEARN, shared=False)  # type: ignore[untyped-decorator]
    def learn() -> None:
        if settings.learn_questions and learn_routes(settings, stop):
            app.send_task(LEARN, expires=LEARN_EXPIRES_S, ignore_result=True)

    return app


def run_worker(settings: Settings) -> None:
    """Works until it is told to stop. Some jobs side by side (`AT_ONCE`): run more workers for more."""
    _quieten()
    # Said to root for the sake of pickle, which is not accepted here; in a container, root is usual.
    warnings.simplefilter("ignore", SecurityWarning)
    stopping = threading.Event()
    app = make_app(settings, stopping)
    signals.worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
    # Jobs may be waiting whose message was lost while no worker was there.
    signals.worker_ready.connect(lambda **_: app.send_task(RUN_JOBS, ignore_result=True), weak=False)
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def run_beat(settings: Settings) -> None:
    """Sends what the schedule says until it is told to stop. Run one; a second does no harm."""
    _quieten()
    app = make_app(settings)
    serve_metrics(settings)
    app.Beat(scheduler_cls=Scheduler, loglevel=settings.log_level.upper(), quiet=True).run()


def _quieten() -> None:
    """Two lines every few seconds that say nothing."""
    for noisy in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _every(task: str, seconds: float) -> dict[str, Any]:
    # Nothing is lost by a message that no worker took in time: the next one says the same.
    return {"task": task, "schedule": seconds, "options": {"expires": seconds, "ignore_result": True}}


if __name__ == "__main__":
    chosen, current = sys.argv[1], read_settings()
    configure_logging(current.log_level, chosen)
    {"worker": run_worker, "beat": run_beat}[chosen](current)
