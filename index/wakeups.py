"""Wake-ups: the message that tells a worker to look at the ledger. It may be lost or doubled; it carries nothing."""

import asyncio
import logging
from functools import lru_cache, partial

import psycopg
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from tandem.settings import Settings

RUN_JOBS = "tandem.run_jobs"
QUEUE = "tandem"
TIMEOUT_S = 2.0
INSTALL_LOCK = 7_139_002
"""An advisory lock, so that two processes that start together install the queue's tables once."""
log = logging.getLogger(__name__)


def make_broker_app(broker_url: str | None, conninfo: str, *, listens: bool) -> Celery:
    """Returns an application that knows the broker and no task: BROKER_URL, else the queue in this Postgres (pgmq).

    `listens`: whether it takes messages too. One that does makes the queue's trigger anew, for which two that start at
    once can deadlock; one that only sends stays out of that. Installs the queue's tables there, so it may raise
    psycopg.OperationalError; connects to nothing else yet.
    """
    app = Celery("tandem", set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        broker_connection_timeout=TIMEOUT_S,
        worker_prefetch_multiplier=1,
    )
    if broker_url:
        app.conf.update(broker_url=broker_url)
        if broker_url.startswith("redis"):
            app.conf.update(broker_transport_options={"socket_connect_timeout": TIMEOUT_S})
    else:
        install_queue(conninfo)
        app.conf.update(
            broker_url="pgmq://localhost",
            # This transport never forgets a message whose acknowledgement failed, as when Postgres is restarted, so a
            # bound on the messages held would stop the worker. They are wake-ups: to hold one too many costs nothing.
            worker_prefetch_multiplier=0,
            broker_transport_options={
                "conn_string": conninfo,
                "init_extension": False,
                "use_notify": listens,
                "polling_interval": 0.2,
                "wait_time_seconds": 0,
                "visibility_timeout": 60,
                "pool_size": 2,
                "pool_timeout": TIMEOUT_S,
            },
        )
    return app


async def send_wakeup(settings: Settings, conninfo: str) -> bool:
    """Tells a worker to look, and says whether that could be sent. A broker that is down costs nothing but time."""
    try:
        await asyncio.to_thread(_send, settings, conninfo)
    except (BrokerError, OSError, ImportError, psycopg.Error) as error:
        log.warning("no wake-up sent (%s); the ledger is looked at by itself within seconds", type(error).__name__)
        return False
    return True


def install_queue(conninfo: str) -> None:
    """Installs pgmq's tables and functions from the SQL in its package, once a database."""
    from pgmq.install import get_embedded_install_sql

    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (INSTALL_LOCK,))
        row = connection.execute("SELECT to_regclass('pgmq.meta') IS NULL").fetchone()
        if row and row[0]:
            connection.execute(get_embedded_install_sql().encode())


_sender = lru_cache(maxsize=4)(partial(make_broker_app, listens=False))


def _send(settings: Settings, conninfo: str) -> None:
    app = _sender(settings.broker_url, conninfo)
    with app.connection_for_write() as connection:
        app.send_task(RUN_JOBS, connection=connection, retry=False, ignore_result=True)
