from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.backfill import FIRST_CHUNK, HOUR, MOST_KEPT, Backfill, Ladder
from feeds.market_model import MarketModel
from feeds.quoting import TRADE_SHARE
from feeds.synthetic_market import SyntheticMarket, initial_levels
from feeds.universe import Universe, make_universe
from ticker.core.tick import INTERVALS, Bar, Quote, Trade

SECOND = 1_000_000
# 12 minutes and 34.567891 seconds past an hour: every interval has a bar that is still forming.
START = 1_763_899_200 * SECOND + 754_567_891
BARS = list[Bar]


def backfill(
    universe: Universe, history: int, start: int = START, rate: float = 200, kept: int = MOST_KEPT, period: int = HOUR
) -> Backfill:
    rng = np.random.default_rng(9)
    model = MarketModel(universe, initial_levels(universe, 1), rng)
    return Backfill(universe, model, rng, rate, period, Ladder(start - history, start, kept))


def by_series(bars: BARS) -> dict[tuple[str, str], BARS]:
    series: dict[tuple[str, str], BARS] = defaultdict(list)
    for bar in bars:
        series[bar.symbol, bar.interval].append(bar)
    return series


@pytest.fixture(scope="module")
def universe() -> Universe:
    return make_universe(1, 40)


@pytest.fixture(scope="module")
def half_hour(universe: Universe) -> BARS:
    [bars] = backfill(universe, 1800 * SECOND).chunks()
    return bars


@pytest.fixture(scope="module")
def day(universe: Universe) -> list[BARS]:
    return list(backfill(universe, 86_400 * SECOND).chunks())


def test_the_first_chunk_of_the_default_history_holds_thirty_candles(universe: Universe, half_hour: BARS) -> None:
    series = by_series(half_hour)
    counts = [len(series[listing.symbol, "1m"]) for listing in universe.listings]

    assert max(counts) == 31
    assert np.median(counts) >= 30


def test_bars_come_oldest_first_and_once(half_hour: BARS) -> None:
    assert [bar.ts for bar in half_hour] == sorted(bar.ts for bar in half_hour)
    assert len({(bar.symbol, bar.interval, bar.ts) for bar in half_hour}) == len(half_hour)


def test_bars_are_closed_partial_or_forming_by_their_times(half_hour: BARS) -> None:
    begin = START - 1800 * SECOND

    assert all(bar.closed == (bar.ts + INTERVALS[bar.interval] <= START) for bar in half_hour)
    assert all(bar.partial == (bar.ts < begin) for bar in half_hour)
    assert {bar.interval for bar in half_hour if not bar.closed} == set(INTERVALS)
    assert {bar.interval for bar in half_hour if bar.partial} == set(INTERVALS) - {"1s"}
    assert all(begin - INTERVALS[bar.interval] < bar.ts < START for bar in half_hour)


def test_bars_are_consistent_in_themselves_and_on_the_grid(universe: Universe, half_hour: BARS) -> None:
    grid = {listing.symbol: listing.ticks_per_unit for listing in universe.listings}
    for bar in half_hour:
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.trades >= 1
        assert bar.volume > 0
        assert bar.ts % INTERVALS[bar.interval] == 0
        for price in (bar.open, bar.high, bar.low, bar.close):
            assert price == round(price * grid[bar.symbol]) / grid[bar.symbol]


@pytest.mark.parametrize(("short", "long"), list(pairwise(INTERVALS)))
def test_longer_bars_are_the_roll_up_of_shorter_ones(half_hour: BARS, short: str, long: str) -> None:
    shorter = by_series([bar for bar in half_hour if bar.interval == short])
    oldest = min(bar.ts for bar in half_hour if bar.interval == short)
    compared = 0
    for bar in half_hour:
        # The first of the shorter bars may lie a bar after the beginning of those that are kept.
        if bar.interval == long and bar.ts >= oldest + INTERVALS[long]:
            parts = [part for part in shorter[bar.symbol, short] if 0 <= part.ts - bar.ts < INTERVALS[long]]
            assert rolled(parts) == (bar.open, bar.high, bar.low, bar.close, bar.trades)
            assert sum(part.volume for part in parts) == pytest.approx(bar.volume)
            compared += 1

    assert compared or long in ("15m", "1h")


def rolled(parts: BARS) -> tuple[float, float, float, float, int]:
    return (
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum(part.trades for part in parts),
    )


def test_a_day_is_the_roll_up_of_its_parts_too(day: list[BARS]) -> None:
    bars = [bar for chunk in day for bar in chunk]
    quarters = by_series([bar for bar in bars if bar.interval == "15m"])
    hours = [bar for bar in bars if bar.interval == "1h"]

    assert len(hours) > 24 * 35
    for bar in hours:
        parts = [part for part in quarters[bar.symbol, "15m"] if 0 <= part.ts - bar.ts < HOUR]
        assert rolled(sorted(parts, key=lambda part: part.ts)) == (bar.open, bar.high, bar.low, bar.close, bar.trades)


def test_chunks_go_back_in_time_and_the_first_holds_all_that_are_forming(day: list[BARS]) -> None:
    begins = [chunk[0].ts for chunk in day]

    assert begins[0] <= START - FIRST_CHUNK
    assert all(newer[0].ts > older[-1].ts for newer, older in pairwise(day))
    assert all(bar.closed for chunk in day[1:] for bar in chunk)
    assert len(day) == 24


def test_no_more_than_a_thousand_closed_bars_a_series_are_made(day: list[BARS]) -> None:
    series = by_series([bar for chunk in day for bar in chunk if bar.closed])
    counts = {
        interval: max(len(bars) for (_, name), bars in series.items() if name == interval) for interval in INTERVALS
    }

    assert max(counts.values()) <= MOST_KEPT
    assert counts["15s"] > 950
    assert counts["1h"] == 24


def test_trades_and_volume_are_those_of_the_live_market(universe: Universe) -> None:
    """Compare an hour, one whole session, of the past with one of the live market."""
    live = SyntheticMarket(universe, 1, 100, START, HOUR)
    counts, volumes, live_counts, live_volumes = np.zeros((4, 40))
    place = {listing.symbol: row for row, listing in enumerate(universe.listings)}
    for tick in live.advance(START + HOUR):
        if isinstance(tick, Trade):
            live_counts[place[tick.symbol]] += 1
            live_volumes[place[tick.symbol]] += tick.size
    for bar in (bar for chunk in backfill(universe, HOUR, rate=100).chunks() for bar in chunk if bar.interval == "5m"):
        counts[place[bar.symbol]] += bar.trades
        volumes[place[bar.symbol]] += bar.volume

    assert 1 / 1.3 < counts.sum() / live_counts.sum() < 1.3
    assert 1 / 1.3 < counts.sum() / (3600 * 100 * TRADE_SHARE) < 1.3
    assert 1 / 1.3 < np.median(counts / live_counts) < 1.3
    assert 1 / 1.3 < np.median(volumes / live_volumes) < 1.3


def test_the_live_market_goes_on_where_history_ends(universe: Universe, half_hour: BARS) -> None:
    opening = {tick.symbol: tick for tick in SyntheticMarket(universe, 1, 200, START, HOUR).advance(START)}
    last = {bar.symbol: bar for bar in half_hour if bar.interval == "1s" and bar.ts > START - 3 * SECOND}
    second = {listing.symbol: listing.volatility for listing in universe.listings}

    assert len(last) > 10
    for symbol, bar in last.items():
        quote = opening[symbol]
        assert isinstance(quote, Quote)
        allowed = quote.ask - quote.bid + 8 * second[symbol] * quote.ask
        assert bar.close == pytest.approx((quote.bid + quote.ask) / 2, abs=allowed)


def test_the_reference_is_the_price_at_the_beginning(universe: Universe, half_hour: BARS) -> None:
    reference = np.exp(backfill(universe, 1800 * SECOND).log_reference)
    names = [listing.symbol for listing in universe.listings]
    first = {bar.symbol: bar for bar in reversed(half_hour) if bar.interval == "1m"}

    assert len(first) == 40
    moves = [first[name].open / price - 1 for name, price in zip(names, reference, strict=True)]
    assert np.median(np.abs(moves)) < 0.002
    assert np.abs(np.log(reference) - universe.log_price).max() > 0.002


def test_without_history_the_reference_is_the_price_at_the_start(universe: Universe) -> None:
    assert backfill(universe, 0).log_reference.tolist() == universe.log_price.tolist()


def test_a_history_is_the_same_each_time_it_is_asked_for(universe: Universe, half_hour: BARS) -> None:
    assert list(backfill(universe, 1800 * SECOND).chunks()) == [half_hour]


def test_at_the_turn_of_an_hour_nothing_is_forming(universe: Universe) -> None:
    start = START // HOUR * HOUR
    bars = [bar for chunk in backfill(universe, HOUR, start).chunks() for bar in chunk]

    assert all(bar.closed and not bar.partial for bar in bars)
    assert {bar.interval for bar in bars} == set(INTERVALS)


def test_a_market_that_hardly_trades_has_few_bars(universe: Universe) -> None:
    [bars] = backfill(universe, 1800 * SECOND, rate=0.1).chunks()
    seconds = sum(bar.trades for bar in bars if bar.interval == "1h")

    assert 5 < seconds < 100


TIMES = st.integers(1_700_000_000 * SECOND, 1_900_000_000 * SECOND)


@settings(deadline=None)
@given(TIMES, st.integers(1, 86_400 * SECOND), st.integers(40, 1000))
def test_cells_cover_history_and_each_lies_in_one_bar_of_every_interval_kept_there(
    start: int, history: int, kept: int
) -> None:
    ladder = Ladder(start - history, start, kept)
    edges = ladder.edges(start - history, start)

    assert edges[0] == start
    assert edges[-1] == start - history
    assert len(edges) < 6 * kept + 100
    for end, begin in pairwise(edges):
        assert begin < end
        for length in INTERVALS.values():
            assert begin < ladder.floor(length) or begin // length == (end - 1) // length


@given(TIMES, st.integers(1, 86_400 * SECOND), st.integers(40, 1000))
def test_kept_bars_are_few_enough_and_whole(start: int, history: int, kept: int) -> None:
    ladder = Ladder(start - history, start, kept)
    for length in INTERVALS.values():
        floor = ladder.floor(length)

        assert (start - floor) // length <= kept
        assert floor == start - history or all(floor % other == 0 for other in INTERVALS.values() if other <= length)
