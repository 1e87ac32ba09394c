"""Bus: the one spot where ticks get their place in the total order.

Four verbs: ``define`` and ``append`` write, ``follow`` reads, ``close`` ends. What is written reaches every reader in
the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ticker.core.cursor import Cursor
from ticker.core.tape import Batch
from ticker.core.tick import Instrument, Tick


class Reader(Protocol):
    """What a node does with the stream; called in order, must not raise."""

    def apply(self, batch: Batch) -> None:
        """Take ticks that have got their places."""
        ...

    def define(self, instruments: Sequence[Instrument]) -> None:
        """Take instruments, new or changed."""
        ...


class Bus(Protocol):
    """A way to order ticks and to carry them to every node."""

    # The epoch of the stream when the bus was opened, in milliseconds since the Unix epoch.
    epoch: int

    async def append(self, ticks: Sequence[Tick]) -> tuple[Cursor, Cursor]:
        """Give ticks the next places, without holes between them, and return the first's and the last's.

        Cancellation leaves them either all written or none.

        Args:
            ticks: at least one, valid.
        """
        ...

    async def define(self, instruments: Sequence[Instrument]) -> None:
        """Make instruments known to every node."""
        ...

    def follow(self, reader: Reader) -> Callable[[], None]:
        """Hand everything that is written from now on to a reader; return what ends that."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the bus answers."""
        ...

    async def close(self) -> None:
        """End; readers get nothing more."""
        ...


class MemoryBus:
    """The bus of a single process: appending is a function call.

    Several nodes of one process may follow it, which is how tests stand two servers on one history.

    Args:
        clock: returns microseconds since the Unix epoch; the epoch of the stream is its first answer.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.epoch = clock() // 1000
        self._seq = 0
        # When the last batch got its places: that moment never falls, whatever the clock does.
        self._placed = 0
        self._readers: list[Reader] = []
        self._closed = False

    async def append(self, ticks: Sequence[Tick]) -> tuple[Cursor, Cursor]:
        first = self._seq + 1
        self._seq += len(ticks)
        self._placed = max(self._placed, self._clock())
        batch = Batch(self.epoch, first, self._placed, ticks)
        for reader in self._readers:
            reader.apply(batch)
        return Cursor(self.epoch, first), Cursor(self.epoch, self._seq)

    async def define(self, instruments: Sequence[Instrument]) -> None:
        for reader in self._readers:
            reader.define(instruments)

    def follow(self, reader: Reader) -> Callable[[], None]:
        self._readers.append(reader)

        def leave() -> None:
            if reader in self._readers:
                self._readers.remove(reader)

        return leave

    @property
    def ready(self) -> bool:
        return not self._closed

    async def close(self) -> None:
        self._closed = True
        self._readers.clear()
