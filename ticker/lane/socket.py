"""Socket: WebSocket (RFC 6455) on a wire, once the handshake is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from ticker.core.codes import Close
from ticker.core.framing import Framing
from ticker.lane.pulse import Pulse
from ticker.lane.wire import TakeOver
from ticker.log import get_logger

log = get_logger(__name__)

# Bytes that may wait while a message is being answered; beyond, the peer is not read from.
INBOX = 64 * 1024


class SocketUser(Protocol):
    """Who is told what happens on a socket."""

    async def take(self, message: str | bytes) -> None:
        """Handle a message; the next one comes when this is done and the peer has taken what was written."""
        ...

    def full(self) -> None:
        """Learn that not all that was written has left."""
        ...

    def writable(self) -> None:
        """Learn that all that was written has left."""
        ...

    def lost(self) -> None:
        """Learn that the socket has ended, or has said so to its peer; nothing is called after that."""
        ...


class Socket:
    """One WebSocket: messages in, bytes in frames out, pings, and the end. It is a sink of the fan-out.

    Args:
        take_over: takes its connection.
        user: who is told.
        framing: how messages stand in what is written.
        pulse: when it pings. A peer from which nothing has come for 7/3 of its interval (35 s of 15) is closed with
            4009, since one that vanished behind a proxy would stay for ever.
        limit: bytes, or characters, of a message at the most.

    Raises:
        ConnectionError: the connection has gone.
    """

    __slots__ = (
        *("_frames", "_has_left", "_heard", "_is_open", "_is_whole", "_length", "_limit", "_loop", "_parts"),
        *("_pulse", "_room", "_slot", "_user", "_waiting", "_wire", "_work", "framing"),
    )

    def __init__(self, take_over: TakeOver, user: SocketUser, framing: Framing, pulse: Pulse, limit: int) -> None:
        self.framing = framing
        self._user = user
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        # Reads the frames that are coming; None between them: it takes 2 KiB, and most sockets are silent.
        self._frames: Connection | None = None
        # Whether what has come ends with a frame that ends a message.
        self._is_whole = False
        # Parts of the message that is coming, and their length.
        self._parts: list[str | bytes] = []
        self._length = 0
        # What hands messages to the user, while there are any; and the bytes that have come meanwhile.
        self._work: asyncio.Task[None] | None = None
        self._waiting = 0
        # Done when all that was written has left; None unless someone waits for that.
        self._room: asyncio.Future[None] | None = None
        self._is_open = True
        # Whether the user was told the end.
        self._has_left = False
        self._pulse = pulse
        self._heard = self._loop.time()
        self._wire = take_over(self)
        self._slot = pulse.add(self)

    @property
    def ready(self) -> bool:
        """Whether all that was written has left, and it is open."""
        return self._is_open and self._wire.ready

    @property
    def send(self) -> Callable[[bytes], int]:
        """What sends frames at once and returns how many bytes; its user sends none once it is told the end."""
        return self._wire.send

    def keep(self, data: bytes) -> None:
        """Take the bytes that ``send`` did not."""
        self._wire.keep(data)

    def write(self, data: bytes) -> None:
        """Send frames, or keep what can't be sent now; none goes after a close frame (RFC 6455 5.5.1)."""
        if self._is_open:
            self._wire.write(data)

    def close(self, code: Close, reason: str) -> None:
        """Send a close frame and end when all has left."""
        self._say(CloseConnection(code=code, reason=reason))
        self._end()

    def abort(self) -> None:
        """End at once, without a word."""
        self._is_open = False
        self._wire.abort()

    def received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._heard = self._loop.time()
        if not self._is_open:
            return
        if self._frames is None:
            self._frames = Connection(ConnectionType.SERVER)
            self._is_whole = ends_whole(data)
        else:
            self._is_whole = False
        self._frames.receive_data(data)
        if self._work is None:
            self._take_events()
        else:
            self._waiting += len(data)
        # A peer can't ask, or ping, faster than it reads.
        if self._waiting > INBOX or not self._wire.ready:
            self._wire.pause_reading()

    def finished(self) -> None:
        """End, as the peer did without a close frame."""
        self._end()

    def full(self) -> None:
        """Learn that not all that was written has left."""
        self._user.full()

    def writable(self) -> None:
        """Go on."""
        self._wake()
        self._resume()
        self._user.writable()

    def _wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _resume(self) -> None:
        if self._is_open and self._wire.ready and self._work is None:
            self._wire.resume_reading()

    def lost(self) -> None:
        """End."""
        if self._work is not None:
            self._work.cancel()
        self._leave()

    def _leave(self) -> None:
        self._pulse.remove(self, self._slot)
        if not self._has_left:
            self._is_open, self._has_left = False, True
            self._user.lost()

    def _take_events(self) -> None:
        """Handle what has come up to the next whole message, which a task of its own hands on."""
        message = next(self._messages(), None)
        if message is not None:
            self._work = self._loop.create_task(self._hand_on(message), name="socket messages")
        elif self._is_whole:
            self._frames = None

    async def _hand_on(self, message: str | bytes | None) -> None:
        try:
            while message is not None and self._is_open:
                await self._user.take(message)
                await self._until_ready()
                message = next(self._messages(), None)
        except Exception as error:  # a bug of ours: the client is told, the process goes on
            log.exception("socket_failed", error)
            self.close(Close.INTERNAL_ERROR, "internal_error")
        self._work = None
        self._waiting = 0
        if self._is_whole:
            self._frames = None
        self._resume()

    async def _until_ready(self) -> None:
        """Wait until the peer has taken all, so that it can't ask faster than it reads; others run meanwhile."""
        await asyncio.sleep(0)
        while self._is_open and not self._wire.ready:
            self._room = self._loop.create_future()
            await self._room

    def _messages(self) -> Iterator[str | bytes]:
        """Yield each whole message that has come; pings are answered and mistakes punished on the way."""
        assert self._frames is not None
        for event in self._frames.events():
            if not self._is_open:
                return
            if isinstance(event, TextMessage | BytesMessage):
                yield from self._assemble(event)
            elif isinstance(event, Ping):
                self._say(event.response())
            elif isinstance(event, CloseConnection):
                self._peer_closes(event)

    def _assemble(self, event: TextMessage | BytesMessage) -> Iterator[str | bytes]:
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        self._length += len(event.data)
        if self._length > self._limit:
            self.close(Close.TOO_BIG, "message too big")
        elif event.message_finished:
            message = (b"" if isinstance(event, BytesMessage) else "").join(self._parts)  # type: ignore[arg-type]
            self._parts, self._length = [], 0
            yield message

    def _peer_closes(self, event: CloseConnection) -> None:
        assert self._frames is not None
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            self._say(event.response())
        else:
            # wsproto found a frame that breaks the protocol; the event has the code to close with.
            self._say(CloseConnection(code=event.code, reason=event.reason))
        self._end()

    def _say(self, event: Event) -> None:
        if not self._is_open:
            return
        with suppress(LocalProtocolError):
            frames = self._frames or Connection(ConnectionType.SERVER)
            self._wire.write(frames.send(event))

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._wake()
            self._wire.finish()
            self._leave()

    def beat(self) -> None:
        """Ping the peer, if it takes what it is sent."""
        if self._is_open and self._wire.ready:
            self._say(Ping())

    def check(self) -> None:
        """Close if nothing has come from the peer for too long."""
        if self._is_open and self._loop.time() - self._heard > self._pulse.interval * 7 / 3:
            self.close(Close.HEARTBEAT_TIMEOUT, "heartbeat_timeout")


def ends_whole(data: bytes) -> bool:
    """Whether bytes of a client that begin with a frame end with a frame that ends a message (RFC 6455 5.2).

    >>> ends_whole(bytes([0x81, 0x82, 0, 0, 0, 0, 65, 66]))
    True
    """
    at, is_final = 0, True
    while at + 2 <= len(data):
        # Control frames may stand between the parts of a message.
        if not data[at] & 0x08:
            is_final = bool(data[at] & 0x80)
        length = data[at + 1] & 0x7F
        at += 2
        if length > 125:
            width = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + width])
            at += width
        # The mask stands before what it hides.
        at += 4 + length
    return at == len(data) and is_final
