"""A fake server: plays scripted bytes, one play for each request, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.frames import Close, Frame, Opcode
from websockets.utils import accept_key

# After a play: close the connection, keep it open until the client closes it, or read the next request.
End = Literal["close", "hold", "next"]


@dataclass(frozen=True)
class Play:
    """What one request is answered with."""

    data: bytes
    end: End = "close"
    # True for a WebSocket: the accept key and the agreed protocol go first.
    upgrade: bool = False


@dataclass
class Asked:
    """A request that came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)


class Still(Random):
    """Never waits: the lowest of every range."""

    def random(self) -> float:
        return 0.0


class Peer:
    """A server on a free port of loopback; when its plays have run out it closes every connection at once."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.asked: list[Asked] = []
        # The bodies of those that had one.
        self.bodies: list[bytes] = []
        # What came after each request, such as a WebSocket's frames.
        self.received = b""
        # How many connections the client closed while they were held.
        self.left = 0
        self.changed = asyncio.Condition()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._writers: set[asyncio.StreamWriter] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: not self._writers)

    async def wait_left(self, count: int) -> None:
        """Wait until the client has closed so many held connections."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.left >= count)

    def pending(self) -> int:
        """Return how many bytes the client's sockets have not taken yet."""
        return sum(writer.transport.get_write_buffer_size() for writer in self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()
        async with self.changed:
            self._writers.discard(writer)
            self.changed.notify_all()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Play the next play; return whether another request may follow on this connection."""
        asked = read_head(await reader.readuntil(b"\r\n\r\n"))
        self.asked.append(asked)
        if "content-length" in asked.headers:
            self.bodies.append(await reader.readexactly(int(asked.headers["content-length"])))
        if not self.plays:
            return False
        play = self.plays.pop(0)
        if play.upgrade:
            writer.write(handshake(asked))
            self.received += await reader.read(65536)  # unread bytes would turn the close into a reset
        writer.write(play.data)
        await writer.drain()
        if play.end == "hold":
            while data := await reader.read(65536):
                self.received += data
            async with self.changed:
                self.left += 1
                self.changed.notify_all()
        return play.end == "next"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody announces, such as a subscription's state."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.005)


def read_head(head: bytes) -> Asked:
    first, *lines = head.decode().strip().split("\r\n")
    url = urlsplit(first.split(" ")[1])
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    return Asked(url.path, query, {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in lines})


def handshake(asked: Asked) -> bytes:
    accept = accept_key(asked.headers["sec-websocket-key"])
    protocol = asked.headers["sec-websocket-protocol"]
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    ).encode()


def answer(status: int, body: bytes, *headers: str, end: End = "next") -> Play:
    """Answer with a whole body."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return Play("\r\n".join([*lines, "", ""]).encode() + body, end)


def refuse(status: int, code: str, message: str, *headers: str, field: str | None = None) -> Play:
    """Answer with an error of the contract."""
    error = {"code": code, "message": message} | ({"field": field} if field else {})
    return answer(status, json.dumps({"error": error}).encode(), "Content-Type: application/json", *headers)


def sse(*messages: dict[str, Any], end: End = "close", cut: int | None = None) -> Play:
    """Stream messages as events; ``cut`` takes so many bytes off the end."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 1500\n\n"
    data = head + b"".join(map(event, messages))
    return Play(data[: len(data) - (cut or 0)], end)


def event(message: dict[str, Any]) -> bytes:
    data = {name: value for name, value in message.items() if name != "type" or message["type"] in ("quote", "trade")}
    return f"event: {message['type']}\ndata: {json.dumps(data)}\n\n".encode()


def websocket(
    *messages: dict[str, Any], codec: str = "json", close: int | None = None, end: End = "close", reason: str = "bye"
) -> Play:
    """Send messages as frames, and a closing frame if a code is given."""
    pack = msgspec.json.encode if codec == "json" else msgspec.msgpack.encode
    opcode = Opcode.TEXT if codec == "json" else Opcode.BINARY
    frames = [Frame(opcode, pack(message)) for message in messages]
    if close is not None:
        frames.append(Frame(Opcode.CLOSE, Close(close, reason).serialize()))
    return Play(b"".join(frame.serialize(mask=False) for frame in frames), end, upgrade=True)


def page(cursor: str, ticks: Iterable[dict[str, Any]] = (), **more: Any) -> Play:
    """Answer a poll."""
    body = {"session": "s", "cursor": cursor, "gap": None, "snapshot": None, "ticks": list(ticks), "more": False}
    return answer(200, json.dumps(body | more).encode(), "Content-Type: application/json")


def hello(cursor: str, newest: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "hello", "cursor": cursor, "newest": newest or cursor, "heartbeat": 15, "follows": None} | more


def quote(cursor: str, symbol: str = "A") -> dict[str, Any]:
    record = {"type": "quote", "symbol": symbol, "bid": 1.0, "bid_size": 1.0, "ask": 1.5, "ask_size": 2.0}
    return record | {"ts": int(cursor.split("-")[1]), "cursor": cursor}


def trade(cursor: str, symbol: str = "A") -> dict[str, Any]:
    record = {"type": "trade", "symbol": symbol, "price": 1.25, "size": 1.0, "side": "buy"}
    return record | {"ts": int(cursor.split("-")[1]), "cursor": cursor}


def snapshot(cursor: str, scope: str = "all") -> dict[str, Any]:
    return {"type": "snapshot", "cursor": cursor, "scope": scope, "quotes": [quote(cursor)], "trades": []}


def batch(begin: str, end: str, *ticks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "ticks", "from": begin, "to": end, "ticks": list(ticks)}
