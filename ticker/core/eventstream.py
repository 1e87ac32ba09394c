"""EventStreamParser: the bytes of an event stream in, events out (WHATWG HTML 9.2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ticker.core.codes import Violation

# What a client must take, a message of 4 MiB (PROTOCOL.md section 8), and room for the event's other lines.
EVENT_LIMIT = 4 * 2**20 + 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"[\r\n]")


class ServerEvent(NamedTuple):
    """One event: its name (``message`` if it had none), its data, and the last event ID at its end."""

    name: str
    data: str
    id: str


class EventStreamParser:
    """Cut a stream of bytes into events; where the bytes are split makes no difference.

    Hand bytes to ``feed`` and take every event of ``events`` before the next ``feed``.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        # The id of the last event that was whole.
        self.last_event_id = ""
        # The newest ``retry:`` of the server, in milliseconds; None before the first.
        self.retry: int | None = None
        # Bytes that one event may take, its unfinished line included: a stream without an end must not fill memory.
        self._limit = limit
        # Bytes from the beginning of the first line not yet read.
        self._buffer = bytearray()
        # How far into the buffer no line end was found, so that a long line is searched once.
        self._searched = 0
        # True until it is known whether the stream begins with a byte order mark.
        self._beginning = True
        # True after a CR: an LF that follows belongs to it.
        self._after_cr = False
        self._forget()
        self._id = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._buffer += data

    def events(self) -> Iterator[ServerEvent]:
        """Yield the events that are whole.

        Raises:
            Violation: an event, or a line of it, is larger than the limit; the parser is of no use afterwards.
        """
        for line in self._lines():
            if line:
                self._field(line)
                continue
            event = self._dispatch()
            if event is not None:
                yield event

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines that are whole, without their ends."""
        if not self._skip_mark():
            return
        start = 0
        try:
            while match := _LINE_END.search(self._buffer, start + self._searched):
                self._searched = 0
                end = match.start()
                is_tail = self._after_cr and end == start and match[0] == b"\n"
                self._after_cr = match[0] == b"\r"
                line, start = bytes(self._buffer[start:end]), end + 1
                if not is_tail:
                    self._check(len(line))
                    yield line
        finally:
            del self._buffer[:start]
        self._searched = len(self._buffer)
        self._check(self._searched)

    def _skip_mark(self) -> bool:
        """Drop a byte order mark at the beginning; return whether it is known that there is none any more."""
        if self._beginning and len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._beginning and self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._beginning = False
        return True

    def _check(self, line_size: int) -> None:
        if self._size + line_size > self._limit:
            raise Violation(f"an event of more than {self._limit} bytes")

    def _field(self, line: bytes) -> None:
        """Act on one line: ``name: value``, one space after the colon not counted. A comment has an empty name."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(value) + 1
            case b"event":
                self._name = value
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) <= 16:
                self.retry = int(value)

    def _dispatch(self) -> ServerEvent | None:
        """End an event; one without data only moves the last event ID."""
        self.last_event_id = self._id
        data, name = self._data, self._name
        self._forget()
        if not data:
            return None
        text = b"\n".join(data).decode(errors="replace")
        return ServerEvent(name.decode(errors="replace") or "message", text, self.last_event_id)

    def _forget(self) -> None:
        # The lines of data of the event that is being read, and their size in bytes with line ends.
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
