"""Buffer: the bytes that one HTTP/2 stream has still to send."""

from __future__ import annotations

import asyncio

# Seconds after which a stream that has bytes waiting and whose peer took none is given up.
STALL = 30.0
# Bytes of one stream that may wait: the app is stopped at HIGH and woken below LOW.
HIGH, LOW, PIECE = 32768, 16384, 16384


class Buffer:
    """What one HTTP/2 stream has still to send: at most ``HIGH`` bytes.

    Hypercorn has no backpressure on HTTP/2: its ``StreamBuffer.pop(0)``, called when the peer has given no credit,
    wakes the app, so everything that the app sends is kept (236 MB in 14 s for one client that reads nothing). It also
    keeps a body that is sent in one piece whole, and waits without end.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        # True when no more will be pushed.
        self._is_complete = False
        # Bytes taken in all; while it rises the peer is alive.
        self._taken = 0
        # Set while there is room, and once the last byte has left or the stream is gone.
        self._room = asyncio.Event()
        self._done = asyncio.Event()

    async def push(self, data: bytes) -> bool:
        """Add up to ``PIECE`` bytes as soon as there is room; return False if the stream is gone.

        Raises:
            TimeoutError: the peer took nothing for ``STALL`` seconds.
        """
        while len(self._bytes) >= HIGH and not self._is_complete:
            self._room.clear()
            await self._progress(self._room)
        if self._is_complete:
            return False
        self._bytes += data
        return True

    async def finish(self) -> None:
        """Say that no more will come and wait until all has left.

        Raises:
            TimeoutError: the peer took nothing for ``STALL`` seconds.
        """
        self.complete()
        while not self._done.is_set():
            await self._progress(self._done)

    def complete(self) -> None:
        """Say that no more will come."""
        self._is_complete = True

    def take(self, most: int) -> tuple[bytes, bool]:
        """Return up to ``most`` bytes, and True if they are the last."""
        data = bytes(self._bytes[:most])
        del self._bytes[:most]
        self._taken += len(data)
        if len(self._bytes) < LOW:
            self._room.set()
        return data, self._is_complete and not self._bytes

    def close(self) -> None:
        """Forget the bytes and wake whoever waits: all has left, or the stream is gone."""
        self._is_complete = True
        self._bytes.clear()
        self._room.set()
        self._done.set()

    async def _progress(self, event: asyncio.Event) -> None:
        taken = self._taken
        try:
            async with asyncio.timeout(STALL):
                await event.wait()
        except TimeoutError:
            if self._taken == taken:
                raise
