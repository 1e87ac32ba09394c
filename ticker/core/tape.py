"""Tape: the market as this process knows it: the ring, the book, the bars and the instruments, in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from ticker.core.bars import Bars
from ticker.core.book import Book
from ticker.core.cursor import Cursor
from ticker.core.ring import ClosedBar, Entry, Ring
from ticker.core.tick import Bar, Instrument, Quote, Tick
from ticker.core.view import Views
from ticker.core.wire import bar_json, tick_json

DAY = 86_400_000_000


class Batch(NamedTuple):
    """Ticks that got their places together, as the bus hands them to every node."""

    epoch: int
    # The seq of the first tick; the others follow without a hole.
    first: int
    # When they got their places, in microseconds since the Unix epoch.
    placed: int
    ticks: Sequence[Tick]


class Tape:
    """All that is derived from the stream; ``apply`` keeps it in step, tick by tick."""

    def __init__(self, ring: Ring, bars: Bars) -> None:
        self.ring = ring
        self.bars = bars
        self.book = Book()
        # What is known of each symbol, in the order in which they were met.
        self.instruments: dict[str, Instrument] = {}
        self.views = Views(ring, self.instruments)
        # Symbols that have a reference price.
        self._referenced: set[str] = set()
        # The next 00:00 UTC of market time, at which reference prices are taken anew; 0 before the first tick.
        self._midnight = 0

    def define(self, instruments: Iterable[Instrument]) -> None:
        """Learn of instruments, or that they have changed. One without a reference price keeps the one it had."""
        regrouped = False
        for instrument in instruments:
            old = self.instruments.get(instrument.symbol)
            # Of all that is known only the sector decides what matches.
            regrouped |= instrument.sector != (old.sector if old is not None else "")
            if instrument.reference is None and old is not None:
                instrument = msgspec.structs.replace(instrument, reference=old.reference)
            self.instruments[instrument.symbol] = instrument
            if instrument.reference is not None:
                self._referenced.add(instrument.symbol)
        if regrouped:
            self.views.forget()

    def apply(self, batch: Batch) -> None:
        """Take the next batch of the stream.

        Raises:
            ValueError: it does not follow on what is known.
        """
        ring = self.ring
        begins = batch.epoch > ring.epoch
        if batch.epoch < ring.epoch or batch.first != (1 if begins else ring.seq + 1):
            raise ValueError(f"{batch.epoch}-{batch.first} does not follow {ring.epoch}-{ring.seq}")
        if begins:
            ring.begin(batch.epoch)
        for tick in batch.ticks:
            self._append(tick, batch.placed)

    def _append(self, tick: Tick, placed: int) -> None:
        ring = self.ring
        if tick.symbol not in self._referenced:
            self._refer(tick)
        if tick.ts >= self._midnight:
            self._pass_midnight(tick.ts)
        closed = self.bars.add(tick)
        cursor = Cursor(ring.epoch, ring.seq + 1)
        bars = self._closed_bars(closed) if closed else ()
        entry = Entry(tick, tick_json(tick, cursor), ring.newest + 1, placed, bars, None)
        self.book.update(entry)
        ring.append(entry)

    def _closed_bars(self, closed: list[Bar]) -> tuple[ClosedBar, ...]:
        before = self.ring.cursor(self.ring.newest)
        return tuple(ClosedBar(bar, bar_json(bar), before) for bar in closed)

    def _refer(self, tick: Tick) -> None:
        """Count changes of a new symbol from its first price."""
        instrument = self.instruments.get(tick.symbol) or Instrument(tick.symbol)
        self.define([msgspec.structs.replace(instrument, reference=_price(tick))])

    def _pass_midnight(self, ts: int) -> None:
        """Count changes from the last price before 00:00 UTC."""
        if self._midnight:
            self.define(
                msgspec.structs.replace(instrument, reference=self._last_price(symbol, instrument.reference))
                for symbol, instrument in list(self.instruments.items())
            )
        self._midnight = ts - ts % DAY + DAY

    def _last_price(self, symbol: str, default: float | None) -> float | None:
        entry = self.book.trades.get(symbol) or self.book.quotes.get(symbol)
        return _price(entry.tick) if entry else default

    def snapshot(
        self, position: int, wanted: Callable[[str, str], bool], record: Callable[[Entry], msgspec.Raw], scope: str
    ) -> dict[str, object]:
        """Return the data of a ``snapshot`` event.

        Args:
            position: a kept place.
            wanted: whether the newest tick of a type (``quote`` or ``trade``) of a symbol is part of it.
            record: encodes one tick for the client's format.
            scope: ``all`` or ``added``.
        """
        quotes = self.book.quotes_at(position, [name for name in self.instruments if wanted(name, "quote")])
        trades = self.book.trades_at(position, [name for name in self.instruments if wanted(name, "trade")])
        return {
            "cursor": str(self.ring.cursor(position)),
            "scope": scope,
            "quotes": [record(entry) for entry in quotes],
            "trades": [record(entry) for entry in trades],
        }


def _price(tick: Tick) -> float:
    return (tick.bid + tick.ask) / 2 if isinstance(tick, Quote) else tick.price
