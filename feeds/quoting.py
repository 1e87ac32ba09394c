"""Book: what the ticks of a step say, quotes and trades on the grid of each symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.market_model import Move
from feeds.universe import Floats, Ints, Universe

Flags = NDArray[np.bool_]

# Share of trades among ticks; 0.18 in an hour of BTCUSDT.
TRADE_SHARE = 0.18
# Tail exponents of sizes, and the most that a size exceeds the typical one by is exp(LARGEST_EXPONENT / tail).
TRADE_TAIL, QUOTE_TAIL, LARGEST_EXPONENT = 2.0, 2.2, 12.0
# Mean of a trade's size in typical trades: that of a Pareto variable.
MEAN_TRADE = TRADE_TAIL / (TRADE_TAIL - 1)
# Sizes at the best prices, in typical trades.
QUOTE_DEPTH = 3.0
# Spread of the least liquid symbol, in ticks, when the market is calm, and how often a quote is a tick wider.
WIDEST_CALM_SPREAD, WIDER_SHARE = 6.0, 0.1


@dataclass(frozen=True)
class Step:
    """Ticks of one step, one element a tick; prices in ticks and sizes in lots are whole."""

    # Microseconds since the Unix epoch.
    ts: Ints
    symbols: Ints
    trades: Flags
    # True where the aggressor of a trade bought.
    buys: Flags
    # The quote, or the one in force at a trade.
    bid: Floats
    ask: Floats
    # Of a trade only ``bid_size`` counts: it is its size.
    bid_size: Floats
    ask_size: Floats

    def by_time(self) -> Step:
        """Return the same ticks in the order of time; those of one microsecond stay in theirs."""
        order = np.argsort(self.ts, kind="stable")
        return Step(
            self.ts[order],
            self.symbols[order],
            self.trades[order],
            self.buys[order],
            self.bid[order],
            self.ask[order],
            self.bid_size[order],
            self.ask_size[order],
        )


class Runs(NamedTuple):
    """Where the ticks of a symbol begin and end, among ticks that come by symbol."""

    # Place of the first and of the last tick of each symbol that has any.
    first: Ints
    last: Ints
    # Which run each tick belongs to, from 0 on.
    number: Ints

    @classmethod
    def of(cls, symbols: Ints) -> Runs:
        """Find the runs of equal numbers."""
        begins = np.diff(symbols, prepend=-1) != 0
        return cls(np.flatnonzero(begins), np.flatnonzero(np.diff(symbols, append=-1)), np.cumsum(begins) - 1)


class Book:
    """The last quote of every symbol, and the draw of what follows it."""

    def __init__(self, universe: Universe, rng: np.random.Generator) -> None:
        self._universe = universe
        self._rng = rng
        self._calm_spread = np.maximum(1, WIDEST_CALM_SPREAD ** (1.5 * universe.illiquidity - 0.5))
        # Best prices in ticks; they change with each quote.
        self._bid, self._ask = _around(
            np.exp(universe.log_price) * universe.ticks_per_unit, np.maximum(1, np.rint(self._calm_spread))
        )

    def opening(self, ts: int) -> Step:
        """Return a first quote of every symbol."""
        symbols = np.arange(len(self._bid))
        none = np.zeros(len(symbols), bool)
        sizes = self._sizes(symbols, none), self._sizes(symbols, none)
        return Step(np.full(len(symbols), ts), symbols, none, none, self._bid.copy(), self._ask.copy(), *sizes)

    def step(self, ts: Ints, phase: Floats, symbols: Ints, log_price: Floats, move: Move) -> Step:
        """Say what the ticks at ``ts`` are, and return them in the order of time.

        ``phase`` is their place in the step, 0 to 1; they are given by symbol, then time. ``log_price`` is that at the
        step's beginning.
        """
        runs = Runs.of(symbols)
        wander = move.scale[symbols] * self._bridge(phase, runs)
        path = log_price[symbols] + move.returns[symbols] * phase + wander
        bid, ask = _around(np.exp(path) * self._universe.ticks_per_unit[symbols], self._spread(symbols, move))
        trades = self._rng.random(len(symbols)) < TRADE_SHARE
        bid, ask = self._in_force(bid, ask, trades, symbols, runs)
        leaning = 0.5 + 0.35 * np.tanh(move.returns / move.scale)
        buys = self._rng.random(len(symbols)) < leaning[symbols]
        sizes = self._sizes(symbols, trades), self._sizes(symbols, trades)
        return Step(ts, symbols, trades, buys, bid, ask, *sizes).by_time()

    def _bridge(self, phase: Floats, runs: Runs) -> Floats:
        """Return a Brownian bridge of each symbol at its ticks: 0 at both ends of the step.

        Without it, prices would run straight for a step, and the ticks of a liquid symbol would show a momentum that
        no market has.
        """
        since = np.diff(phase, prepend=0.0)
        since[runs.first] = phase[runs.first]
        strides = self._rng.standard_normal(len(phase)) * np.sqrt(since)
        walk = np.cumsum(strides)
        walk -= (walk - strides)[runs.first][runs.number]
        end = walk[runs.last] + self._rng.standard_normal(len(runs.last)) * np.sqrt(1 - phase[runs.last])
        bridge: Floats = walk - phase * end[runs.number]
        return bridge

    def _spread(self, symbols: Ints, move: Move) -> Floats:
        spread = np.maximum(1, np.rint(self._calm_spread * move.nervousness))[symbols]
        return spread + (self._rng.random(len(symbols)) < WIDER_SHARE)

    def _in_force(self, bid: Floats, ask: Floats, trades: Flags, symbols: Ints, runs: Runs) -> tuple[Floats, Floats]:
        """Give each trade the quote that stands before it, from this step or an earlier one, and keep the last."""
        quote = np.maximum.accumulate(np.where(trades, -1, np.arange(len(trades))))
        earlier = quote < runs.first[runs.number]
        bid = np.where(earlier, self._bid[symbols], bid[quote])
        ask = np.where(earlier, self._ask[symbols], ask[quote])
        last = symbols[runs.last]
        self._bid[last], self._ask[last] = bid[runs.last], ask[runs.last]
        return bid, ask

    def _sizes(self, symbols: Ints, trades: Flags) -> Floats:
        """Draw Pareto sizes in lots, at least one."""
        exponent = np.minimum(self._rng.standard_exponential(len(symbols)), LARGEST_EXPONENT)
        typical = self._universe.trade_lots[symbols] * np.where(trades, 1, QUOTE_DEPTH)
        sizes: Floats = np.ceil(typical * np.exp(exponent / np.where(trades, TRADE_TAIL, QUOTE_TAIL)))
        return sizes


def _around(price: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return the whole bid and ask, ``spread`` ticks apart, that lie around ``price``, never below one tick."""
    bid = np.maximum(1, np.floor(price - (spread - 1) / 2))
    return bid, bid + spread
