"""Connection: one TCP connection of a client, over Server-Sent Events, WebSocket or polls."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, cast

import httpx
import msgspec
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Opcode
from websockets.utils import accept_key

from ticker.client.exchange import answer_error
from ticker.client.websocket import FINAL
from ticker.core.codes import BadCursor, Disconnected, Violation
from ticker.core.cursor import Cursor
from ticker.core.eventstream import EventStreamParser
from ticker.tools.load.frames import FrameParser, Received, to_frame
from ticker.tools.load.http1 import AnswerParser, End, Head
from ticker.tools.load.meter import Traffic
from ticker.tools.load.reading import Page, Reader, Told, read_page

# An abort then sends RST instead of FIN (SO_LINGER, socket(7)): nothing of what is under way arrives any more.
_RESET = struct.pack("ii", 1, 0)

STREAM_OP = {"op": "stream"}


class Ending(NamedTuple):
    """Why a connection ended."""

    # ``cut`` by us, ``later`` if the server asks for patience, ``final`` if it does not want us back, else ``lost``.
    kind: str
    # In the server's words, as far as it had any.
    reason: str = ""
    # Seconds after which it wants us back.
    wait: float | None = None


class Listener(Protocol):
    """Who a connection belongs to."""

    def head(self) -> bytes:
        """Return the head of the next request, without the empty line at its end."""
        ...

    def receive(self, told: Sequence[Told]) -> None:
        """Take what came."""
        ...

    def page(self, page: Page, asked: Cursor | None) -> float | None:
        """Take an answer to a poll; return how many seconds later the next one is due."""
        ...

    def asks_from(self) -> Cursor | None:
        """Return the cursor in the next request."""
        ...


class Connection(asyncio.Protocol):
    """What the three have in common: bytes are counted, and it ends once."""

    def __init__(self, listener: Listener, traffic: Traffic, reader: Reader) -> None:
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.listener = listener
        self.reader = reader
        self._traffic = traffic
        self._transport: asyncio.Transport | None = None
        self.answers = AnswerParser()
        # The head of an answer that is an error, and its body so far.
        self._error: Head | None = None
        self._error_body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.ask()

    def data_received(self, data: bytes) -> None:
        self._traffic.received += len(data)
        if self.ended.done():
            return
        try:
            self.take(data)
        except (Violation, BadCursor) as error:
            self.end(Ending("lost", f"violation: {error.message}"))

    def connection_lost(self, error: Exception | None) -> None:
        if error is None or isinstance(error, OSError):
            self.end(Ending("lost", "reset" if error else "closed"))
        elif not self.ended.done():
            self.ended.set_exception(error)  # a bug of ours, which the loop took for the connection's end

    def ask(self) -> None:
        """Send the request, or the next one."""
        self._traffic.requests += 1
        self.send(self.listener.head() + b"\r\n\r\n")

    def take(self, data: bytes) -> None:
        """Take bytes of the server."""
        for part in self.answers.feed(data):
            self.take_part(part)

    def take_part(self, part: Head | bytes | End) -> None:
        """Take a part of an answer; those of an error end the connection with what it says."""
        match part:
            case Head(status=status) if status != self.expected():
                self._error = part
            case Head():
                self.begin(part)
            case End() if self._error is not None:
                self.end(_refusal(self._error, self._error_body))
            case End():
                self.finish()
            case bytes() if self._error is not None:
                self._error_body += part
            case bytes():
                self.body(part)

    def expected(self) -> int:
        """Return the status of an answer that is none of an error."""
        return 200

    def begin(self, head: Head) -> None:
        """Take the head of an answer."""

    def body(self, piece: bytes) -> None:
        """Take a piece of its body."""

    def finish(self) -> None:
        """Take the end of an answer."""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self._transport is not None
        self._traffic.sent += len(data)
        self._transport.write(data)

    def end(self, ending: Ending) -> None:
        """End for good; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(ending)
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """End as a network does that is gone: the peer gets no more than a reset."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.end(Ending("cut"))


class EventStreamConnection(Connection):
    """``GET /v1/stream``."""

    def __init__(self, listener: Listener, traffic: Traffic, reader: Reader) -> None:
        super().__init__(listener, traffic, reader)
        self._parser = EventStreamParser()
        # Whether the last byte was the end of an event.
        self._is_between = True

    def begin(self, head: Head) -> None:
        if not head.headers.get("content-type", "").startswith("text/event-stream"):
            self.end(Ending("lost", "the answer is no event stream"))

    def body(self, piece: bytes) -> None:
        told = self.reader.events(piece) if self._is_between else None
        if told is None:
            is_last = piece.endswith(b"\n\n")
            told = self.reader.parse(piece, self._parser, is_whole=self._is_between and is_last)
            self._is_between = is_last
        self.listener.receive(told)

    def finish(self) -> None:
        self.end(Ending("lost", "the stream ended"))


class WebSocketConnection(Connection):
    """``/v1/ws``, with the subprotocol that the request names."""

    def __init__(self, listener: Listener, traffic: Traffic, reader: Reader) -> None:
        super().__init__(listener, traffic, reader)
        self._key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._frames: FrameParser | None = None

    def ask(self) -> None:
        self._traffic.requests += 1
        self.send(self.listener.head() + f"\r\nSec-WebSocket-Key: {self._key}\r\n\r\n".encode())

    def expected(self) -> int:
        return 101

    def take(self, data: bytes) -> None:
        if self._frames is None:
            super().take(data)
            data = self.answers.rest() if self._frames is not None else b""
        if self._frames is not None:
            for received in self._frames.feed(data):
                self._take_frame(received)

    def begin(self, head: Head) -> None:
        if head.headers.get("sec-websocket-accept") != accept_key(self._key):
            raise Violation("a handshake without the right Sec-WebSocket-Accept")
        self._frames = FrameParser()
        is_text = head.headers.get("sec-websocket-protocol", "").endswith("json")
        op = msgspec.json.encode(STREAM_OP) if is_text else msgspec.msgpack.encode(STREAM_OP)
        self.send(to_frame(Opcode.TEXT if is_text else Opcode.BINARY, op))

    def _take_frame(self, received: Received) -> None:
        match received.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                is_text = received.opcode is Opcode.TEXT
                self.listener.receive(self.reader.frame(received.data, is_text=is_text))
            case Opcode.PING:
                self.send(to_frame(Opcode.PONG, received.data))
            case Opcode.CLOSE:
                self.end(_closing(received.data))


class PollConnection(Connection):
    """``GET /v1/poll`` again and again."""

    def __init__(self, listener: Listener, traffic: Traffic, reader: Reader) -> None:
        super().__init__(listener, traffic, reader)
        self._body = b""
        self._asked: Cursor | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        self._asked = self.listener.asks_from()
        super().ask()

    def body(self, piece: bytes) -> None:
        self._body += piece

    def finish(self) -> None:
        body, self._body = self._body, b""
        wait = self.listener.page(read_page(body), self._asked)
        if wait is not None:
            self._timer = asyncio.get_running_loop().call_later(wait, self.ask)
        elif not self.ended.done():
            self.ask()

    def end(self, ending: Ending) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().end(ending)


def _refusal(head: Head, body: bytes) -> Ending:
    """Return what an answer with an error means."""
    error = answer_error(head.status, httpx.Headers(head.headers), body)
    if isinstance(error, Disconnected):
        return Ending("later", f"refused: {error.code}", error.retry_after)
    return Ending("final", str(error))


def _closing(data: bytes) -> Ending:
    """Return what the code in a closing frame means."""
    try:
        close = Close.parse(data)
    except (ProtocolError, UnicodeDecodeError):
        return Ending("lost", "closed with a bad code")
    reason = f"closed: {close.code} {close.reason}".rstrip()
    return Ending("final" if close.code in FINAL else "lost", reason)
