"""A connection of the load client with HTTP/2: prior knowledge, windows that never fill, many streams."""

from __future__ import annotations

import time

import hpack

from tests.bench.connections import Clock, Connection, Tally
from tests.bench.spec import Spec

# RFC 9113 6.9.1: the largest window there is.
_WINDOW = 2**31 - 1
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CREDIT = 0, 1, 3, 4, 6, 7, 8
_ACK, _END_HEADERS, _END_STREAM = 1, 4, 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame (RFC 9113 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Http2(Connection):
    """Streams of Server-Sent Events on one connection."""

    def __init__(self, spec: Spec, path: str, clock: Clock, is_sampled: bool) -> None:
        super().__init__(spec, path, clock, is_sampled)
        # By stream: 1, 3, 5, …
        self.tallies = [Tally(clock, is_sampled and not index) for index in range(spec.streams)]
        self._greeted = 0
        self._cut = b""
        self.take = self._take_body

    def request(self) -> bytes:
        settings = (4).to_bytes(2, "big") + _WINDOW.to_bytes(4, "big")
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(_SETTINGS, 0, 0, settings)
        start += frame(_CREDIT, 0, 0, (_WINDOW - 65535).to_bytes(4, "big"))
        encoder = hpack.Encoder()
        head = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", self._path)]
        for index in range(len(self.tallies)):
            start += frame(_HEADERS, _END_HEADERS | _END_STREAM, 2 * index + 1, encoder.encode(head))
        return start

    def _take_body(self, buffer: bytearray, size: int) -> None:
        data = self._cut + buffer[:size]
        at, total = 0, len(data)
        while total - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3], "big")
            if end > total:
                break
            if data[at + 3] == _DATA:
                self._take_data(data, at, end)
            else:
                self._take_other(data, at, end)
            at = end
        self._cut = bytes(data[at:])

    def _take_data(self, data: bytes | bytearray, at: int, end: int) -> None:
        tally = self.tallies[int.from_bytes(data[at + 5 : at + 9], "big") // 2]
        tally.add(data.count(b"/", at + 9, end), end - at)
        if tally.is_watched and data.endswith(b"\n\n", at + 9, end):
            tally.look(data, at + 9, end, False)

    def _take_other(self, data: bytes | bytearray, at: int, end: int) -> None:
        kind, flags = data[at + 3], data[at + 4]
        if kind == _HEADERS:
            self._greeted += 1
            if self._greeted == len(self.tallies):
                self.served = time.monotonic()
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self.send(frame(kind, _ACK, 0, bytes(data[at + 9 : end]) if kind == _PING else b""))
        elif kind in (_RESET, _GOAWAY):
            raise ConnectionError(f"frame {kind} with {bytes(data[at + 9 : end])!r}")
