"""Book: the newest quote and the last trade of every symbol, now or at any kept place."""

from __future__ import annotations

from collections.abc import Iterable

from ticker.core.ring import Entry
from ticker.core.tick import Quote


class Book:
    """Newest entries by symbol. Symbols are bounded by their number in the market."""

    def __init__(self) -> None:
        self.quotes: dict[str, Entry] = {}
        self.trades: dict[str, Entry] = {}

    def update(self, entry: Entry) -> None:
        """Take the next tick, and chain it to the one before it of its symbol and kind."""
        newest = self.quotes if entry.tick.__class__ is Quote else self.trades
        symbol = entry.tick.symbol
        entry.previous = newest.get(symbol)
        newest[symbol] = entry

    def quotes_at(self, position: int, symbols: Iterable[str]) -> list[Entry]:
        """Return the newest quote of each symbol at a kept place, in the order of ``symbols``."""
        return _at(self.quotes, position, symbols)

    def trades_at(self, position: int, symbols: Iterable[str]) -> list[Entry]:
        """Return the last trade of each symbol at a kept place, in the order of ``symbols``."""
        return _at(self.trades, position, symbols)


def _at(newest: dict[str, Entry], position: int, symbols: Iterable[str]) -> list[Entry]:
    # Every entry after a kept place is kept too, so the chain reaches back far enough: one entry beyond the ring.
    found = []
    for symbol in symbols:
        entry = newest.get(symbol)
        while entry is not None and entry.position > position:
            entry = entry.previous
        if entry is not None:
            found.append(entry)
    return found
