"""Apps whose requests are taken over, and the users of what was taken: a wire, or a WebSocket on one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from unittest.mock import patch

from ticker import server
from ticker.core.framing import BINARY, TEXT
from ticker.lane import Pulse, Socket, TakeOver, Wire

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
User = TypeVar("User")

# Bytes that the kernel keeps of a small socket in each direction, about; of others it keeps megabytes.
SMALL = 16 * 1024


@contextmanager
def small_buffers() -> Iterator[None]:
    """Let the kernel keep little for the connections of servers that begin now: who does not read is soon noticed."""
    options = server._socket_options

    def with_small(family: int) -> list[tuple[int, int, int]]:
        ours = [(socket.SOL_SOCKET, option, SMALL) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
        return [*options(family), *ours]

    with patch.object(server, "_socket_options", with_small):
        yield


async def live_and_die(receive: Receive, send: Send) -> None:
    """Take an app's part of its lifespan."""
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def answer(scope: Any, receive: Receive, send: Send) -> TakeOver:
    """Begin the answer of a request, or accept a WebSocket; return what takes it over."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
    take_over: TakeOver = scope["state"]["take_over"]
    return take_over


class Taking(Generic[User]):
    """A bare ASGI app whose requests are each taken over by a user.

    Args:
        begin: takes a request over and returns its user.
    """

    def __init__(self, begin: Callable[[TakeOver], User]) -> None:
        self._begin = begin
        # Cleared, it lets a request wait between its answer's head and the take-over.
        self.go = asyncio.Event()
        self.go.set()
        # Users in the order in which they began, and requests that were answered but not taken over.
        self._users: asyncio.Queue[User] = asyncio.Queue()
        self.waiting = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await live_and_die(receive, send)
            return
        take_over = await answer(scope, receive, send)
        self.waiting += 1
        try:
            await self.go.wait()
            self._users.put_nowait(self._begin(take_over))
        finally:
            self.waiting -= 1

    async def user(self) -> User:
        """Return the next user, as soon as its request was taken over."""
        async with asyncio.timeout(10):
            return await self._users.get()


class Keeper:
    """A wire's user that keeps what happens."""

    def __init__(self, take_over: TakeOver) -> None:
        # What has come from the peer, and what else was told, in its order.
        self.data = bytearray()
        self.told: list[str] = []
        self.wire: Wire = take_over(self)

    def received(self, data: bytes) -> None:
        """Keep bytes."""
        self.data += data

    def finished(self) -> None:
        """Note it."""
        self.told.append("finished")

    def full(self) -> None:
        """Note it."""
        self.told.append("full")

    def writable(self) -> None:
        """Note it."""
        self.told.append("writable")

    def lost(self) -> None:
        """Note it."""
        self.told.append("lost")


class Pump(Keeper):
    """Writes pieces, one after the other, whenever its wire is ready: by turns in the two ways that there are."""

    def __init__(self, take_over: TakeOver) -> None:
        self.pieces: list[bytes] = []
        super().__init__(take_over)

    def pour(self, pieces: list[bytes]) -> None:
        """Write pieces as soon as that is possible."""
        self.pieces += pieces
        self._go_on()

    def writable(self) -> None:
        """Write on at once."""
        super().writable()
        self._go_on()

    def _go_on(self) -> None:
        while self.pieces and self.wire.ready:
            piece = self.pieces.pop(0)
            if len(self.pieces) % 2:
                self.wire.write(piece)
            else:
                self._send(piece)

    def _send(self, piece: bytes) -> None:
        """Send as a cohort does."""
        try:
            sent = self.wire.send(piece)
        except OSError:
            sent = 0
        if sent != len(piece):
            self.wire.keep(piece[sent:])


class Echo:
    """A socket's user that sends back each message."""

    def __init__(self, take_over: TakeOver, ping_interval: float = 15, limit: int = 65536) -> None:
        self.taken: list[str | bytes] = []
        # How often it was told the end.
        self.losses = 0
        self.socket = Socket(take_over, self, TEXT, Pulse(ping_interval), limit)

    async def take(self, message: str | bytes) -> None:
        """Keep a message and send it back."""
        self.taken.append(message)
        if isinstance(message, str):
            self.socket.write(TEXT.join([message.encode()]))
        else:
            self.socket.write(BINARY.join([message]))

    def full(self) -> None:
        """Pass over it."""

    def writable(self) -> None:
        """Pass over it."""

    def lost(self) -> None:
        """Count."""
        self.losses += 1


class Crash(Echo):
    """A socket's user with a bug."""

    async def take(self, message: str | bytes) -> None:
        """Raise."""
        raise RuntimeError("no more")


class Pour(Echo):
    """A socket's user that sends whenever that is possible."""

    def __init__(self, take_over: TakeOver) -> None:
        super().__init__(take_over)
        # Bytes of messages that were sent.
        self.offered = 0
        asyncio.get_running_loop().call_soon(self.writable)

    def writable(self) -> None:
        """Send one message, and the next one soon."""
        if self.socket.ready:
            self.socket.write(BINARY.join([bytes(60000)]))
            self.offered += 60000
            asyncio.get_running_loop().call_soon(self.writable)
