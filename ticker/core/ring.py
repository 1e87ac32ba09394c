"""Ring: the last N ticks of the market in their one order, each with its bytes.

Inside the server a place is a *position*: it counts the ticks of all epochs that this ring has seen, from 1 on.
Position ``p`` as a place means "everything up to and including tick ``p``"; 0 is the place before the first.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

import msgspec

from ticker.core.cursor import Cursor
from ticker.core.tick import Bar, Tick

Reason = Literal["evicted", "slow", "restarted", "future", "unknown"]
"""Why ticks can't be replayed (PROTOCOL.md section 4, ``gap``)."""


class ClosedBar(msgspec.Struct, frozen=True, gc=False):
    """A bar that has closed, its one JSON encoding, and the place at which it stands: that of the tick before it."""

    bar: Bar
    json: bytes
    before: Cursor


class Entry(msgspec.Struct, gc=False):
    """One kept tick. Entries form chains, never cycles: the collector need not walk 100,000 of them."""

    tick: Tick
    # Its one JSON encoding, with the cursor at the end.
    json: bytes
    position: int
    # When it got its place, in microseconds since the Unix epoch; never falls along the ring.
    placed: int
    # The bars that closed at this tick and stand in the stream just before it.
    bars: tuple[ClosedBar, ...]
    # The tick of the same symbol and kind before this one. Cut off when this entry leaves the ring.
    previous: Entry | None


class Ring:
    """A fixed number of entries, addressed by position.

    Args:
        size: how many ticks are kept.
        epoch: the epoch that the stream stands in, in milliseconds since the Unix epoch.
    """

    def __init__(self, size: int, epoch: int) -> None:
        self._entries: list[Entry | None] = [None] * size
        self.size = size
        # The position of the newest tick; 0 before the first.
        self.newest = 0
        # Each epoch of which a place is still kept, with the position of its place 0; rising.
        self._epochs = [(epoch, 0)]

    @property
    def oldest(self) -> int:
        """The place just before the oldest kept tick."""
        return max(0, self.newest - self.size)

    @property
    def epoch(self) -> int:
        """The epoch that new ticks get."""
        return self._epochs[-1][0]

    @property
    def seq(self) -> int:
        """How many ticks the newest epoch has."""
        return self.newest - self._epochs[-1][1]

    def begin(self, epoch: int) -> None:
        """Pass on to a larger epoch: what is kept stays, and the next tick is its first."""
        if epoch <= self.epoch:
            raise ValueError(f"epoch {epoch} does not follow {self.epoch}")
        self._epochs.append((epoch, self.newest))

    def append(self, entry: Entry) -> None:
        """Keep the next tick; ``entry.position`` must be ``newest + 1``. The oldest one goes when the ring is full."""
        slot = entry.position % self.size
        old = self._entries[slot]
        if old is not None:
            old.previous = None
        self._entries[slot] = entry
        self.newest = entry.position
        if len(self._epochs) > 1 and self._epochs[1][1] < self.oldest:
            del self._epochs[0]

    def __getitem__(self, position: int) -> Entry:
        entry = self._entries[position % self.size]
        if entry is None or entry.position != position:
            raise IndexError(f"position {position} is not kept")
        return entry

    def slice(self, after: int, to: int) -> list[Entry]:
        """Return the entries after ``after`` up to and including ``to``; all must be kept."""
        if not self.oldest <= after <= to <= self.newest:
            raise IndexError(f"{after}..{to} is not within {self.oldest}..{self.newest}")
        first, last = (after + 1) % self.size, (to + 1) % self.size
        if after == to:
            return []
        entries = self._entries
        # Within the bounds checked above every slot is filled.
        return entries[first:last] if first < last else entries[first:] + entries[:last]  # type: ignore[return-value]

    def locate(self, cursor: Cursor) -> int | Reason:
        """Return the position of a cursor, or why what follows it can't be replayed.

        A cursor in an earlier epoch that lies beyond that epoch's last tick is the place where the epoch ended: nothing
        came between (a node that lagged, after a failover).
        """
        if cursor > (self.epoch, self.seq):
            return "future"
        end = self.newest
        for epoch, base in reversed(self._epochs):
            if cursor.epoch == epoch:
                position = min(base + cursor.seq, end)
                return position if position >= self.oldest else "evicted"
            end = base
        return "restarted"

    def cursor(self, position: int) -> Cursor:
        """Return the cursor of a place; of two names of one place, the tick's own."""
        epoch, base = self._epochs[-1]
        if position <= base:
            for earlier in self._epochs:
                if earlier[1] < position or earlier is self._epochs[0]:
                    epoch, base = earlier
        return Cursor(epoch, position - base)

    def placed_before(self, moment: int) -> int:
        """Return the last place whose tick got it before ``moment`` (microseconds), at least ``oldest``."""
        places = range(self.oldest + 1, self.newest + 1)
        return self.oldest + bisect_left(places, moment, key=lambda position: self[position].placed)

    def statistics(self) -> dict[str, int]:
        """Return the fill in ticks, the size, and when the oldest kept tick got its place (0 if none)."""
        fill = self.newest - self.oldest
        return {"fill": fill, "size": self.size, "oldest_placed": self[self.oldest + 1].placed if fill else 0}
