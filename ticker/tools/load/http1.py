"""AnswerParser: the bytes of HTTP/1.1 answers in; heads, pieces of bodies and their ends out (RFC 9112). No I/O.

Our own, because a library takes longer for a chunk than the server does: then the load would measure itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ticker.core.codes import Violation
from ticker.core.eventstream import EVENT_LIMIT

# The largest head, and the largest chunk or body: a page of ticks is no larger than two messages.
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 2 * EVENT_LIMIT


class Head(NamedTuple):
    """The beginning of an answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]


class End(NamedTuple):
    """The end of an answer."""


Part = Head | bytes | End
"""A piece of a body is a whole chunk, a whole body whose length was given, or what came of one that ends with the
connection."""


class AnswerParser:
    """Answers one after the other on one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # What comes next: a head, a chunk, so many bytes of a body, its end, or bytes until the connection ends.
        self._next: int | str = "head"

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield what is whole; take all of it before the next call.

        Raises:
            Violation: it is no HTTP/1.1, or too large.
        """
        # Nearly always a flush of the server is one chunk, and comes as one piece: then nothing is copied twice.
        if not self._buffer and self._next == "chunk":
            size, begin = _chunk_size(data, 0)
            if size > 0 and len(data) == begin + size + 2:
                yield data[begin:-2]
                return
        self._buffer += data
        while (part := self._take()) is not None:
            yield part

    def rest(self) -> bytes:
        """Return what has come and belongs to no answer: after ``101 Switching Protocols`` the other protocol's."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _take(self) -> Part | None:
        match self._next:
            case "head":
                return self._take_head()
            case "chunk":
                return self._take_chunk()
            case int(size) if len(self._buffer) >= size:
                self._next = "end"
                return self._cut(0, size, size)
            case "close" if self._buffer:
                return self.rest()
            case "end":
                self._next = "head"
                return End()
        return None

    def _take_head(self) -> Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            _check(len(self._buffer), HEAD_LIMIT)
            return None
        head = _read_head(self._cut(0, end, end + 4))
        self._next = _framing(head)
        return head

    def _take_chunk(self) -> bytes | End | None:
        size, begin = _chunk_size(self._buffer, 0)
        if size < 0 or len(self._buffer) < begin + size + 2:
            return None
        chunk = self._cut(begin, begin + size, begin + size + 2)
        if size:
            return chunk
        self._next = "head"
        return End()

    def _cut(self, begin: int, end: int, until: int) -> bytes:
        piece = bytes(memoryview(self._buffer)[begin:end])
        del self._buffer[:until]
        return piece


def _chunk_size(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Return the size of the chunk that begins at ``start``, -1 if it is not known yet, and where its data begins."""
    end = data.find(b"\r\n", start)
    if end < 0:
        _check(len(data) - start, HEAD_LIMIT)
        return -1, start
    try:
        size = int(data[start:end].partition(b";")[0], 16)
    except ValueError:
        raise Violation("a chunk without a size") from None
    return _check(size, BODY_LIMIT), end + 2


def _read_head(data: bytes) -> Head:
    first, *lines = data.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise Violation("the answer is no HTTP/1.1")
    pairs = (line.partition(":") for line in lines)
    return Head(int(rest[:3]), {name.lower(): value.strip() for name, _, value in pairs})


def _framing(head: Head) -> int | str:
    if head.status < 200:
        return "rest" if head.status == 101 else "head"
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return "chunk"
    length = head.headers.get("content-length", "")
    if head.status in (204, 304):
        return "end"
    if not length:
        return "close"
    if not length.isdigit():
        raise Violation("an answer of no length that could be read")
    return _check(int(length), BODY_LIMIT)


def _check(size: int, limit: int) -> int:
    if size > limit:
        raise Violation(f"more than {limit} bytes in one piece")
    return size
