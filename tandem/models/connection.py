"""One client's connection: uvicorn's, with an end to how long a peer may keep it without sending or reading.

uvicorn bounds only the time between two requests. A client that sends, or reads, a byte a minute would otherwise hold
its connection, and whatever was written for it, for ever.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 60.0
"""For a whole request, head and body, from the connection's opening or the first byte after an answer."""
READING_S = 60.0
"""For a client to take some of what was written: while more than 64 KiB wait for it, or the connection closes."""


class Connection(H11Protocol):
    _request_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        if self._request_timer is None and self.conn.their_state is h11.IDLE:
            self._await_request()
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._stop(self._request_timer)
            self._request_timer = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._reading_timer)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_flushing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_flushing()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop(self._request_timer)
        self._stop(self._reading_timer)

    def _await_request(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _await_reader(self) -> None:
        self._stop(self._reading_timer)
        self._reading_timer = self.loop.call_later(READING_S, self.transport.abort)

    def _await_flushing(self) -> None:
        """A connection that is being closed stays until the client has taken what was written."""
        if self.transport.is_closing():
            self._await_reader()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
