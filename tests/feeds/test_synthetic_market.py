"""The figures that the synthetic market holds, and that it is a function of its parameters alone.

Seeds are fixed: a threshold that is met is met for ever. Figures are of two hours of the default market.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.quoting import Flags, Step
from feeds.synthetic_market import LONGEST_STEP, SHORTEST_STEP, SyntheticMarket
from feeds.universe import Floats, Ints, Universe, make_universe
from ticker.core.tick import Quote, Tick, Trade

SECOND = 1_000_000
START = 1_763_899_200 * SECOND
HOUR = 3600 * SECOND
SECONDS = 7200
LIQUID = 20


def market(
    symbols: int = 40, rate: float = 200, seed: int = 1, start: int = START, period: int = HOUR
) -> SyntheticMarket:
    return SyntheticMarket(make_universe(seed, symbols), seed, rate, start, period)


@dataclass(frozen=True)
class Tape:
    """Two hours of the market; symbols stand in the order of liquidity, the most liquid first."""

    universe: Universe
    ts: Ints
    symbols: Ints
    trades: Flags
    mid: Floats
    size: Floats

    def of(self, symbol: int) -> Flags:
        rows: Flags = self.symbols == symbol
        return rows

    @cached_property
    def order(self) -> list[int]:
        return [int(symbol) for symbol in np.argsort(self.universe.illiquidity)]

    @cached_property
    def returns(self) -> Floats:
        """Log-returns of each second of the mid price, shape (symbols, seconds)."""
        ends = START + SECOND * np.arange(SECONDS + 1)
        returns: Floats = np.diff(np.array([self._log_mids(symbol, ends) for symbol in self.order]), axis=1)
        return returns

    @cached_property
    def minutes(self) -> Floats:
        """Log-returns of each minute."""
        minutes: Floats = self.returns.reshape(len(self.order), -1, 60).sum(axis=2)
        return minutes

    @cached_property
    def counts(self) -> Floats:
        """Ticks of each second, shape (symbols, seconds)."""
        return np.array([self._by_second(self.of(symbol), np.ones_like(self.mid)) for symbol in self.order], float)

    @cached_property
    def volumes(self) -> Floats:
        """Volume of each second."""
        return np.array([self._by_second(self.of(symbol) & self.trades, self.size) for symbol in self.order])

    @cached_property
    def gaps(self) -> list[Ints]:
        """Times between ticks, a list of arrays, one a symbol."""
        return [np.diff(self.ts[self.of(symbol)]) for symbol in self.order]

    def _log_mids(self, symbol: int, ends: Ints) -> Floats:
        quotes = self.of(symbol) & ~self.trades
        last = np.searchsorted(self.ts[quotes], ends, side="right") - 1
        mids: Floats = np.log(self.mid[quotes][last])
        return mids

    def _by_second(self, rows: Flags, weights: Floats) -> Floats:
        seconds = (self.ts[rows] - START) // SECOND
        return np.bincount(seconds, weights[rows], SECONDS).astype(float)


@pytest.fixture(scope="module")
def tape() -> Tape:
    universe = make_universe(1, 40)
    generator = SyntheticMarket(universe, 1, 200, START, HOUR)
    steps = [generator.opening, *(generator.step() for _ in range(SECONDS * SECOND // LONGEST_STEP))]

    def joined(name: str) -> Floats:
        column: Floats = np.concatenate([getattr(step, name) for step in steps])
        return column

    mid = (joined("bid") + joined("ask")) / 2
    ts, symbols = (joined(name).astype(np.int64) for name in ("ts", "symbols"))
    return Tape(universe, ts, symbols, joined("trades").astype(bool), mid, joined("bid_size"))


def kurtosis(returns: Floats) -> Floats:
    """Return the excess kurtosis of each row."""
    apart = returns - returns.mean(axis=1, keepdims=True)
    found: Floats = (apart**4).mean(axis=1) / (apart**2).mean(axis=1) ** 2 - 3
    return found


def correlation(left: Floats, right: Floats, lag: int = 0) -> Floats:
    """Return the correlation, row by row, of ``left`` with ``right`` so many columns later."""
    rows = zip(left[:, : left.shape[1] - lag], right[:, lag:], strict=True)
    return np.array([np.corrcoef(one, other)[0, 1] for one, other in rows])


def hill(returns: Floats) -> float:
    """Return the Hill tail index of the upper 5 % of absolute values."""
    falling = np.sort(np.abs(returns))[::-1]
    count = len(falling) // 20
    return float(1 / np.log(falling[:count] / falling[count]).mean())


def test_returns_have_fat_tails_that_thin_out_over_a_minute(tape: Tape) -> None:
    second, minute = kurtosis(tape.returns[:LIQUID]), kurtosis(tape.minutes[:LIQUID])

    assert second.min() > 3
    assert np.median(minute) < np.median(second)


def test_the_tail_index_is_that_of_markets(tape: Tape) -> None:
    standardised = tape.returns[:LIQUID] / tape.returns[:LIQUID].std(axis=1, keepdims=True)

    assert 2.2 < hill(standardised.ravel()) < 4.5


def test_signs_of_returns_have_no_memory(tape: Tape) -> None:
    # Symbols that move by a tick or more in most seconds: on a coarse grid, prices bounce. The largest of 19 lags
    # would exceed 3 deviations by chance in one of 20 symbols.
    signs = np.sign(tape.returns[[row for row in range(LIQUID) if np.mean(tape.returns[row] == 0) < 0.15]])
    found = np.array([correlation(signs, signs, lag) for lag in range(2, 21)])

    assert len(signs) >= 3
    assert np.abs(found).max() < 3 / np.sqrt(SECONDS)


def test_volatility_clusters_and_forgets_slowly(tape: Tape) -> None:
    size = np.abs(tape.returns[:LIQUID])
    found = np.array([correlation(size, size, lag).mean() for lag in range(1, 101)])

    assert found.min() > 0
    assert found[:10].mean() > found[10:30].mean() > found[30:60].mean() > found[60:].mean()


def test_a_fall_makes_the_market_nervous(tape: Tape) -> None:
    returns = tape.returns[:LIQUID]

    assert np.mean([correlation(returns, np.abs(returns), lag).mean() for lag in range(1, 11)]) < -0.01


def test_volume_comes_with_movement(tape: Tape) -> None:
    assert correlation(tape.volumes[:LIQUID], np.abs(tape.returns[:LIQUID])).mean() > 0.1


def test_ticks_come_in_bursts(tape: Tape) -> None:
    fano = tape.counts.var(axis=1) / tape.counts.mean(axis=1)
    variation = [gaps.std() / gaps.mean() for gaps in tape.gaps]

    assert fano[:LIQUID].min() > 5
    assert min(variation) > 1.5


def test_sectors_and_the_whole_market_move_together(tape: Tape) -> None:
    found: Floats = np.asarray(np.corrcoef(tape.minutes))
    sector = tape.universe.sector[tape.order]
    same = sector[:, None] == sector[None, :]
    others = ~np.eye(len(sector), dtype=bool)

    assert found[same & others].mean() > found[~same].mean() + 0.05
    assert 0.3 < np.linalg.eigvalsh(found)[-1] / len(sector) < 0.6


def test_the_mean_rate_is_as_told(tape: Tape) -> None:
    assert len(tape.ts) / SECONDS == pytest.approx(200, rel=0.1)


def test_even_the_rarest_symbol_ticks_every_few_seconds(tape: Tape) -> None:
    means = tape.counts.mean(axis=1)

    assert means[-1] > 0.1
    assert 30 < means[0] / means[-1] < 300


def test_liquid_symbols_have_a_spread_of_about_one_tick_and_others_more() -> None:
    generator = market()
    ticks = generator.advance(START + 300 * SECOND)
    grid = {listing.symbol: listing.ticks_per_unit for listing in make_universe(1, 40).listings}
    spreads: dict[str, list[float]] = {}
    for tick in ticks:
        if isinstance(tick, Quote):
            spreads.setdefault(tick.symbol, []).append((tick.ask - tick.bid) * grid[tick.symbol])
    names = [listing.symbol for listing in make_universe(1, 40).listings]
    order = [names[row] for row in np.argsort(make_universe(1, 40).illiquidity)]

    assert np.mean([np.mean(spreads[name]) for name in order[:10]]) < 1.6
    assert np.mean([np.mean(spreads[name]) for name in order[-10:]]) > 2.5
    assert np.mean([np.max(spreads[name]) > 1.5 * np.median(spreads[name]) for name in order]) > 0.9


def test_ten_million_ticks_are_neither_crossed_nor_off_grid_nor_empty() -> None:
    universe = make_universe(3, 200)
    generator = SyntheticMarket(universe, 3, 100_000, START, HOUR)
    total, last = 0, START
    while total < 10_000_000:
        step = generator.step()
        check(universe, step)
        assert step.ts[0] >= last
        total, last = total + len(step.ts), int(step.ts[-1])


def check(universe: Universe, step: Step) -> None:
    assert (step.bid >= 1).all()
    assert (step.ask > step.bid).all()
    assert (np.minimum(step.bid_size, step.ask_size) >= 1).all()
    assert (np.diff(step.ts) >= 0).all()
    for column in (step.bid, step.ask, step.bid_size, step.ask_size):
        assert (column == np.rint(column)).all()
    # The double nearest to a decimal on the grid: as many ticks as it says, and no neighbour of it lies nearer.
    price = universe.price(step.symbols, step.ask)
    assert (np.rint(price * universe.ticks_per_unit[step.symbols]) == step.ask).all()


def test_prices_and_sizes_are_the_shortest_decimals() -> None:
    listings = {listing.symbol: listing for listing in make_universe(1, 40).listings}
    for tick in market(rate=5000).advance(START + 20 * SECOND):
        prices = (tick.bid, tick.ask) if isinstance(tick, Quote) else (tick.price,)
        sizes = (tick.bid_size, tick.ask_size) if isinstance(tick, Quote) else (tick.size,)

        # The shortest text of a double lies on the grid only if it is the double nearest to a place on the grid.
        grid, (lot, lots) = listings[tick.symbol].ticks_per_unit, listings[tick.symbol].lot
        assert all(Decimal(repr(price)) * grid % 1 == 0 for price in prices)
        assert all(Decimal(repr(size)) * lots % lot == 0 for size in sizes)


def test_trades_happen_at_the_best_prices_of_the_quote_before_them() -> None:
    quotes: dict[str, Quote] = {}
    sides = []
    for tick in market(rate=2000).advance(START + 30 * SECOND):
        if isinstance(tick, Quote):
            quotes[tick.symbol] = tick
            assert tick.bid < tick.ask
        else:
            sides.append(tick.side)
            assert tick.price == (quotes[tick.symbol].ask if tick.side == "buy" else quotes[tick.symbol].bid)

    assert 0.4 < sides.count("buy") / len(sides) < 0.6


def test_prices_do_not_run_straight_between_the_steps_of_the_model() -> None:
    mids = [
        tick.bid + tick.ask
        for tick in market(rate=20_000).advance(START + 20 * SECOND)
        if isinstance(tick, Quote) and tick.symbol == "BTC-USD"
    ]
    moves = np.diff(mids)[None, :]

    assert len(mids) > 5000
    assert correlation(moves, moves, 1)[0] < 0.05
    assert np.mean([correlation(moves, moves, lag)[0] for lag in range(1, 11)]) < 0.02


def test_sizes_of_trades_have_heavy_tails() -> None:
    ticks = market(rate=5000).advance(START + 60 * SECOND)
    sizes = np.array([tick.size for tick in ticks if isinstance(tick, Trade) and tick.symbol == "EUR/USD"])

    assert len(sizes) > 500
    assert 1.2 < hill(sizes) < 3
    assert sizes.max() > 10 * np.median(sizes)


def test_it_opens_with_a_quote_of_every_symbol() -> None:
    ticks = market().advance(START)

    assert all(isinstance(tick, Quote) and tick.ts == START for tick in ticks[:40])
    assert len({tick.symbol for tick in ticks}) == 40


def test_ticks_come_in_order_and_not_before_their_time() -> None:
    generator = market(rate=1000)
    times: list[int] = []
    for until in range(START, START + 5 * SECOND, 15_000):
        ticks = generator.advance(until)
        times += [tick.ts for tick in ticks]
        assert all(tick.ts <= until for tick in ticks)
        assert generator.next_ts > until

    assert times == sorted(times)
    assert times[0] == START


WHOLE = market().advance(START + 10 * SECOND)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 10 * SECOND), max_size=50))
def test_the_ticks_are_the_same_however_time_passes(moments: list[int]) -> None:
    generator = market()
    ticks: list[Tick] = []
    for moment in [*sorted(moments), 10 * SECOND]:
        ticks += generator.advance(START + moment)

    assert msgspec.json.encode(ticks) == msgspec.json.encode(WHOLE)


def test_another_seed_or_rate_gives_another_market() -> None:
    def said(generator: SyntheticMarket) -> bytes:
        return msgspec.json.encode(generator.advance(START + SECOND))

    assert said(market()) == said(market())
    assert len({said(market()), said(market(seed=2)), said(market(rate=201))}) == 3


def test_another_start_moves_times_and_nothing_else_at_the_same_place_of_a_session() -> None:
    late = market(start=START + HOUR).advance(START + HOUR + 10 * SECOND)

    assert [msgspec.structs.replace(tick, ts=tick.ts - HOUR) for tick in late] == WHOLE


def test_going_back_gives_nothing() -> None:
    generator = market()
    generator.advance(START + SECOND)

    assert generator.advance(START) == []


def test_sessions_repeat_with_their_period() -> None:
    generator = market(period=60 * SECOND)
    ticks = generator.advance(START + 1200 * SECOND)[40:]
    phase = np.array([tick.ts for tick in ticks]) % (60 * SECOND) / (60 * SECOND)
    tenths = np.histogram(phase, 10, (0, 1))[0]

    assert tenths[[0, 9]].mean() > 1.2 * tenths[[4, 5]].mean()


@pytest.mark.parametrize(("rate", "length"), [(0.1, LONGEST_STEP), (10_000, 100_000), (100_000, SHORTEST_STEP)])
def test_a_step_holds_about_a_thousand_ticks(rate: float, length: int) -> None:
    assert market(rate=rate).step_length == length


def test_a_market_that_hardly_trades_says_that_nothing_is_near() -> None:
    generator = market(symbols=1, rate=0.1)
    generator.advance(START)

    assert generator.next_ts > START
    assert len(generator.advance(START + 600 * SECOND)) < 300
