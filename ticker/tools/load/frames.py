"""FrameParser: the bytes of a WebSocket in, its messages out (RFC 6455 section 5). No I/O.

Our own for the reason of ``http1``: one frame costs a library more than it costs the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from websockets.frames import Frame, Opcode

from ticker.core.codes import Violation
from ticker.core.eventstream import EVENT_LIMIT

_OPCODES = {int(opcode): opcode for opcode in Opcode}


class Received(NamedTuple):
    """A message, or a control frame."""

    opcode: Opcode
    data: bytes


class FrameParser:
    """What a server sends: frames without a mask."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # The message whose further frames are still to come.
        self._begun: Received | None = None

    def feed(self, data: bytes) -> Iterator[Received]:
        """Yield what is whole; take all of it before the next call.

        Raises:
            Violation: a frame is masked, out of order or too large.
        """
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        start = 0
        while (bounds := _bounds(data, start)) is not None:
            begin, end = bounds
            received = self._join(data[start], data[begin:end])
            start = end
            if received is not None:
                yield received
        self._buffer += data[start:]

    def _join(self, head: int, data: bytes) -> Received | None:
        """Return a message when its last frame has come. A control frame may stand between them."""
        is_last, opcode = bool(head & 0x80), _OPCODES.get(head & 0x0F)
        if opcode is None:
            raise Violation("a frame of no known kind")
        if opcode >= Opcode.CLOSE:
            return Received(opcode, data)
        if (opcode is Opcode.CONT) is (self._begun is None):
            raise Violation("a frame out of order")
        whole = Received(opcode, data)
        if self._begun is not None:
            whole = Received(self._begun.opcode, self._begun.data + data)
        if len(whole.data) > EVENT_LIMIT:
            raise Violation(f"a message of more than {EVENT_LIMIT} bytes")
        self._begun = None if is_last else whole
        return whole if is_last else None


def _bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Return where the content of the frame at ``start`` begins and ends; None while it is not whole."""
    if len(data) < start + 2:
        return None
    size, begin = data[start + 1], start + 2
    if size & 0x80:
        raise Violation("a masked frame")
    if size >= 126:
        begin += 2 if size == 126 else 8
        if len(data) < begin:
            return None
        size = int.from_bytes(data[start + 2 : begin])
        if size > EVENT_LIMIT:
            raise Violation(f"a frame of more than {EVENT_LIMIT} bytes")
    end = begin + size
    return (begin, end) if len(data) >= end else None


def to_frame(opcode: Opcode, data: bytes) -> bytes:
    """Return a frame as a client sends it, masked."""
    return Frame(opcode, data).serialize(mask=True)
