"""Door: lets new connections in a few at a time, so that a crowd does not keep the loop from who is inside."""

from __future__ import annotations

import asyncio
from collections import deque

# Connections let in at each pass of the loop; one costs about 0.8 ms until its stream has begun. When 500 clients come
# back at once a bystander's longest pause is 300 ms without a door, 200 with 8 at a time, 120 with 4, and they all have
# got all after the same 1.2 s (python -m tests.bench.bench_return, two shared cores, November 2026).
AT_A_TIME = 4


class Door:
    """A queue of connections whose first bytes have come; they are bounded by the limit of file descriptors."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        # How many more may enter before the loop has come round.
        self._room = AT_A_TIME

    def __len__(self) -> int:
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait for one's turn."""
        if self._room:
            self._take()
            return
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def _take(self) -> None:
        if self._room == AT_A_TIME:
            self._loop.call_soon(self._come_round)
        self._room -= 1

    def _come_round(self) -> None:
        self._room = AT_A_TIME
        while self._waiting and self._room:
            turn = self._waiting.popleft()
            if not turn.done():  # its connection has gone meanwhile
                turn.set_result(None)
                self._take()
