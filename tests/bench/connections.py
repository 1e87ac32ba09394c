"""Connections of the load client: they count what arrives with as little work as Python can do.

A message is one tick's event or frame (of a peer: one frame, whatever it stands for). Names of the metronome's and the
peers' symbols have one slash, and nothing else in an event stream after its first events has one, so there a message is
counted by one byte, which no boundary can split. A *write* is what one read finds, or one DATA frame of HTTP/2.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import time
from collections.abc import Callable

from tests.bench.spec import Spec

# Times and cursors in JSON (two spellings of one thing: MessagePack writes the time as an unsigned 64-bit integer).
_JSON_TS, _JSON_CURSOR = re.compile(rb'"ts":(\d{16})'), b'"cursor":"'
_MSGPACK_TS, _MSGPACK_CURSOR = re.compile(rb"\xa2ts\xcf(.{8})", re.DOTALL), b"\xa6cursor"

# Frame types (RFC 6455 5.2).
_PING = 0x89


class Clock:
    """What all connections of a load share: which marks are due, and whether latencies are taken."""

    def __init__(self) -> None:
        # How many marks each connection should have; raised at the beginning and at the end of what is measured.
        self.marks = 0
        # Microseconds from a tick's time to its arrival, of sampled connections; None while nothing counts.
        self.latencies: list[int] | None = None


class Tally:
    """What one stream has got."""

    def __init__(self, clock: Clock, is_sampled: bool) -> None:
        self._clock = clock
        self._is_sampled = is_sampled
        self.messages = 0
        self.writes = 0
        self.bytes = 0
        # The seq of a message and how many had come with it: proof that none is missing between two marks.
        self.marks: list[tuple[int, int]] = []

    def add(self, messages: int, size: int) -> None:
        """Count what one write has brought."""
        self.bytes += size
        if messages:
            self.messages += messages
            self.writes += 1

    @property
    def is_marked(self) -> bool:
        """Whether no mark is due."""
        return len(self.marks) >= self._clock.marks

    @property
    def is_watched(self) -> bool:
        """Whether somebody wants to look into what has come."""
        return len(self.marks) < self._clock.marks or (self._is_sampled and self._clock.latencies is not None)

    def look(self, data: bytes | bytearray, start: int, end: int, is_msgpack: bool) -> None:
        """Look into whole messages for their times and the last one's place."""
        if self._is_sampled and self._clock.latencies is not None:
            self._take_latencies(data, start, end, is_msgpack)
        if not self.is_marked:
            seq = last_seq(data, start, end, is_msgpack)
            if seq is not None:
                self.marks.append((seq, self.messages))

    def _take_latencies(self, data: bytes | bytearray, start: int, end: int, is_msgpack: bool) -> None:
        assert self._clock.latencies is not None
        now = time.time_ns() // 1000
        if is_msgpack:
            found = [int.from_bytes(match[1], "big") for match in _MSGPACK_TS.finditer(data, start, end)]
        else:
            found = [int(match[1]) for match in _JSON_TS.finditer(data, start, end)]
        self._clock.latencies += [now - ts for ts in found]


def last_seq(data: bytes | bytearray, start: int, end: int, is_msgpack: bool) -> int | None:
    """Return the seq in the last cursor of some whole messages."""
    key = _MSGPACK_CURSOR if is_msgpack else _JSON_CURSOR
    at = data.rfind(key, start, end)
    if at < 0:
        return None
    at += len(key)
    # MessagePack has the length before the text, in five bits (a fixstr); JSON a quotation mark after it.
    text = data[at + 1 : at + 1 + (data[at] & 0x1F)] if is_msgpack else data[at : data.find(b'"', at, end)]
    seq = text.rpartition(b"-")[2]
    return int(seq) if seq.isdigit() else None


class Connection:
    """A connection and its one stream; subclasses read a protocol."""

    def __init__(self, spec: Spec, path: str, clock: Clock, is_sampled: bool) -> None:
        self._spec = spec
        self._path = path
        self.tallies = [Tally(clock, is_sampled)]
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Takes what has come: the first bytes of a buffer.
        self.take: Callable[[bytearray, int], None] = self._take_head
        self._head = bytearray()
        # When the first event was there (``spec.greeting``), by time.monotonic; None until then.
        self.served: float | None = None

    def request(self) -> bytes:
        """Return what is sent first."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send a little."""
        assert self.socket.send(data) == len(data)

    def _take_head(self, buffer: bytearray, size: int) -> None:
        self._head += buffer[:size]
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        status = bytes(head.split(b" ", 2)[1])
        if status not in (b"200", b"101"):
            raise ConnectionError(f"{self._path}: {bytes(self._head[:500])!r}")
        self._begin()
        self.take = self._take_greeting
        self._head.clear()
        self.take(rest, len(rest))

    def _begin(self) -> None:
        """Do what comes after the head."""

    def _take_greeting(self, buffer: bytearray, size: int) -> None:
        greeting = self._spec.greeting.encode()
        if greeting and not self._head.endswith(greeting):
            self._head = self._head[-len(greeting) :] + buffer[:size]
            at = self._head.find(greeting)
            if at < 0:
                self._take_body(buffer, size)
                return
        self.served = time.monotonic()
        self.take = self._take_body
        self._head.clear()
        self._take_body(buffer, size)

    def _take_body(self, buffer: bytearray, size: int) -> None:
        raise NotImplementedError


class EventStream(Connection):
    """Server-Sent Events on HTTP/1.1."""

    def request(self) -> bytes:
        return f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def _take_body(self, buffer: bytearray, size: int) -> None:
        tally = self.tallies[0]
        tally.add(buffer.count(b"/", 0, size), size)
        # At the end of a chunk all messages are whole.
        if tally.is_watched and buffer.endswith(b"\n\r\n", 0, size):
            tally.look(buffer, 0, size, False)


class WebSocket(Connection):
    """A WebSocket; its frames are counted by their heads, at their ends."""

    is_msgpack = False

    def __init__(self, spec: Spec, path: str, clock: Clock, is_sampled: bool) -> None:
        super().__init__(spec, path, clock, is_sampled)
        # How many bytes of a frame whose head has been read are still to come.
        self._open = 0
        self._is_data_open = False
        # The beginning of a frame's head.
        self._cut = b""

    def request(self) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        protocol = f"Sec-WebSocket-Protocol: {self._spec.protocol}\r\n" if self._spec.protocol else ""
        return (
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
        ).encode()

    def _begin(self) -> None:
        if self._spec.messages:
            opcode = 2 if self.is_msgpack else 1
            self.send(b"".join(client_frame(opcode, bytes.fromhex(each)) for each in self._spec.messages))

    def _take_body(self, buffer: bytearray, size: int) -> None:
        tally = self.tallies[0]
        data: bytes | bytearray = buffer
        total = size
        if self._cut:
            data = self._cut + buffer[:size]
            total, self._cut = len(data), b""
        frames, at = self._hop(data, total)
        tally.add(frames, size)
        if tally.is_watched and at == total and not self._open:
            tally.look(data, 0, total, self.is_msgpack)

    def _hop(self, data: bytes | bytearray, total: int) -> tuple[int, int]:
        """Return how many data frames end here, and the place up to which was looked."""
        frames, at = 0, 0
        if self._open:
            at = min(self._open, total)
            self._open -= at
            frames = self._is_data_open and not self._open
        while at < total:
            left = total - at
            length = data[at + 1] & 0x7F if left > 1 else 0
            head = 2 if length < 126 else 4 if length == 126 else 10
            if left < head:
                self._cut = bytes(data[at:total])
                return frames, total
            if length >= 126:
                length = int.from_bytes(data[at + 2 : at + head], "big")
            if data[at] >= 0x88:
                self._control(data, at, head, length)
            end = at + head + length
            self._is_data_open = data[at] < 0x88
            frames += end <= total and self._is_data_open
            self._open = max(0, end - total)
            at = min(end, total)
        return frames, at

    def _control(self, data: bytes | bytearray, at: int, head: int, length: int) -> None:
        if data[at] == _PING:
            self.send(client_frame(10, bytes(data[at + head : at + head + length])))
        elif data[at] == 0x88:
            raise ConnectionError(f"closed with {bytes(data[at + head : at + head + length])!r}")


class PackedWebSocket(WebSocket):
    """A WebSocket with MessagePack."""

    is_msgpack = True


def client_frame(opcode: int, content: bytes) -> bytes:
    """Return a client's frame of up to 65,535 bytes; a mask of zeros is one, too (RFC 6455 5.3)."""
    length = len(content)
    head = bytes([length | 0x80]) if length < 126 else bytes([126 | 0x80]) + length.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + head + bytes(4) + content
