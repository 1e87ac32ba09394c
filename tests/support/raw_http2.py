"""A raw HTTP/2 client, which does what browsers don't: gives no credit, resets, floods, sends what is wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.serving import Serving

CONNECT = {":protocol": "websocket", "sec-websocket-version": "13"}
"""The headers of a request for a WebSocket (RFC 8441); its method is CONNECT."""


class RawHttp2:
    """One connection with prior knowledge, or TLS with ALPN. Credit for what arrives is given unless told not to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gives_credit: bool) -> None:
        self._reader, self.writer, self._gives_credit = reader, writer, gives_credit
        config = h2.config.H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config=config)
        # What has come, by stream.
        self.status: dict[int, str] = {}
        self.headers: dict[int, dict[bytes, bytes]] = {}
        self.data: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        # The code of a GOAWAY, and the acknowledged pings.
        self.goaway: int | None = None
        self.pongs = 0
        self.is_eof = False

    @classmethod
    async def connect(
        cls, port: int, *, tls: ssl.SSLContext | None = None, gives_credit: bool = True, window: int = 65535
    ) -> RawHttp2:
        """Connect to a port of 127.0.0.1 and exchange the settings."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls), gives_credit)
        client.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        client.h2.initiate_connection()
        client.flush()
        try:
            await client.until(lambda: client.h2.remote_settings.enable_connect_protocol)
        except BaseException:
            client.writer.close()
            raise
        return client

    def request(
        self, path: str, method: str = "GET", *, end: bool = True, headers: dict[str, str] | None = None
    ) -> int:
        """Send a request's head and return its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = {":method": method, ":scheme": "http", ":authority": "localhost", ":path": path}
        extra = headers or {}
        ours = {**pseudo, **{name: value for name, value in extra.items() if name.startswith(":")}}
        plain = {name: value for name, value in extra.items() if not name.startswith(":")}
        self.h2.send_headers(stream, [*ours.items(), *plain.items()], end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send data of a stream."""
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def reset(self, stream: int) -> None:
        """Take a request back."""
        self.h2.reset_stream(stream, 8)
        self.flush()

    def flush(self) -> None:
        """Write what h2 has to say."""
        self.writer.write(self.h2.data_to_send())

    def has_data_of(self, streams: list[int]) -> bool:
        """Say whether something has come on each of the streams."""
        return all(self.data[stream] for stream in streams)

    async def until(self, check: Callable[[], object], seconds: float = 10) -> None:
        """Read until a check holds."""
        async with asyncio.timeout(seconds):
            while not check():
                assert not self.is_eof, "the server closed the connection"
                await self.read()

    async def read(self) -> None:
        """Read once."""
        data = await self._reader.read(65536)
        self.is_eof = not data
        # h2 takes nothing more after a GOAWAY.
        if self.goaway is None:
            for event in self.h2.receive_data(data):
                self._take(event)
            self.flush()

    async def round_trip(self) -> None:
        """Send a PING and wait until it is acknowledged."""
        wanted = self.pongs + 1
        self.h2.ping(b"12345678")
        self.flush()
        await self.until(lambda: self.pongs >= wanted)

    async def end(self, seconds: float = 10) -> None:
        """Read until the server closes the connection."""
        async with asyncio.timeout(seconds):
            while not self.is_eof:
                await self.read()

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self.status[event.stream_id] = dict(event.headers)[b":status"].decode()
                self.headers[event.stream_id] = dict(event.headers)
            case h2.events.DataReceived():
                self.data[event.stream_id] += event.data
                if self._gives_credit:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.ended.add(event.stream_id)
            case h2.events.StreamReset():
                self.resets[event.stream_id] = int(event.error_code or 0)
            case h2.events.ConnectionTerminated():
                self.goaway = int(event.error_code or 0)
            case h2.events.PingAckReceived():
                self.pongs += 1


@asynccontextmanager
async def http2(served: Serving, **options: Any) -> AsyncIterator[RawHttp2]:
    """Connect with prior knowledge."""
    client = await RawHttp2.connect(served.port, **options)
    try:
        yield client
    finally:
        await client.close()
