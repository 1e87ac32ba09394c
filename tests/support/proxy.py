"""A TCP proxy that does to connections what networks do: it cuts at any byte, freezes, throttles, closes one half.

Everything can be switched while connections are open. Bytes go *up* to the server and *down* to the client.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from random import Random
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")

Direction = Literal["up", "down"]

How = Literal["rst", "fin"]
"""How both sides see a cut: a reset, which also discards what is under way, or an orderly end."""

Block = Literal["cut", "refuse", "hang"]
"""What becomes of a request for a blocked path: a reset, an error page (403), or nothing, for ever."""

_PIECE = 4096

_REQUEST = re.compile(rb"[A-Z]+ ([^ ?]+)[^ ]* HTTP/1\.1\r\n")

_PAGE = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\nblocked"


class Cut(NamedTuple):
    """Where a connection is cut: after so many bytes in a direction."""

    direction: Direction
    at: int
    how: How


def cuts(random: Random, lowest: int = 1, highest: int = 4000) -> Callable[[], Cut]:
    """Return what draws a cut for each connection; most are in the server's answers."""

    def draw() -> Cut:
        if random.random() < 0.1:
            return Cut("up", random.randint(1, 200), random.choice(("rst", "fin")))
        # As likely below a hundred bytes, in a head or the first event, as above.
        return Cut("down", int(lowest * (highest / lowest) ** random.random()), random.choice(("rst", "fin")))

    return draw


class Proxy:
    """A proxy in front of a port of 127.0.0.1; ``proxy()`` opens one."""

    def __init__(self, target: int) -> None:
        self.port = 0
        # Draws a cut for each new connection; None lets it live.
        self.plan: Callable[[], Cut | None] = lambda: None
        # Bytes a second and direction of each connection; None is no limit.
        self.rate: int | None = None
        # How many connections were accepted, and how many were cut.
        self.accepted = 0
        self.cut = 0
        # The port in front of which it stands; new connections go to it.
        self.target = target
        self._links: dict[_Link, None] = {}
        self._blocked: dict[str, Block] = {}
        # Set while bytes flow.
        self._flows = asyncio.Event()
        self._flows.set()

    def __len__(self) -> int:
        return len(self._links)

    def cut_all(self, how: How = "rst") -> None:
        """Cut every connection now."""
        for link in list(self._links):
            link.cut(how)

    def freeze(self) -> None:
        """Let no byte through, and leave every connection open."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let bytes through again; those that were held back come first."""
        self._flows.set()

    def half_close(self, direction: Direction) -> None:
        """End one direction of every connection; the other goes on."""
        for link in list(self._links):
            link.end(direction)

    def block(self, path: str, how: Block = "cut") -> None:
        """Let no more requests of HTTP/1.1 for a path through."""
        self._blocked[path] = how

    def unblock(self, path: str) -> None:
        """Let requests for a path through again."""
        del self._blocked[path]

    def fate(self, piece: bytes) -> Block | None:
        """Return what becomes of bytes that go up: whether a request in them is for a blocked path."""
        paths = (match[1].decode() for match in _REQUEST.finditer(piece))
        return next((self._blocked[path] for path in paths if path in self._blocked), None)

    async def pass_on(self, size: int) -> None:
        """Wait until so many bytes may go on."""
        if self.rate is not None:
            await asyncio.sleep(size / self.rate)
        await self._flows.wait()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it is cut, or both directions have ended."""
        self.accepted += 1
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _abort(writer, "rst")
            return
        link = _Link(self, self.plan(), writer, up_writer)
        self._links[link] = None
        try:
            await asyncio.gather(link.carry("up", reader), link.carry("down", up_reader))
        finally:
            del self._links[link]
            link.close("fin")


class _Link:
    """One connection: the two sockets, and where it is to be cut."""

    def __init__(self, proxy: Proxy, cut: Cut | None, client: asyncio.StreamWriter, server: asyncio.StreamWriter):
        self._proxy = proxy
        self._cut = cut
        self._to = {"up": server, "down": client}
        self._passed = {"up": 0, "down": 0}
        # The directions that were ended; bytes of theirs that come later are lost.
        self._ended: set[Direction] = set()
        self._is_over = False

    async def carry(self, direction: Direction, reader: asyncio.StreamReader) -> None:
        """Carry bytes in one direction."""
        piece_size = _PIECE if self._proxy.rate is None else max(1, self._proxy.rate // 20)
        with suppress(OSError):
            while piece := await reader.read(piece_size):
                await self._proxy.pass_on(len(piece))
                if self._is_over or direction in self._ended or not await self._carry(direction, piece):
                    return
            await self._proxy.pass_on(0)
            self.end(direction)

    async def _carry(self, direction: Direction, piece: bytes) -> bool:
        """Carry a piece; return whether the direction goes on."""
        fate = self._proxy.fate(piece) if direction == "up" else None
        if fate is not None:
            await self._refuse(fate)
            return False
        room = self._room(direction)
        self._passed[direction] += len(piece[:room])
        writer = self._to[direction]
        writer.write(piece[:room])
        if room is not None and len(piece) >= room:
            assert self._cut is not None
            self.cut(self._cut.how)
            return False
        await writer.drain()
        return True

    def _room(self, direction: Direction) -> int | None:
        """Return how many bytes are left until the cut."""
        if self._cut is None or self._cut.direction != direction:
            return None
        return self._cut.at - self._passed[direction]

    async def _refuse(self, fate: Block) -> None:
        if fate == "hang":
            return
        if fate == "refuse":
            self._to["down"].write(_PAGE)
            await self._to["down"].drain()
        self.close("rst" if fate == "cut" else "fin")

    def cut(self, how: How) -> None:
        """Cut both sockets."""
        if not self._is_over:
            self._proxy.cut += 1
            self.close(how)

    def close(self, how: How) -> None:
        """Close both sockets."""
        if not self._is_over:
            self._is_over = True
            for writer in self._to.values():
                _abort(writer, how)

    def end(self, direction: Direction) -> None:
        """Send the end of one direction."""
        if not self._is_over and direction not in self._ended:
            self._ended.add(direction)
            with suppress(OSError):
                self._to[direction].write_eof()


def _abort(writer: asyncio.StreamWriter, how: How) -> None:
    if how == "rst":
        opened = writer.get_extra_info("socket")  # None once it is closed, on uvloop
        with suppress(OSError, AttributeError):
            # Lingering for zero seconds: what is unsent is discarded, and the peer gets a reset.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


@asynccontextmanager
async def proxy(target: int, plan: Callable[[], Cut | None] = lambda: None) -> AsyncIterator[Proxy]:
    """Open a proxy on a free port of 127.0.0.1 in front of another; at the end it cuts what is left.

    Args:
        plan: draws a cut for each connection.
    """
    opened = Proxy(target)
    opened.plan = plan
    server = await asyncio.start_server(opened.accept, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        server.close()
        opened.thaw()
        opened.cut_all()
        while len(opened):  # noqa: ASYNC110 (connections announce no end)
            await asyncio.sleep(0.005)


class ThreadedProxy:
    """A proxy in a thread of its own, for tests without a loop."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy, self._loop = proxy, loop

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._proxy.port}"

    def block(self, path: str, how: Block = "cut") -> None:
        """Let no more requests of HTTP/1.1 for a path through."""
        self._do(lambda: self._proxy.block(path, how))

    def unblock(self, path: str) -> None:
        """Let requests for a path through again."""
        self._do(lambda: self._proxy.unblock(path))

    def throttle(self, rate: int) -> None:
        """Let so many bytes a second through in each direction of connections that are opened from now on."""
        self._proxy.rate = rate

    def freeze(self) -> None:
        """Let no byte through, and leave every connection open."""
        self._do(self._proxy.freeze)

    def thaw(self) -> None:
        """Let bytes through again."""
        self._do(self._proxy.thaw)

    def _do(self, job: Callable[[], None]) -> None:
        async def run() -> None:
            job()

        _wait(run(), self._loop)


@contextmanager
def threaded_proxy(target: int) -> Iterator[ThreadedProxy]:
    """Open a proxy in front of a port of 127.0.0.1 for a while, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy")
    thread.start()
    opening = proxy(target)
    try:
        opened = _wait(opening.__aenter__(), loop)
        try:
            yield ThreadedProxy(opened, loop)
        finally:
            _wait(opening.__aexit__(None, None, None), loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Wait for work in another thread's loop."""
    return asyncio.run_coroutine_threadsafe(work, loop).result(10)
