"""A peer: a plain ASGI app on Hypercorn and uvloop, which streams one event every 10 ms to whoever asks.

It says its port on stdout. ``GET /sse?bytes=205`` tells how many bytes an event takes in its DATA frame of HTTP/2.
"""

from __future__ import annotations

import asyncio
import socket
import time
from urllib.parse import parse_qs

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from tests.bench.payload import INTERVAL, make_payload

# Bytes around a record: the head of its frame, "data: " and the line ends.
_AROUND = 9 + 6 + 2


class Beat:
    """The tick that every stream waits for; its events, made once for each length."""

    def __init__(self) -> None:
        self._seq = 0
        self._next: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._events: dict[int, bytes] = {}

    async def run(self) -> None:
        """Tick at multiples of the interval; after a pause those missed are left out."""
        due = time.monotonic()
        while True:
            await asyncio.sleep(due - time.monotonic())
            self._seq += 1
            self._events.clear()
            self._next.set_result(None)
            self._next = asyncio.get_running_loop().create_future()
            due = max(due + INTERVAL, time.monotonic())

    async def event(self, size: int) -> bytes:
        """Wait for the next tick and return its event."""
        await asyncio.shield(self._next)
        if size not in self._events:
            self._events[size] = b"data: %b\n\n" % make_payload(size - _AROUND, self._seq)
        return self._events[size]


async def main() -> None:
    """Serve until killed."""
    beat = Beat()

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        size = int(parse_qs(scope["query_string"])[b"bytes"][0])
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
        while True:
            await send({"type": "http.response.body", "body": await beat.event(size), "more_body": True})

    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.accesslog = config.errorlog = None
    print(listening.getsockname()[1], flush=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(beat.run(), name="beat")
        group.create_task(serve(app, config), name="serve")


if __name__ == "__main__":
    uvloop.run(main())
