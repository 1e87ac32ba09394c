"""Peer: one TCP connection with a client, from its acceptance to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H2ProtocolAssumedError
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from ticker.hypercorn_remedies.door import Door
from ticker.hypercorn_remedies.http1 import Http1
from ticker.hypercorn_remedies.http2 import Http2
from ticker.hypercorn_remedies.streams import Reader, Writer
from ticker.hypercorn_remedies.tasks import Tasks
from ticker.hypercorn_remedies.websocket import WebSocket
from ticker.lane import Http1Wire, Outlet, WireUser
from ticker.lane.http1 import LINGER
from ticker.log import get_logger
from ticker.web.connection import Connection

log = get_logger(__name__)

# Seconds that the app's tasks have to end by themselves after their connection has died.
GRACE = 0.8
# Seconds until the first request's head must be there, against heads that come byte by byte ("slowloris").
HEAD_TIMEOUT = 10.0


class Protocol(ProtocolWrapper):
    """Chooses between HTTP/1.1 and HTTP/2, and builds ours."""

    def __init__(self, alpn: str | None, connection: Connection, write: Callable[[bytes], object], *args: Any) -> None:
        self._write = write
        self._arguments = args
        self._connection = connection
        self.protocol = self._http2() if alpn == "h2" else Http1(*args)

    def _http2(self) -> Http2:
        self._connection.http_version = "2"
        return Http2(self._write, *self._arguments)

    async def handle(self, event: Event) -> None:
        """Take bytes from the connection, or its end."""
        try:
            await self.protocol.handle(event)
        except H2ProtocolAssumedError as error:
            self.protocol = self._http2()
            await self.protocol.initiate()
            await self.protocol.handle(RawData(error.data))

    def congest(self, is_congested: bool) -> None:
        """Learn that the peer takes less than it is sent, or has taken all."""
        if isinstance(self.protocol, Http2):
            self.protocol.congest(is_congested)

    def held(self) -> list[bytes]:
        """Return what the client of a WebSocket has sent since its acceptance, on HTTP/1.1."""
        stream = self.protocol.stream if isinstance(self.protocol, Http1) else None
        return stream.held if isinstance(stream, WebSocket) else []

    def goaway(self) -> bytes:
        """Return the bytes that tell the client that the connection ends, none on HTTP/1.1."""
        return self.protocol.goaway() if isinstance(self.protocol, Http2) else b""


class Peer(TCPServer):
    """One connection with these remedies.

    - Orphans: what the app still runs for a connection that has died is cancelled after ``GRACE``, whatever it waits
      for. Hypercorn waits for it without end. (Quart's own tasks then end by ``ticker.web.orphans``.)
    - A connection that the server closes after its last bytes is half-closed first, see ``LINGER``.
    - An error such as ETIMEDOUT, which TCP_USER_TIMEOUT makes, was the app's exception: it is the connection's end.
    - An exception in the protocol ends the connection with one log entry, not with asyncio's.

    It begins to serve the connection when it is made, in ``task``, which ends when the connection's last task has
    ended, and fails only with CancelledError. From ``take_over`` on the connection is no longer its own.

    Args:
        wires: the connections that were taken over; it adds its own.
    """

    protocol: Protocol
    reader: Reader
    writer: Writer

    def __init__(self, door: Door, wires: set[Http1Wire], *args: Any) -> None:
        super().__init__(*args)
        self._door = door
        self._wires = wires
        self._outlet = Outlet(self.writer.transport)
        # Whether someone else has the connection, and whether the client has gone.
        self._is_taken = self._is_lost = False
        # The task that serves it, and the timer that will cancel it.
        self.task = self.loop.create_task(self.run(), name="connection")
        self._end: asyncio.TimerHandle | None = None
        # True once a request has arrived, and once the server has said its last.
        self._was_used = False
        self._is_closing = False

    async def run(self) -> None:
        """Serve the connection."""
        try:
            await self._serve()
        except OSError:
            pass
        except Exception as error:
            log.exception("connection_failed", error)
        finally:
            if self._end is not None:
                self._end.cancel()
            if not self._is_taken:
                with suppress(OSError):
                    await self._close()

    async def _serve(self) -> None:
        client, server, tls = self._addresses()
        alpn = tls.selected_alpn_protocol() if tls is not None else None
        self._connection = Connection(client, tls is not None, abort=self.abort)
        state = ConnectionState({**self.state, "connection": self._connection, "take_over": self.take_over})
        async with Tasks(self.loop) as group:
            self._task_group = group
            self.protocol = Protocol(
                alpn,
                self._connection,
                self._outlet.write,
                self.app,
                self.config,
                self.context,
                group,
                state,
                tls is not None,
                client,
                server,
                self.protocol_send,
            )
            await self.protocol.initiate()
            await self.idle_task.restart(group, self._idle_timeout)
            await self._read_data()
            self._end_within(GRACE)

    def _addresses(self) -> tuple[tuple[str, int] | None, tuple[str, int] | None, Any]:
        socket = self.writer.get_extra_info("socket")
        return (
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            self.writer.get_extra_info("ssl_object"),
        )

    def take_over(self, user: WireUser) -> Http1Wire:
        """Take a connection of HTTP/1.1, whose answer has begun, away from Hypercorn and the app.

        Raises:
            ConnectionError: it has gone.
        """
        transport = self.writer.transport
        if transport.is_closing() or self._is_taken or self._is_lost:
            raise ConnectionResetError("the connection has gone")
        self._is_taken = True
        self._outlet.shut()
        rest = b"".join([*self.protocol.held(), self.reader.take_all()])
        wire = Http1Wire(transport, user, rest, self._wires.discard)
        self._wires.add(wire)
        # Whoever knows the connection would else keep all that Hypercorn has of it.
        self._connection.abort = wire.abort
        # Its tasks end as if the client had gone.
        self.reader.feed_eof()
        return wire

    def congest(self, is_congested: bool) -> None:
        """Learn that the peer takes less than it is sent, or has taken all."""
        if hasattr(self, "protocol"):
            self.protocol.congest(is_congested)

    def lost(self) -> None:
        """Say that the client has gone; the reading side does not notice while the app keeps it waiting."""
        self._is_lost = True
        self._outlet.shut()
        self._end_within(GRACE)

    def _end_within(self, seconds: float) -> None:
        """Cancel the connection's task after some seconds, unless that is due already."""
        if self._end is None:
            self._end = self.loop.call_later(seconds, self.task.cancel)

    def abort(self) -> None:
        """Cut the connection and cancel its task."""
        self._is_lost = True
        self.writer.transport.abort()
        self.task.cancel()

    async def protocol_send(self, event: Event) -> None:
        """Do what the protocol asks for: send bytes, close, start or stop the idle timer."""
        if self._is_taken:
            return
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Closed):
            self._hang_up()
        elif isinstance(event, Updated):
            self._was_used = True
            # The timer of a connection that has gone would be the first task of a group that has ended.
            if not (event.idle and self._is_lost):
                await super().protocol_send(event)

    async def _write(self, data: bytes) -> None:
        async with self.send_lock:
            try:
                # On a transport that is closing asyncio would log a warning for each.
                if not self.writer.is_closing():
                    self.writer.write(data)
                await self.writer.drain()
            except (OSError, RuntimeError):
                await self.protocol.handle(Closed())
                # An app that sends in a loop must not keep everyone else from running.
                await asyncio.sleep(0)

    def _hang_up(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        try:
            self.writer.write_eof()
        except (NotImplementedError, OSError, RuntimeError):
            # TLS has no half-close that clients would understand; its close flushes and says goodbye.
            self.writer.close()
        self._end_within(LINGER)

    async def _read_data(self) -> None:
        is_new = True
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            if is_new:
                await self._door.enter()
                is_new = False
            if not self._is_closing and not self._is_taken:
                await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())

    async def _idle_timeout(self) -> None:
        seconds = self.config.keep_alive_timeout if self._was_used else HEAD_TIMEOUT
        try:
            async with asyncio.timeout(seconds):
                await self.context.terminated.wait()
        except TimeoutError:
            pass
        if not self._is_closing and not self._is_taken and not self.writer.is_closing():
            self._is_closing = True
            self.writer.write(self.protocol.goaway())
            self.writer.close()
            # Nothing is on its way to an idle client, and one that keeps it in a pool won't answer TLS's goodbye.
            self.loop.call_later(LINGER, self.writer.transport.abort)
