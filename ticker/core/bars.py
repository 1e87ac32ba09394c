"""Bars: ticks in, open-high-low-close bars out, for all intervals at once.

The rules are PROTOCOL.md section 3's: a bar is a function of the ticks in their order and of nothing else. A tick
touches one accumulator, that of its symbol's second; a closed bar is merged into the next longer interval, each of
which is a multiple of the one before it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from math import inf

import msgspec

from ticker.core.tick import INTERVALS, Bar, Quote, Tick

NAMES = tuple(INTERVALS)
LENGTHS = tuple(INTERVALS.values())

# What one closed bar takes in memory, measured with tracemalloc on CPython 3.11: the struct, its numbers, its slot.
BAR_BYTES = 300


class _Forming(msgspec.Struct, gc=False):
    """A bucket that is still open; what a shorter interval's open bucket holds is not yet in it."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int

    def merge(self, later: _Forming) -> None:
        """Add what came later."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.trades += later.trades


_Series = tuple[deque[Bar], ...]


class Bars:
    """Forming and closed bars of every symbol and interval.

    Args:
        per_series: closed bars kept per symbol and interval.
        memory: bytes that all closed bars may take; beyond, the symbols least recently traded lose theirs.
    """

    def __init__(self, per_series: int = 1000, memory: int = 256 * 2**20) -> None:
        # The largest ts so far: market time. -1 before the first tick.
        self.time = -1
        # Market time at the first tick: earlier beginnings were not seen. Per symbol where a feed knew more.
        self._began = 0
        self._known_from: dict[str, int] = {}
        self._per_series = per_series
        self._limit = memory // BAR_BYTES
        self._count = 0
        # The end of the bucket that market time stands in, for each interval.
        self._ends = [0] * len(LENGTHS)
        self._forming: tuple[dict[str, _Forming], ...] = tuple({} for _ in LENGTHS)
        # Closed bars by symbol, the least recently closed symbol first.
        self._closed: OrderedDict[str, _Series] = OrderedDict()
        # Symbols that have traded: from then on only trades count.
        self._traded: set[str] = set()

    def add(self, tick: Tick) -> list[Bar]:
        """Count the next tick and return the bars that close just before it, by interval, then symbol."""
        closed: list[Bar] = []
        if tick.ts > self.time:
            if self.time < 0:
                self._began = tick.ts
            if tick.ts >= self._ends[0]:
                closed = self._advance(tick.ts)
            self.time = tick.ts
        if tick.__class__ is Quote:
            if tick.symbol not in self._traded:
                self._count_price(tick.symbol, (tick.bid + tick.ask) / 2, 0, 0)
        else:
            if tick.symbol not in self._traded:
                self._begin_trading(tick.symbol)
            self._count_price(tick.symbol, tick.price, tick.size, 1)  # type: ignore[union-attr]
        return closed

    def _count_price(self, symbol: str, price: float, size: float, trades: int) -> None:
        forming = self._forming[0].get(symbol)
        if forming is None:
            self._forming[0][symbol] = _Forming(price, price, price, price, size, trades)
            return
        if price > forming.high:
            forming.high = price
        elif price < forming.low:
            forming.low = price
        forming.close = price
        forming.volume += size
        forming.trades += trades

    def _begin_trading(self, symbol: str) -> None:
        """Forget the mid prices of the open bars: the first trade begins them anew."""
        self._traded.add(symbol)
        for level in self._forming:
            level.pop(symbol, None)

    def _advance(self, time: int) -> list[Bar]:
        """Move market time on and close every bucket whose end it has reached."""
        closed: list[Bar] = []
        for level, length in enumerate(LENGTHS):
            if time >= self._ends[level]:
                closed += self._close(level, self._ends[level] - length)
                self._ends[level] = time - time % length + length
        return closed

    def _close(self, level: int, start: int) -> list[Bar]:
        forming = self._forming[level]
        closed = [self._bar(symbol, level, start, forming[symbol]) for symbol in sorted(forming)]
        for bar in closed:
            self._keep(bar, level)
        if level + 1 < len(LENGTHS):
            for symbol, shorter in forming.items():
                _merge_into(self._forming[level + 1], symbol, shorter)
        forming.clear()
        return closed

    def _bar(self, symbol: str, level: int, start: int, forming: _Forming, closed: bool = True) -> Bar:
        # Rounded to 1e-9, so that adding up many sizes leaves no tail of binary noise.
        volume = round(forming.volume, 9)
        partial = start < self._known_from.get(symbol, self._began)
        prices = forming.open, forming.high, forming.low, forming.close
        return Bar(symbol, NAMES[level], *prices, volume, forming.trades, start, partial, closed)

    def _series(self, symbol: str) -> _Series:
        series = self._closed.get(symbol)
        if series is None:
            series = self._closed[symbol] = tuple(deque() for _ in LENGTHS)
        return series

    def _keep(self, bar: Bar, level: int) -> None:
        series = self._series(bar.symbol)[level]
        series.append(bar)
        self._count += 1
        if len(series) > self._per_series:
            series.popleft()
            self._count -= 1
        self._closed.move_to_end(bar.symbol)
        while self._count > self._limit and len(self._closed) > 1:
            _, dropped = self._closed.popitem(last=False)
            self._count -= sum(map(len, dropped))

    def load(self, history: Iterable[Bar]) -> None:
        """Take bars from before the first tick: a chunk as ``feeds.Feed.history`` yields it.

        Chunks come newest first. What a live tick has already begun is kept, and bars beyond the limits are dropped.
        """
        closed: dict[tuple[str, int], list[Bar]] = {}
        forming: list[Bar] = []
        for bar in history:
            if not bar.partial:
                self._known_from[bar.symbol] = min(bar.ts, self._known_from.get(bar.symbol, bar.ts))
            if bar.trades:
                self._traded.add(bar.symbol)
            if bar.closed:
                closed.setdefault((bar.symbol, NAMES.index(bar.interval)), []).append(bar)
            else:
                forming.append(bar)
        for (symbol, level), bars in closed.items():
            self._prepend(symbol, level, bars)
        self._load_forming(forming)

    def _prepend(self, symbol: str, level: int, bars: list[Bar]) -> None:
        series = self._series(symbol)[level]
        room = min(self._per_series - len(series), self._limit - self._count)
        fitting = bars[-room:] if room > 0 else []
        series.extendleft(reversed(fitting))
        self._count += len(fitting)

    def _load_forming(self, bars: list[Bar]) -> None:
        """Set open buckets. Each comes whole; what a shorter one holds too is taken out of the longer one's counts."""
        if self.time >= 0 or not bars:
            return
        # Of several feeds the one that looks last sees the latest buckets; what the others had open may have ended.
        self._advance(max(bar.ts for bar in bars))
        whole: dict[str, tuple[float, int]] = {}
        for bar in sorted(bars, key=lambda bar: INTERVALS[bar.interval]):
            level = NAMES.index(bar.interval)
            if bar.ts != self._ends[level] - LENGTHS[level]:
                continue
            volume, trades = whole.get(bar.symbol, (0.0, 0))
            prices = bar.open, bar.high, bar.low, bar.close
            self._forming[level][bar.symbol] = _Forming(*prices, bar.volume - volume, bar.trades - trades)
            whole[bar.symbol] = bar.volume, bar.trades

    def since(self, symbol: str, interval: str, limit: int, end: float = inf) -> list[Bar]:
        """Return the last ``limit`` bars that start before ``end`` (microseconds), oldest first, a forming one last."""
        level = NAMES.index(interval)
        bars = list(self._closed[symbol][level]) if symbol in self._closed else []
        forming = self._forming_bar(symbol, level)
        if forming is not None:
            bars.append(forming)
        return [bar for bar in bars if bar.ts < end][-limit:]

    def _forming_bar(self, symbol: str, level: int) -> Bar | None:
        whole: dict[str, _Forming] = {}
        for shorter in range(level, -1, -1):
            part = self._forming[shorter].get(symbol)
            if part is not None:
                _merge_into(whole, symbol, part)
        start = self._ends[level] - LENGTHS[level]
        return self._bar(symbol, level, start, whole[symbol], closed=False) if whole else None

    def statistics(self) -> dict[str, int]:
        """Return how many closed bars are kept, how many may be, and of how many symbols."""
        return {"closed": self._count, "limit": self._limit, "symbols": len(self._closed)}


def _merge_into(level: dict[str, _Forming], symbol: str, later: _Forming) -> None:
    """Merge a bucket into the longer one that holds it; the longer one never shares the object."""
    forming = level.get(symbol)
    if forming is None:
        level[symbol] = msgspec.structs.replace(later)
    else:
        forming.merge(later)
