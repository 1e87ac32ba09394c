"""Backfill: bars of the time before the first tick, made backwards from the price at which the live market begins.

Ticks would take too long (90 million for half an hour at 50,000 a second), so time is cut into cells, the finest of
the bars that are still kept at their age, and each cell gets its open, high, low, close, volume and trades at once,
for all symbols. Longer bars are rolled up from the cells, so all intervals agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from feeds.market_model import VARIANCE, MarketModel, Move, seasonal
from feeds.quoting import MEAN_TRADE, TRADE_SHARE
from feeds.universe import Floats, Ints, Universe
from ticker.core.tick import INTERVALS, Bar

# Bars kept per symbol and interval; of many symbols fewer, lest 10,000 of them make 50 million bars.
MOST_KEPT, LEAST_KEPT, KEPT_CELLS = 1000, 40, 400_000
# The first chunk reaches back at least so far (microseconds), and to the beginning of an hour.
FIRST_CHUNK = 1800 * 1_000_000
HOUR = INTERVALS["1h"]
# Bursts make counts vary more than a Poisson variable does: gamma shape of the rate in a second.
BURST_SHAPE = 0.5


class Cells(NamedTuple):
    """What happened in some cells: ``begins`` of shape (cells,), the rest (cells, symbols); oldest first.

    Prices are in ticks and volume in lots. Cells without trades have no bar.
    """

    begins: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trades: Ints

    def since(self, ts: int) -> Cells:
        """Return the cells that begin at ``ts`` or later."""
        rows = slice(int(np.searchsorted(self.begins, ts)), None)
        return Cells(
            self.begins[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.trades[rows],
        )


@dataclass(frozen=True)
class Ladder:
    """Which cells there are between ``begin`` and ``start`` (microseconds), and which bars they may be rolled up to."""

    begin: int
    start: int
    kept: int

    def floor(self, interval: int) -> int:
        """Return the time from which on bars of ``interval`` are kept: a place where every longer bar may end."""
        longer = next((other for other in INTERVALS.values() if other > interval), interval)
        oldest = self.start - self.kept * interval
        return max(self.begin, -(-oldest // longer) * longer)

    def edges(self, begin: int, end: int) -> list[int]:
        """Return the edges of the cells from ``end`` back to ``begin``, newest first."""
        edges = [end]
        for interval in INTERVALS.values():
            while edges[-1] > max(begin, self.floor(interval)):
                edges.append(max(begin, (edges[-1] - 1) // interval * interval))
        return edges


class Backfill:
    """The past of a market, walked back from ``start`` to ``begin`` (microseconds)."""

    def __init__(
        self, universe: Universe, model: MarketModel, rng: np.random.Generator, rate: float, period: int, ladder: Ladder
    ) -> None:
        self._universe = universe
        self._model = model
        self._rng = rng
        self._trade_rates = rate * TRADE_SHARE * universe.activity
        self._period = period
        self._ladder = ladder
        # The log-price at the beginning of the oldest cell made so far.
        self._log_price = universe.log_price
        self._symbols = np.array([listing.symbol for listing in universe.listings], object)
        # The log-price at ``begin``, to which the walk leads: a Brownian bridge.
        self.log_reference = universe.log_price + self._distance()

    def chunks(self) -> Iterator[list[Bar]]:
        """Yield bars, newest chunk first, each chunk oldest bar first; a chunk ends at an hour, so no bar is torn."""
        begin, start = self._ladder.begin, self._ladder.start
        oldest = max(begin, (start - FIRST_CHUNK) // HOUR * HOUR)
        edges = [start, *range(oldest, begin, -HOUR), begin]
        for end, cut in pairwise(edges):
            cells = self._walk(self._ladder.edges(cut, end))
            yield self._bars(cells)

    def _distance(self) -> Floats:
        """Draw how far the price lay at ``begin`` from where it is at ``start``."""
        universe = self._universe
        seconds = (self._ladder.start - self._ladder.begin) / 1e6
        market = np.full(len(universe.listings), self._rng.standard_normal())
        sector = self._rng.standard_normal(universe.sector_count)[universe.sector]
        own = self._rng.standard_normal(len(universe.listings))
        unit = (universe.loadings * np.stack([market, sector, own])).sum(axis=0)
        # The median of volatility, not its mean: what the steps between have on most days.
        distance: Floats = universe.volatility * (math.exp(-VARIANCE) * math.sqrt(seconds)) * unit
        return distance

    def _walk(self, edges: Sequence[int]) -> Cells:
        rows = [self._cell(begin, end) for end, begin in pairwise(edges)][::-1]
        columns = (np.array(column) for column in zip(*rows, strict=True))
        return Cells(np.array(edges[:0:-1]), *columns)

    def _cell(self, begin: int, end: int) -> tuple[Floats, ...]:
        seconds = (end - begin) / 1e6
        move = self._model.step(seconds, seasonal((begin + end) // 2 % self._period / self._period))
        after = self._log_price
        left = (begin - self._ladder.begin) / (end - self._ladder.begin)
        mean = self.log_reference + (after - self.log_reference) * left
        self._log_price = before = mean + move.returns * np.sqrt(left)
        trades = self._trades(seconds, move)
        volume = np.maximum(trades, np.rint(trades * self._mean_size(trades)))
        return (*self._prices(before, after, move.scale, trades), volume, trades)

    def _trades(self, seconds: float, move: Move) -> Ints:
        shape = BURST_SHAPE + seconds / 2
        burst = self._rng.gamma(shape, 1 / shape, len(self._trade_rates))
        return self._rng.poisson(self._trade_rates * seconds * move.activity * burst)

    def _mean_size(self, trades: Ints) -> Floats:
        """Draw the mean size of ``trades``, in lots: it varies less the more they are."""
        deviation = 1 / np.sqrt(np.maximum(trades, 1))
        noise = np.exp(deviation * self._rng.standard_normal(len(trades)) - deviation**2 / 2)
        return self._universe.trade_lots * MEAN_TRADE * noise

    def _prices(self, before: Floats, after: Floats, scale: Floats, trades: Ints) -> tuple[Floats, ...]:
        """Return open, high, low, close in ticks, at bid or ask; extremes are those of a Brownian bridge."""
        grid = self._universe.ticks_per_unit
        reach = (after - before) ** 2
        width = 2 * scale**2 * self._rng.standard_exponential((2, len(scale)))
        up, down = (np.sqrt(reach + width) - np.abs(after - before)) / 2
        # Few trades don't meet the extremes of the path.
        met = np.maximum(trades - 1, 0) / (trades + 1)
        paths = before, np.maximum(before, after) + up * met, np.minimum(before, after) - down * met, after
        opened, high, low, close = (self._on_grid(np.exp(path) * grid) for path in paths)
        opened = np.where(trades == 1, close, opened)
        several = trades > 1
        ends = np.maximum(opened, close), np.minimum(opened, close)
        high = np.where(several, np.maximum(high, ends[0]), close)
        return opened, high, np.where(several, np.minimum(low, ends[1]), close), close

    def _on_grid(self, price: Floats) -> Floats:
        rounded: Floats = np.maximum(1, np.floor(price + self._rng.random(len(price))))
        return rounded

    def _bars(self, cells: Cells) -> list[Bar]:
        pieces = [piece for interval in INTERVALS if (piece := self._rolled(cells, interval))]
        bars = [bar for piece in pieces for bar in piece]
        bars.sort(key=_ts)
        return bars

    def _rolled(self, cells: Cells, interval: str) -> list[Bar]:
        """Return the bars of one interval, of the buckets that are kept and have trades."""
        length = INTERVALS[interval]
        kept = cells.since(self._ladder.floor(length))
        if not len(kept.begins):
            return []
        buckets = kept.begins // length * length
        starts = np.flatnonzero(np.diff(buckets, prepend=-1))
        bar = _merged(kept, starts, buckets[starts])
        rows, symbols = np.nonzero(bar.trades)
        ts = bar.begins[rows]
        prices = (self._universe.price(symbols, column[rows, symbols]) for column in bar[1:5])
        columns = (
            self._symbols[symbols],
            np.full(len(rows), interval, object),
            *prices,
            self._universe.size(symbols, bar.volume[rows, symbols]),
            bar.trades[rows, symbols],
            ts,
            ts < self._ladder.begin,
            ts + length <= self._ladder.start,
        )
        return list(map(Bar, *(column.tolist() for column in columns)))


def _merged(cells: Cells, starts: Ints, begins: Ints) -> Cells:
    """Roll cells up into groups that begin at the rows ``starts``."""
    traded = cells.trades > 0
    rows = np.arange(len(traded))[:, None]
    symbols = np.arange(traded.shape[1])
    first = np.minimum.reduceat(np.where(traded, rows, len(rows) - 1), starts)
    last = np.maximum.reduceat(np.where(traded, rows, 0), starts)
    return Cells(
        begins,
        cells.open[first, symbols],
        np.maximum.reduceat(np.where(traded, cells.high, 0), starts),
        np.minimum.reduceat(np.where(traded, cells.low, np.inf), starts),
        cells.close[last, symbols],
        np.add.reduceat(cells.volume, starts),
        np.add.reduceat(cells.trades, starts),
    )


def _ts(bar: Bar) -> int:
    return bar.ts
