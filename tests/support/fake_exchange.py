"""A WebSocket server on 127.0.0.1 that plays an exchange, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Act = Callable[[ServerConnection], Awaitable[None]]
"""What the exchange does on a connection, after which it closes it."""

STALL = HTTPStatus.CONTINUE
"""Stands for a handshake that is never answered."""


class FakeExchange:
    """Answers the n-th connection by the n-th act: a status refuses it; after the last act every one stays silent."""

    def __init__(self, acts: Sequence[Act | HTTPStatus]) -> None:
        self._acts = list(acts)
        # The request line's target of each handshake, in order.
        self.targets: list[str] = []
        # Set when a connection's act is done or was cut off.
        self.left = asyncio.Event()
        self.endpoint = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeExchange]:
        """Listen until the context ends."""
        # No handshake is given up on this side: the client has to.
        async with serve(
            self._play, "127.0.0.1", 0, process_request=self._handshake, open_timeout=None, close_timeout=1
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.endpoint = f"ws://127.0.0.1:{port}"
            yield self

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        place = len(self.targets)
        self.targets.append(request.path)
        act = self._acts[place] if place < len(self._acts) else stay
        if act is STALL:
            await connection.wait_closed()
        if isinstance(act, HTTPStatus):
            return connection.respond(act, "no\n")
        connection.act = act  # type: ignore[attr-defined]
        return None

    async def _play(self, connection: ServerConnection) -> None:
        try:
            await connection.act(connection)  # type: ignore[attr-defined]
        finally:
            self.left.set()


async def stay(connection: ServerConnection) -> None:
    """Send nothing more until the client leaves."""
    await connection.wait_closed()


def send(*frames: str | bytes, then: Act | None = None) -> Act:
    """Make the act that sends frames, text or binary, and goes on as told."""

    async def act(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame)
        if then is not None:
            await then(connection)

    return act


async def cut(connection: ServerConnection) -> None:
    """End the TCP connection in the middle of a frame: its header promises 32 KiB, three bytes come."""
    connection.transport.write(b'\x81\x7e\x80\x00{"s')
    connection.transport.close()


async def break_protocol(connection: ServerConnection) -> None:
    """Send a frame with reserved bits, which no extension has a use for."""
    connection.transport.write(b"\xf1\x02{}")
    await connection.wait_closed()
