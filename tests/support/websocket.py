"""A raw WebSocket client over HTTP/1.1, which answers nothing by itself."""

from __future__ import annotations

import asyncio

from wsproto.connection import Connection, ConnectionType
from wsproto.events import Event, Ping

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
"""The head of a handshake, without the empty line that ends it."""


def frames(*events: Event) -> bytes:
    """Return the bytes of a client's frames."""
    wsproto = Connection(ConnectionType.CLIENT)
    return b"".join(wsproto.send(event) for event in events)


class WebSocketClient:
    """One WebSocket after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        # The head of the server's answer.
        self.head = head
        self.writer = writer
        # All that came.
        self.received: list[Event] = []
        self._reader = reader
        self._wsproto = Connection(ConnectionType.CLIENT)

    @classmethod
    async def connect(cls, port: int, head: bytes = UPGRADE) -> WebSocketClient:
        """Connect to a port of 127.0.0.1 and shake hands."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"\r\n")
        return cls(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    def send(self, event: Event) -> None:
        """Send a frame."""
        self.writer.write(self._wsproto.send(event))

    async def read(self) -> bool:
        """Read once; return False at the end."""
        data = await self._reader.read(65536)
        if data:
            self._wsproto.receive_data(data)
            self.received += self._wsproto.events()
        return bool(data)

    async def events(self) -> list[Event]:
        """Read until the server closes; return all that came."""
        while await self.read():
            pass
        self.writer.close()
        return self.received

    async def answer_pings(self, count: int) -> None:
        """Answer so many pings, and nothing else must come."""
        for number in range(count):
            while len(self.received) == number:
                await self.read()
            ping = self.received[number]
            assert isinstance(ping, Ping)
            self.send(ping.response())
