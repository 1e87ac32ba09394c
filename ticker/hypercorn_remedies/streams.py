"""Streams: asyncio's reader and writer of a connection, which can be left behind when it is taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ticker.hypercorn_remedies.peer import Peer


class Reader(asyncio.StreamReader):
    """A reader whose bytes can be taken back."""

    def take_all(self) -> bytes:
        """Return what has come and was not read."""
        data = bytes(self._buffer)  # type: ignore[attr-defined]
        self._buffer.clear()  # type: ignore[attr-defined]
        return data


class Writer(asyncio.StreamWriter):
    """A writer that leaves its transport open when nobody uses it any more: someone else may have it by then."""

    transport: asyncio.Transport

    def __del__(self) -> None:
        """Close nothing: ``Peer`` closes what it has not given away."""


class Stream(asyncio.StreamReaderProtocol):
    """The transport's protocol of one connection: makes its peer, and tells it what happens.

    Args:
        connected: makes the peer.
    """

    def __init__(self, connected: Callable[[Reader, Writer], Peer]) -> None:
        loop = asyncio.get_running_loop()
        self._reader = Reader(loop=loop)
        super().__init__(self._reader, loop=loop)
        self._connected = connected
        self._peer: Peer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make the peer."""
        super().connection_made(transport)
        writer = Writer(cast(asyncio.Transport, transport), self, self._reader, asyncio.get_running_loop())
        self._peer = self._connected(self._reader, writer)

    def pause_writing(self) -> None:
        """Learn that the transport's buffer is full."""
        super().pause_writing()
        if self._peer is not None:
            self._peer.congest(True)

    def resume_writing(self) -> None:
        """Learn that the transport's buffer has room."""
        super().resume_writing()
        if self._peer is not None:
            self._peer.congest(False)

    def eof_received(self) -> bool | None:
        """Learn that the peer sends nothing more."""
        if self._peer is not None:
            self._peer.lost()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection has ended."""
        if self._peer is not None:
            self._peer.lost()
        super().connection_lost(exc)
