"""Market: the stream as this process serves it, and the only wake-up in the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ticker.bus import Bus
from ticker.core.bars import Bars
from ticker.core.cursor import Cursor
from ticker.core.ring import Ring
from ticker.core.tape import Batch, Tape
from ticker.core.tick import Instrument, Tick

Clock = Callable[[], int]
"""Returns microseconds since the Unix epoch."""


class Market:
    """A node's copy of the stream: ring, book and bars behind one bus.

    Args:
        bus: where ticks get their places.
        clock: returns microseconds since the Unix epoch.
        ring_size: ticks kept for replay.
        bars: where bars are made.
    """

    def __init__(self, bus: Bus, clock: Clock, ring_size: int = 100_000, bars: Bars | None = None) -> None:
        self.bus = bus
        self.clock = clock
        self.tape = Tape(Ring(ring_size, bus.epoch), bars or Bars())
        # Called after every batch; must be quick.
        self._watchers: list[Callable[[], None]] = []
        self._leave = bus.follow(self)

    def watch(self, moved: Callable[[], None]) -> None:
        """Call ``moved`` whenever the stream has grown."""
        self._watchers.append(moved)

    def apply(self, batch: Batch) -> None:
        """Take a batch from the bus."""
        self.tape.apply(batch)
        for moved in self._watchers:
            moved()

    def define(self, instruments: Sequence[Instrument]) -> None:
        """Take instruments from the bus."""
        self.tape.define(instruments)

    async def publish(self, ticks: Sequence[Tick]) -> tuple[Cursor, Cursor]:
        """Give valid ticks their places and return the first's and the last's."""
        return await self.bus.append(ticks)

    def close(self) -> None:
        """Stop following the bus."""
        self._leave()
        self._watchers.clear()
