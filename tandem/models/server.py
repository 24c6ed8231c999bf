"""`tandem model`: the process that owns the weights."""

import asyncio
import errno
import logging
import resource
import signal
import socket
import sys
import threading

import uvicorn

from tandem.errors import SettingsError, TandemError
from tandem.models.api import make_app
from tandem.models.connection import Connection
from tandem.models.endpoint import remove_address, write_address
from tandem.models.serving import Serving
from tandem.models.users import wait_until_unused
from tandem.settings import Settings, read_settings
from tandem.telemetry import configure_logging

log = logging.getLogger(__name__)
BACKLOG = 2048
MOST_FILES = 16384
GRACE_S = 3
"""How long answers under way may go on after SIGTERM."""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises WeightsError, or SettingsError when the port is taken."""
    _serve(settings, only_while_used=False)


def _serve(settings: Settings, *, only_while_used: bool) -> None:
    _allow_connections()
    with _bind(settings) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://{host}:{port}"
        app = make_app(Serving(settings))
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            lifespan="on",
            server_header=False,
        )
        server = _Server(config, settings, url)
        if only_while_used:
            threading.Thread(target=_stop_when_unused, args=(settings, server, url), daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # uvicorn handles them, and sends them once more when it has
        try:
            server.run(sockets=[listener])
        finally:
            remove_address(settings, url)


def _allow_connections() -> None:
    """A connection is a file; of those many systems allow 1,024 unless asked for more."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, wanted), most))


class _Server(uvicorn.Server):
    """Publishes the address only once connections are accepted."""

    def __init__(self, config: uvicorn.Config, settings: Settings, url: str) -> None:
        super().__init__(config)
        self._settings = settings
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await asyncio.to_thread(write_address, self._settings, self._url)
        log.info("serving at %s", self._url)


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.model_host else socket.AF_INET
    # asyncio turns Nagle off, without which each answer waits 40 ms, only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.model_host, settings.model_port))
    except OSError as error:
        listener.close()
        place = f"{settings.model_host}:{settings.model_port}"
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise SettingsError(
            f"{place} {why}.", remedy="Set TANDEM_MODEL_PORT to another port, or to 0 for any free one."
        ) from error
    listener.listen(BACKLOG)
    return listener


def _stop_when_unused(settings: Settings, server: uvicorn.Server, url: str) -> None:
    with wait_until_unused(settings):
        remove_address(settings, url)  # while new users are held back, so that none finds a server that is going
        server.should_exit = True
        while True:  # until the process ends, and the lock with it
            threading.Event().wait()


def main(arguments: list[str]) -> int:
    """`--only-while-used`: settings come as JSON on stdin, and the process ends when nobody uses it any more."""
    try:
        only_while_used = "--only-while-used" in arguments
        settings = Settings.model_validate_json(sys.stdin.read()) if only_while_used else read_settings()
        configure_logging(settings.log_level, "model")
        _serve(settings, only_while_used=only_while_used)
    except TandemError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
