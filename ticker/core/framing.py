"""Framing: how the messages of a transport stand in the bytes of its connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ticker.core.wire import Message

# Opcodes of data frames (RFC 6455 5.2), with the bit that says that a frame is a whole message.
_TEXT, _BINARY = 0x81, 0x82


class Shared(tuple[Message, ...]):
    """Messages that many clients are sent, and their bytes: made once for each framing, then kept."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._framed: dict[Framing, bytes] = {}

    def framed(self, framing: Framing) -> bytes:
        """Return the bytes of all messages."""
        data = self._framed.get(framing)
        if data is None:
            data = self._framed[framing] = framing.join(self)
        return data


class Framing(Protocol):
    """One way to put messages into bytes. Framings have no state and are shared by all clients."""

    # The bytes after the last message.
    end: bytes

    def join(self, messages: Sequence[Message]) -> bytes:
        """Return the bytes of messages, of which there is at least one."""
        ...


class Plain:
    """Messages as they are: in the DATA frames of HTTP/2, or up to the end of an HTTP/1.0 connection."""

    end = b""

    def join(self, messages: Sequence[Message]) -> bytes:
        return b"".join(messages)


class Chunked:
    """HTTP/1.1's chunked transfer coding (RFC 9112 7.1): one chunk a write."""

    end = b"0\r\n\r\n"

    def join(self, messages: Sequence[Message]) -> bytes:
        data = b"".join(messages)
        return b"%x\r\n%b\r\n" % (len(data), data)


class Frames:
    """Frames of a server on a WebSocket, which are not masked (RFC 6455 5.1): one a message.

    Args:
        opcode: the first byte of each.
    """

    end = b""

    def __init__(self, opcode: int) -> None:
        self._opcode = opcode

    def join(self, messages: Sequence[Message]) -> bytes:
        return b"".join([part for message in messages for part in (self._head(len(message)), message)])

    def _head(self, length: int) -> bytes:
        if length < 126:
            return bytes((self._opcode, length))
        if length < 65536:
            return b"%c\x7e%b" % (self._opcode, length.to_bytes(2))
        return b"%c\x7f%b" % (self._opcode, length.to_bytes(8))


PLAIN = Plain()
CHUNKED = Chunked()
TEXT = Frames(_TEXT)
BINARY = Frames(_BINARY)


def framed(messages: Sequence[Message], framing: Framing) -> bytes:
    """Return the bytes of messages, those of shared ones made once."""
    return messages.framed(framing) if isinstance(messages, Shared) else framing.join(messages)
