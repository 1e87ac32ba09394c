"""Http1Wire: a TCP connection of HTTP/1.1 that was taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ticker.lane.outlet import Outlet
from ticker.lane.wire import WireUser

# Seconds for which bytes that arrive after our last one are read and thrown away: a socket that is closed with bytes
# unread answers with a reset, which can destroy our last bytes before the peer has read them.
LINGER = 0.5
# Seconds that a peer has to take what is held when its wire is to end.
PATIENCE = 30.0


class Http1Wire(Outlet, asyncio.Protocol):
    """The protocol of a transport from the moment on at which it is taken over.

    Args:
        rest: bytes that the peer has sent and nobody has read; they are handed on in the next pass of the loop.
        closed: called once when the connection has ended.
    """

    __slots__ = ("_closed", "_is_gone", "_is_lingering", "_is_paused", "ready", "user")

    def __init__(
        self, transport: asyncio.Transport, user: WireUser, rest: bytes, closed: Callable[[Http1Wire], None]
    ) -> None:
        super().__init__(transport)
        self.user = user
        self._closed = closed
        # True from ``finish`` on, and once the connection has ended.
        self._is_lingering = self._is_gone = False
        # Whether the user wants to be told nothing of what comes.
        self._is_paused = False
        # Whether all that was written has left; the transport tells at once when it keeps something.
        self.ready = True
        transport.set_protocol(self)
        # With these limits pause_writing and resume_writing say exactly when the buffer is not empty, and when it is:
        # plain transports pause above the limit, those of TLS from it on.
        transport.set_write_buffer_limits(high=1 if transport.get_extra_info("ssl_object") else 0)
        self.ready = transport.get_write_buffer_size() == 0
        # What comes next is read after the rest.
        transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._begin, rest)

    def _begin(self, rest: bytes) -> None:
        if rest and not self._is_gone:
            self.data_received(rest)
        if not self._is_paused:
            self.resume_reading()

    def keep(self, data: bytes) -> None:
        """Take what ``send`` did not, and send it when that is possible."""
        if not self._is_shut and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Close when all has left."""
        if self._is_gone or self._is_lingering:
            return
        self._is_lingering = True
        if self._transport.get_write_buffer_size() == 0:
            self._close()
        else:
            self._abort_after(PATIENCE)

    def _close(self) -> None:
        try:
            self._transport.write_eof()
        except (NotImplementedError, OSError, RuntimeError):
            # TLS has no half-close that clients would understand; its close says goodbye.
            self._transport.close()
        self._abort_after(LINGER)

    def _abort_after(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Close at once."""
        self.shut()
        if not self._is_gone:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Leave what the peer sends in the socket."""
        self._is_paused = True
        if not self._is_gone:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._is_paused = False
        if not self._is_gone:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the transport."""
        if not self._is_lingering:
            self.user.received(data)

    def eof_received(self) -> None:
        """Learn that the peer sends nothing more: the transport closes itself when all has left."""
        if not self._is_lingering:
            self.user.finished()

    def pause_writing(self) -> None:
        """Learn that the transport's buffer is not empty."""
        self.ready = False
        if not self._is_lingering:
            self.user.full()

    def resume_writing(self) -> None:
        """Learn that the transport's buffer is empty."""
        self.ready = True
        if self._is_lingering:
            self._close()
        else:
            self.user.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection has ended."""
        self.ready = False
        self._is_gone = True
        self.shut()
        self._closed(self)
        self.user.lost()
