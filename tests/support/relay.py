"""A TCP relay in a thread of its own, in front of a server, that cuts what goes through it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Relay:
    """Passes bytes on between clients and a port of 127.0.0.1."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self._target, self._loop = target, loop
        # The port that it listens on.
        self.port = 0
        # How many connections it has taken.
        self.accepted = 0
        # The sockets of both sides that are open.
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def cut(self) -> int:
        """Reset every connection on both sides, and return how many there were."""
        return self._do(self._cut())

    def start(self) -> None:
        """Begin to listen."""
        self._do(self._start())

    def stop(self) -> None:
        """Cut what is open and listen no more."""
        self._do(self._stop())

    def _do(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def _stop(self) -> int:
        assert self._server is not None
        self._server.close()
        count = await self._cut()
        # Each connection's task ends when both of its sides were cut.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)
        return count

    async def _cut(self) -> int:
        count = len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        return count

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, forth}
        await asyncio.gather(_pass(reader, forth), _pass(back, writer))
        self._open -= {writer, forth}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until either end is cut or has ended; then end the other."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Relay to a port of this machine for a while."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    between = Relay(target, loop)
    between.start()
    try:
        yield between
    finally:
        between.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
