"""A client that comes back with its cursor whatever happens, on raw connections; it keeps every tick that arrived."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from urllib.parse import urlencode

import h2.exceptions
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.support.events import Event, EventReader, read_message
from tests.support.raw_http2 import RawHttp2

Query = dict[str, str]
"""The parameters of a data connection, its cursor among them."""

Transport = Callable[[int, Query], AsyncGenerator[Event, None]]
"""Connects to a port of 127.0.0.1 and yields events until the connection ends in some way."""

BROKEN = (OSError, EOFError, WebSocketException, AssertionError, h2.exceptions.ProtocolError)
"""What a connection that is cut raises; ``AssertionError`` is how ``RawHttp2`` says that it was closed."""


async def sse(port: int, query: Query) -> AsyncGenerator[Event, None]:
    """Read an event stream over HTTP/1.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request("/v1/stream", query))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(head)
        events = EventReader()
        while size := int(await reader.readline(), 16):
            chunk = await reader.readexactly(size + 2)
            for event in events.feed(chunk[:-2]):
                yield event
    except ValueError as error:
        raise EOFError("cut within the size of a chunk") from error
    finally:
        writer.close()


async def http2(port: int, query: Query) -> AsyncGenerator[Event, None]:
    """Read an event stream over HTTP/2 with prior knowledge, its cursor in ``Last-Event-ID``."""
    client = await RawHttp2.connect(port)
    try:
        words = dict(query)
        headers = {"last-event-id": words.pop("cursor")} if "-" in words["cursor"] else {}
        stream = client.request(f"/v1/stream?{urlencode(words)}", headers=headers)
        events, taken = EventReader(), 0
        while not client.is_eof and stream not in client.ended and stream not in client.resets:
            await client.read()
            data = bytes(client.data[stream][taken:])
            taken += len(data)
            for event in events.feed(data):
                yield event
    finally:
        client.writer.close()


def _websocket(subprotocol: str, pack: Callable[[object], str | bytes]) -> Transport:
    async def events(port: int, query: Query) -> AsyncGenerator[Event, None]:
        """Read a stream over a WebSocket."""
        words = dict(query)
        cursor = words.pop("cursor")
        url = f"ws://127.0.0.1:{port}/v1/ws?{urlencode(words)}"
        async with connect(
            url,
            subprotocols=[Subprotocol(subprotocol)],
            proxy=None,
            compression=None,
            open_timeout=5,
            close_timeout=0.1,
        ) as socket:
            await socket.send(pack({"op": "stream", "cursor": cursor}))
            async for message in socket:
                event = read_message(message)
                if event.name not in ("ack", "bar"):
                    yield event

    return events


websocket_json = _websocket("ticker.v1.json", json.dumps)
websocket_msgpack = _websocket("ticker.v1.msgpack", msgspec.msgpack.encode)


async def poll(port: int, query: Query) -> AsyncGenerator[Event, None]:
    """Poll again and again over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    words = dict(query)
    try:
        while True:
            writer.write(_request("/v1/poll", words | {"wait": "5", "limit": "100"}))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            answer = json.loads(await reader.readexactly(int(length)))
            if not head.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(answer)
            for name in ("gap", "snapshot"):
                if answer[name]:
                    yield Event(name, answer[name], None)
            words["cursor"] = answer["cursor"]
            yield Event("ticks", answer, answer["cursor"])
    finally:
        writer.close()


def _request(path: str, query: Query) -> bytes:
    return f"GET {path}?{urlencode(query)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


TRANSPORTS: dict[str, tuple[Transport, Query]] = {
    "sse": (sse, {}),
    "sse in batches": (sse, {"batch": "1"}),
    "http2": (http2, {}),
    "json": (websocket_json, {}),
    "msgpack": (websocket_msgpack, {"batch": "1"}),
    "poll": (poll, {}),
}


class Survivor:
    """One client: it follows until it has got the last tick that it wants.

    Args:
        transports: what each connection uses, in turn.
        query: what every connection asks for.
        cursor: where to begin.
    """

    def __init__(self, transports: Iterator[str], query: Query, cursor: str = "earliest") -> None:
        self._transports = transports
        self._query = query
        self.cursor = cursor
        # The size of each tick that arrived, which tells its number, and how its connections ended.
        self.numbers: list[int] = []
        self.connections = 0
        # What has come besides ticks.
        self.gaps: list[Event] = []

    async def follow(self, port: int, last: Callable[[], int | None]) -> None:
        """Follow until a tick of the number ``last()`` has come, from one connection to the next."""
        while not self.numbers or self.numbers[-1] != last():
            transport, extra = TRANSPORTS[next(self._transports)]
            self.connections += 1
            try:
                async with aclosing(transport(port, self._query | extra | {"cursor": self.cursor})) as events:
                    async for event in events:
                        self._take(event)
                        if self.numbers and self.numbers[-1] == last():
                            return
            except BROKEN:
                # As real clients do, only sooner: a server that is down should not be asked in a busy loop.
                await asyncio.sleep(0.001)

    def _take(self, event: Event) -> None:
        match event.name:
            case "ticks":
                self.numbers += [number(tick) for tick in event.data["ticks"]]
            case "quote" | "trade":
                self.numbers.append(number(event.data))
            case "gap":
                self.gaps.append(event)
        self.cursor = event.id or self.cursor


def number(tick: object) -> int:
    """Return the number that a published tick bears as its size."""
    assert isinstance(tick, dict)
    return int(tick["size"] if tick["type"] == "trade" else tick["bid_size"])
