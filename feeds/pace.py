"""Pace: when each tick of a recording is played, and which time it then bears."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import msgspec

from feeds import FeedContext
from ticker.core.tick import Tick

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""


class Pace:
    """The clock of one play: the first tick comes at once, each later one when its time has come at this speed.

    Alone, ticks keep their times. Beside other feeds they bear the time at which they are due, since times that run
    ahead of now (at ten times the speed) would make every tick of the others a late one. From the second round of a
    loop on, times are moved on, so that they never go back.
    """

    def __init__(self, context: FeedContext, speed: float, sleep: Sleep = asyncio.sleep) -> None:
        """Play ``speed`` times as fast as recorded; infinity is as fast as possible."""
        self._context = context
        self._speed = speed
        self._sleep = sleep
        # Recorded time of the first tick, and the time at which it was played, in microseconds.
        self._origin: tuple[int, int] | None = None
        # Recorded times that this round has spanned.
        self._span: tuple[int, int] | None = None
        # How far times are moved on in this round.
        self._shift = 0

    async def take(self, ticks: list[Tick]) -> list[Tick]:
        """Wait until the first of some ticks is due; return it and those right after it that are due by then, too."""
        if self._origin is None:
            self._origin = (ticks[0].ts, self._context.clock())
        # Also where nothing is to wait for: the loop must get its turn between two lists.
        await self._sleep(max(0, self._due(ticks[0]) - self._context.clock()) / 1e6)
        now = self._context.clock()
        # A sleep may end a clock's tick too early.
        count = next((place for place, tick in enumerate(ticks) if place and self._due(tick) > now), len(ticks))
        return [self._played(tick, now) for tick in ticks[:count]]

    def turn(self) -> bool:
        """Begin the next round 1 µs after the end of this one; return False if this one was empty."""
        if self._span is None:
            return False
        earliest, latest = self._span
        self._shift += latest - earliest + 1
        self._span = None
        return True

    def _due(self, tick: Tick) -> int:
        assert self._origin is not None
        first, start = self._origin
        return start + round((tick.ts + self._shift - first) / self._speed)

    def _played(self, tick: Tick, now: int) -> Tick:
        earliest, latest = self._span or (tick.ts, tick.ts)
        self._span = (min(earliest, tick.ts), max(latest, tick.ts))
        if not self._context.alone:
            return _at(tick, now if math.isinf(self._speed) else self._due(tick))
        return _at(tick, tick.ts + self._shift) if self._shift else tick


def _at(tick: Tick, ts: int) -> Tick:
    return msgspec.structs.replace(tick, ts=ts)
