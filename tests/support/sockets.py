"""A client of ``/v1/ws``, in both subprotocols."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.live import Live

JSON, MSGPACK = "ticker.v1.json", "ticker.v1.msgpack"


class Socket:
    """A client that numbers its ops and keeps the events that come between the answers."""

    def __init__(self, connection: ClientConnection, binary: bool) -> None:
        self.connection = connection
        self._binary = binary
        self._serial = 0
        self.events: list[Any] = []

    async def receive(self) -> Any:
        """Return the next message."""
        async with asyncio.timeout(5):
            message = await self.connection.recv()
        if isinstance(message, bytes):
            return msgspec.msgpack.decode(message)
        return json.loads(message)

    async def event(self, kind: str) -> Any:
        """Return the next event of a kind; all before it are dropped."""
        while True:
            event = self.events.pop(0) if self.events else await self.receive()
            if event["type"] == kind:
                return event

    async def send(self, message: object) -> None:
        """Send anything."""
        await self.connection.send(msgspec.msgpack.encode(message) if self._binary else json.dumps(message))

    async def ask(self, op: str, **fields: object) -> Any:
        """Send an op and return its answer."""
        self._serial += 1
        await self.send({"op": op, "id": self._serial, **fields})
        while (answer := await self.receive()).get("id") != self._serial:
            self.events.append(answer)
        return answer

    async def closed(self) -> int:
        """Return the code with which the server closes."""
        with suppress(ConnectionClosed):
            while True:
                await self.receive()
        return self.connection.close_code or 0


@asynccontextmanager
async def opened(server: Live, query: str = "", protocol: str = JSON) -> AsyncIterator[Socket]:
    """Open a WebSocket."""
    url = f"ws://127.0.0.1:{server.port}/v1/ws?{query}"
    async with connect(url, subprotocols=[Subprotocol(protocol)], proxy=None) as connection:
        assert connection.subprotocol == protocol
        yield Socket(connection, protocol == MSGPACK)
