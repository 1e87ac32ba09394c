"""A clock that stands still until someone sleeps on it."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Time in microseconds since the Unix epoch, called as a ``feeds.Clock``; ``sleep`` moves it on at once."""

    def __init__(self, now: int = 1_800_000_000_000_000) -> None:
        self.now = now
        # Every wait that was asked for, in seconds.
        self.waits: list[float] = []

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move time on, and give the loop its turn."""
        self.waits.append(seconds)
        self.now += round(seconds * 1e6)
        await asyncio.sleep(0)
