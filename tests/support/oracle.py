"""The oracle of the replay tests: the list of all ticks, and by brute force what a client is owed of it.

A *place* is a number here: how many ticks lie before it, or the last of them, counted from 1 over all epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ticker.core.cursor import Cursor
from ticker.core.tick import Quote, Tick


class Wanted(NamedTuple):
    """A subscription: patterns and types."""

    symbols: tuple[str, ...]
    types: tuple[str, ...]

    def covers(self, symbol: str, kind: str) -> bool:
        """Whether ticks of a kind of a symbol are subscribed."""
        return kind in self.types and any(fnmatchcase(symbol, pattern) for pattern in self.symbols)


class Step(NamedTuple):
    """A change of a subscription at a place."""

    place: int
    before: Wanted
    after: Wanted


class Seen(NamedTuple):
    """One tick at its place, as the wire shows it."""

    place: int
    record: dict[str, Any]
    # When it got its place, in microseconds since the Unix epoch.
    placed: int

    @property
    def symbol(self) -> str:
        """Its symbol."""
        return str(self.record["symbol"])

    @property
    def kind(self) -> str:
        """``quote`` or ``trade``."""
        return str(self.record["type"])


class History:
    """All ticks of a market that keeps the last ``size`` of them.

    Args:
        size: ticks kept.
        epoch: the first epoch.
    """

    def __init__(self, size: int, epoch: int) -> None:
        self.size = size
        self.all: list[Seen] = []
        # Each epoch with the place of its beginning.
        self.epochs = [(epoch, 0)]
        # The first epoch since the last restart that forgot everything, and the place where it began.
        self.first_epoch, self.begin = epoch, 0

    @property
    def newest(self) -> int:
        """The newest place."""
        return len(self.all)

    @property
    def oldest(self) -> int:
        """The place just before the oldest kept tick."""
        return max(self.begin, self.newest - self.size)

    @property
    def next_cursor(self) -> Cursor:
        """The cursor that the next tick gets."""
        epoch, base = self.epochs[-1]
        return Cursor(epoch, self.newest - base + 1)

    def add(self, ticks: Iterable[Tick], placed: int) -> None:
        """Give ticks their places."""
        for tick in ticks:
            fields = {name: getattr(tick, name) for name in tick.__struct_fields__}
            kind = "quote" if isinstance(tick, Quote) else "trade"
            record = {"type": kind, **fields, "cursor": str(self.next_cursor)}
            self.all.append(Seen(self.newest + 1, record, placed))

    def pass_on(self, epoch: int) -> None:
        """Begin an epoch, with nothing lost."""
        self.epochs.append((epoch, self.newest))

    def restart(self, epoch: int) -> None:
        """Begin an epoch in which nothing of before is known."""
        self.pass_on(epoch)
        self.first_epoch, self.begin = epoch, self.newest

    def place(self, cursor: str) -> int:
        """Return the place of a cursor that some server gave out."""
        epoch, seq = map(int, cursor.split("-"))
        bases = dict(self.epochs)
        assert epoch in bases, f"nobody has begun the epoch of {cursor}"
        ends = [base for later, base in self.epochs if later > epoch]
        end = min(ends, default=self.newest)
        assert bases[epoch] + seq <= end, f"{cursor} lies beyond its epoch's end"
        return bases[epoch] + seq

    def keeps_epoch(self, cursor: str) -> bool:
        """Whether some place of a cursor's epoch is still kept."""
        epoch = int(cursor.split("-")[0])
        ends = [base for later, base in self.epochs if later > epoch]
        return epoch >= self.first_epoch and min(ends, default=self.newest) >= self.oldest

    def closed(self, now: int, conflate: int) -> int:
        """Return the last place that may be sent: with conflation (milliseconds) the end of the last closed window."""
        if not conflate:
            return self.newest
        window = conflate * 1000
        places = [tick.place for tick in self.all if tick.placed // window < now // window]
        return max([self.oldest, *places])

    def due(self, after: int, to: int, filters: Sequence[Wanted], conflate: int, closed: int) -> list[Seen]:
        """Return what matches every filter after one place up to another, conflated in windows up to ``closed``."""
        window = conflate * 1000
        quotes = [tick for tick in self.all[after:closed] if window and tick.kind == "quote"]
        last = {(tick.placed // window, tick.symbol): tick.place for tick in quotes}
        return [
            tick
            for tick in self.all[after:to]
            if all(each.covers(tick.symbol, tick.kind) for each in filters)
            and (not window or tick.kind == "trade" or last[tick.placed // window, tick.symbol] == tick.place)
        ]

    def values(self, kind: str, at: int, filters: Sequence[Wanted]) -> dict[str, dict[str, Any]]:
        """Return the newest record of a kind of each symbol that matches, at a place."""
        ticks = self.all[self.begin : at]
        return {
            tick.symbol: tick.record
            for tick in ticks
            if tick.kind == kind and all(each.covers(tick.symbol, kind) for each in filters)
        }

    def symbols(self) -> set[str]:
        """Return the symbols that there are."""
        return {tick.symbol for tick in self.all[self.begin :]}
