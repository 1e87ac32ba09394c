"""SyntheticMarket: the pure generator of ticks, a function of its seed, start and parameters alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from feeds.arrivals import Arrivals
from feeds.market_model import REVERSION_TIME, MarketModel, seasonal
from feeds.quoting import Book, Step
from feeds.universe import Floats, Stream, Universe
from ticker.core.tick import Quote, Tick, Trade

# A step of the model holds about 1000 ticks, so that the cost of its hundred array operations is shared, but is no
# longer than 250 ms, in which volatility stands still, nor shorter than 50 ms.
TICKS_PER_STEP = 1000
SHORTEST_STEP, LONGEST_STEP = 50_000, 250_000


class SyntheticMarket:
    """All symbols' ticks from ``start`` on, without end.

    Args:
        universe: the instruments.
        seed: of everything random here.
        rate: mean ticks a second over all symbols.
        start: microseconds since the Unix epoch.
        period: length of a session in microseconds; sessions begin at its multiples since the Unix epoch.
    """

    def __init__(self, universe: Universe, seed: int, rate: float, start: int, period: int) -> None:
        rng = np.random.default_rng((seed, Stream.LIVE))
        self._universe = universe
        self._start = self._end = start
        self._period = period
        # Length of a step of the model, in microseconds.
        self.step_length = int(min(max(TICKS_PER_STEP / rate * 1e6, SHORTEST_STEP), LONGEST_STEP))
        self._model = MarketModel(universe, initial_levels(universe, seed), rng)
        self._arrivals = Arrivals(rate * universe.activity, rng)
        self._book = Book(universe, rng)
        self._log_price = universe.log_price
        self._names = np.array([listing.symbol for listing in universe.listings], object)
        # The first quote of every symbol, at ``start``.
        self.opening = self._book.opening(start)
        # Ticks that are made but not yet handed out, and their times.
        self._ticks = self._as_ticks(self.opening)
        self._times = [start] * len(self._ticks)

    @property
    def next_ts(self) -> int:
        """The time of the next tick, or that up to which there is none for sure."""
        return self._times[0] if self._times else self._end

    def advance(self, until: int) -> list[Tick]:
        """Return the ticks up to and including ``until`` (microseconds) that were not returned before, in order."""
        while self._end <= until:
            step = self.step()
            self._ticks += self._as_ticks(step)
            self._times += step.ts.tolist()
        count = bisect_right(self._times, until)
        ticks, self._ticks, self._times = self._ticks[:count], self._ticks[count:], self._times[count:]
        return ticks

    def step(self) -> Step:
        """Draw the next step, as arrays."""
        begin, self._end = self._end, self._end + self.step_length
        seconds = self.step_length / 1e6
        since = (begin - self._start) / 1e6
        move = self._model.step(seconds, seasonal(((begin + self.step_length // 2) % self._period) / self._period))
        times, symbols = self._arrivals.step(since, since + seconds, move.activity)
        order = np.lexsort((times, symbols))
        times, symbols = times[order], symbols[order]
        phase = np.clip((times - since) / seconds, 0, 1)
        ts = begin + np.minimum((phase * self.step_length).astype(np.int64), self.step_length - 1)
        step = self._book.step(ts, phase, symbols, self._log_price, move)
        self._log_price = self._moved(move.returns, seconds)
        return step

    def _moved(self, returns: Floats, seconds: float) -> Floats:
        pull = (self._universe.log_price - self._log_price) * (seconds / REVERSION_TIME)
        return self._log_price + returns + pull

    def _as_ticks(self, step: Step) -> list[Tick]:
        made = (self._quotes(step), self._trades(step))
        return [next(made[trade]) for trade in step.trades.tolist()]

    def _quotes(self, step: Step) -> Iterator[Tick]:
        rows = np.flatnonzero(~step.trades)
        symbols = step.symbols[rows]
        columns = (
            self._names[symbols],
            self._universe.price(symbols, step.bid[rows]),
            self._universe.size(symbols, step.bid_size[rows]),
            self._universe.price(symbols, step.ask[rows]),
            self._universe.size(symbols, step.ask_size[rows]),
            step.ts[rows],
        )
        return map(Quote, *(column.tolist() for column in columns))

    def _trades(self, step: Step) -> Iterator[Tick]:
        rows = np.flatnonzero(step.trades)
        symbols, buys = step.symbols[rows], step.buys[rows]
        columns = (
            self._names[symbols],
            self._universe.price(symbols, np.where(buys, step.ask[rows], step.bid[rows])),
            self._universe.size(symbols, step.bid_size[rows]),
            np.where(buys, "buy", "sell"),
            step.ts[rows],
        )
        return map(Trade, *(column.tolist() for column in columns))


def initial_levels(universe: Universe, seed: int) -> Floats:
    """Return the volatilities at the start, which history and the live market share."""
    return MarketModel.levels(universe, np.random.default_rng((seed, Stream.LEVELS)))
