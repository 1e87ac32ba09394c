from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.tapes import NOON, SECOND, quote, trade
from ticker.core.bars import BAR_BYTES, Bars
from ticker.core.tick import INTERVALS, Bar, Quote, Tick

MINUTE = 60 * SECOND


class Counted(NamedTuple):
    """A tick and the market time at its place."""

    tick: Tick
    time: int


def reference(ticks: list[Tick]) -> list[list[Bar]]:
    """Return by brute force, from the words of PROTOCOL.md section 3, the bars that close just before each tick."""
    return [_closing(ticks, place) for place in range(len(ticks))]


def counted(ticks: list[Tick]) -> list[Counted]:
    """Give each tick the market time at its place: the largest ts so far."""
    return [Counted(tick, max(each.ts for each in ticks[: place + 1])) for place, tick in enumerate(ticks)]


def _closing(ticks: list[Tick], place: int) -> list[Bar]:
    if not place:
        return []
    before = counted(ticks[:place])
    last, now = before[-1].time, max(before[-1].time, ticks[place].ts)
    bars = []
    for name, length in INTERVALS.items():
        start = last - last % length
        if now >= start + length:
            bars += [bar for symbol in "ABC" if (bar := bar_at(before, symbol, name, start))]
    return bars


def bar_at(before: list[Counted], symbol: str, name: str, start: int, *, closed: bool = True) -> Bar | None:
    """Return the bar of one bucket, None if nothing counts in it."""
    bucket = [
        each.tick for each in before if each.tick.symbol == symbol and each.time - each.time % INTERVALS[name] == start
    ]
    trades = [tick for tick in bucket if not isinstance(tick, Quote)]
    has_traded = any(each.tick.symbol == symbol and not isinstance(each.tick, Quote) for each in before)
    mids = [] if has_traded else [tick for tick in bucket if isinstance(tick, Quote)]
    prices = [tick.price for tick in trades] or [(tick.bid + tick.ask) / 2 for tick in mids]
    if not prices:
        return None
    volume = sum(tick.size for tick in trades)
    partial = start < before[0].time
    ohlc = prices[0], max(prices), min(prices), prices[-1]
    return Bar(symbol, name, *ohlc, volume, len(trades), start, partial, closed)


@st.composite
def streams(draw: st.DrawFn) -> list[Tick]:
    """Draw ticks whose times mostly rise, in steps that often end buckets, and sometimes are late."""
    now = NOON + draw(st.sampled_from([0, 1, SECOND // 2, 59 * SECOND]))
    steps = st.sampled_from([0, 1, SECOND // 3, SECOND - 1, SECOND, 4 * SECOND, 15 * SECOND, MINUTE, 3601 * SECOND])
    late = st.sampled_from([0, 0, 0, 1, 2 * SECOND, 2 * MINUTE])
    ticks: list[Tick] = []
    for _ in range(draw(st.integers(0, 25))):
        now += draw(steps)
        symbol, price, ts = draw(st.sampled_from("ABC")), draw(st.integers(1, 9)), now - draw(late)
        size = draw(st.integers(0, 5))
        ticks.append(trade(symbol, price, ts, size) if draw(st.booleans()) else quote(symbol, price, ts))
    return ticks


@given(streams())
@example([quote(ts=0), quote(ts=SECOND)])
@example([quote(ts=0), trade(ts=0), quote(ts=5 * SECOND)])
def test_bars_are_what_the_words_of_the_contract_make_of_the_ticks(ticks: list[Tick]) -> None:
    bars = Bars()

    assert [bars.add(tick) for tick in ticks] == reference(ticks)


@given(streams(), st.sampled_from(list(INTERVALS)))
def test_kept_bars_are_those_that_closed_and_the_one_still_forming_is_last(ticks: list[Tick], name: str) -> None:
    bars = Bars()
    closed = [bar for tick in ticks for bar in bars.add(tick)]

    for symbol in "ABC":
        expected = [bar for bar in closed if bar.symbol == symbol and bar.interval == name]
        before = counted(ticks)
        if before:
            start = before[-1].time - before[-1].time % INTERVALS[name]
            forming = bar_at(before, symbol, name, start, closed=False)
            expected += [forming] if forming else []
        assert bars.since(symbol, name, 5000) == expected


def closing(*ticks: Tick) -> list[Bar]:
    """Return the 1s bars that close over some ticks."""
    bars = Bars()
    return [bar for tick in ticks for bar in bars.add(tick) if bar.interval == "1s"]


def test_a_bar_closes_at_the_first_tick_that_reaches_its_end() -> None:
    bars = Bars()

    assert bars.add(trade(price=5, ts=NOON)) == []
    assert bars.add(trade(price=6, ts=NOON + SECOND - 1)) == []
    assert bars.add(trade(price=7, ts=NOON + SECOND)) == [Bar("A", "1s", 5, 6, 5, 6, 2, 2, NOON)]


def test_several_at_one_place_come_by_interval_then_symbol() -> None:
    bars = Bars()
    for symbol in "CAB":
        bars.add(trade(symbol, ts=NOON))
    closed = bars.add(trade(ts=NOON + 5 * SECOND))

    assert [(bar.interval, bar.symbol) for bar in closed] == [
        (name, symbol) for name in ("1s", "5s") for symbol in "ABC"
    ]


def test_a_late_tick_goes_into_the_bar_still_forming() -> None:
    late = closing(
        trade(price=5, ts=NOON), trade(price=9, ts=NOON + SECOND), trade(price=1, ts=NOON), trade(ts=NOON + MINUTE)
    )

    assert [(bar.ts, bar.high, bar.low, bar.trades) for bar in late] == [(NOON, 5, 5, 1), (NOON + SECOND, 9, 1, 2)]


def test_before_the_first_trade_mid_prices_count_without_volume() -> None:
    [bar] = closing(quote(bid=1, ask=2, ts=NOON), quote(bid=3, ask=4, ts=NOON), quote("B", ts=NOON + SECOND))

    assert bar == Bar("A", "1s", 1.5, 3.5, 1.5, 3.5, 0, 0, NOON)


def test_the_first_trade_restarts_the_open_bar_of_every_interval() -> None:
    bars = Bars()
    bars.add(quote(bid=100, ts=NOON))
    bars.add(quote(bid=200, ts=NOON + 2 * SECOND))
    bars.add(trade(price=7, ts=NOON + 2 * SECOND))
    bars.add(quote(bid=300, ts=NOON + 2 * SECOND))

    assert {bars.since("A", name, 9)[-1].high for name in INTERVALS} == {7}
    assert [bar.high for bar in bars.since("A", "1s", 9)] == [100.5, 7]


def test_an_empty_bucket_gives_no_bar() -> None:
    assert [bar.ts for bar in closing(trade(ts=NOON), trade(ts=NOON + 9 * SECOND), trade(ts=NOON + 10 * SECOND))] == [
        NOON,
        NOON + 9 * SECOND,
    ]


@pytest.mark.parametrize(("begin", "partial"), [(NOON, False), (NOON + 1, True)])
def test_a_bar_whose_beginning_was_not_seen_is_partial(begin: int, partial: bool) -> None:
    first, second = closing(trade(ts=begin), trade(ts=NOON + SECOND), trade(ts=NOON + 2 * SECOND))

    assert (first.partial, second.partial) == (partial, False)


def test_a_bar_is_partial_for_a_symbol_that_came_later_only_if_its_bucket_was_not_seen_from_its_start() -> None:
    bars = Bars()
    bars.add(trade("A", ts=NOON + 1))
    bars.add(trade("B", ts=NOON + SECOND + 1))

    assert [bar.partial for bar in bars.since("B", "1s", 9)] == [False]
    assert [bar.partial for bar in bars.since("B", "1m", 9)] == [True]


def test_many_sizes_leave_no_binary_noise() -> None:
    [bar] = closing(*[trade(size=0.1, ts=NOON)] * 3, trade(ts=NOON + SECOND))

    assert bar.volume == 0.3


def test_limit_and_end_choose_the_last_bars_that_start_before_the_end() -> None:
    bars = Bars()
    for second in range(6):
        bars.add(trade(ts=NOON + second * SECOND))

    def starts(limit: int, end: float) -> list[int]:
        return [(bar.ts - NOON) // SECOND for bar in bars.since("A", "1s", limit, end)]

    assert starts(3, NOON + 9 * SECOND) == [3, 4, 5]
    assert starts(3, NOON + 5 * SECOND) == [2, 3, 4]
    assert starts(9, NOON + 1) == [0]
    assert starts(9, NOON) == []
    assert bars.since("NONE", "1s", 9) == []


def test_a_series_keeps_so_many_closed_bars() -> None:
    bars = Bars(per_series=3)
    for second in range(9):
        bars.add(trade(ts=NOON + second * SECOND))

    assert [bar.closed for bar in bars.since("A", "1s", 99)] == [True, True, True, False]
    # Of the one 5s bucket that is over one bar more.
    assert bars.statistics() == {"closed": 4, "limit": 256 * 2**20 // BAR_BYTES, "symbols": 1}


def test_beyond_the_memory_the_least_recently_traded_symbol_loses_its_bars() -> None:
    bars = Bars(memory=10 * BAR_BYTES)
    ticks = [trade("OLD", ts=NOON), *[trade("B", ts=NOON + second * SECOND) for second in range(1, 30)]]
    for tick in ticks:
        bars.add(tick)

    assert [bar.closed for bar in bars.since("OLD", "1s", 99)] == []
    assert bars.since("B", "1s", 99)[-2].ts == NOON + 28 * SECOND
    # The last symbol keeps its own, which the limit of a series bounds.
    assert bars.statistics()["symbols"] == 1


def history(symbol: str, *starts: int, interval: str = "1s", trades: int = 1, closed: bool = True) -> list[Bar]:
    """Return bars as a feed's history has them, counted in seconds from NOON."""
    return [Bar(symbol, interval, 5, 9, 1, 5, trades, trades, NOON + start * SECOND, False, closed) for start in starts]


def test_history_comes_before_what_ticks_made_newest_chunk_first() -> None:
    bars = Bars()
    bars.load(history("A", -2, -1))
    bars.load(history("A", -5, -4, -3))
    bars.add(trade(ts=NOON))
    bars.load(history("A", -7, -6))

    assert [(bar.ts - NOON) // SECOND for bar in bars.since("A", "1s", 99)] == [-7, -6, -5, -4, -3, -2, -1, 0]


def test_history_beyond_the_limits_is_dropped_oldest_first() -> None:
    bars = Bars(per_series=3)
    bars.load(history("A", -2, -1))
    bars.load(history("A", -5, -4, -3))
    bars.load(history("A", -6))

    assert [(bar.ts - NOON) // SECOND for bar in bars.since("A", "1s", 99)] == [-3, -2, -1]
    assert bars.statistics()["closed"] == 3


def test_bars_of_history_go_on_where_they_were_still_forming() -> None:
    bars = Bars()
    forming = [
        Bar("A", "1s", 5, 5, 5, 5, 1, 1, NOON, False, False),
        Bar("A", "5s", 5, 9, 5, 5, 3, 2, NOON, False, False),
        *[Bar("A", name, 5, 9, 2, 5, 7, 4, NOON, False, False) for name in list(INTERVALS)[2:]],
    ]
    bars.load(forming)
    assert [bars.since("A", name, 9)[0] for name in INTERVALS] == forming
    bars.add(trade(price=6, ts=NOON + 10))
    closed = bars.add(trade(price=7, ts=NOON + 15 * SECOND))

    assert closed == [
        Bar("A", "1s", 5, 6, 5, 6, 2, 2, NOON),
        Bar("A", "5s", 5, 9, 5, 6, 4, 3, NOON),
        Bar("A", "15s", 5, 9, 2, 6, 8, 5, NOON),
    ]


def test_what_a_feed_knew_from_its_beginning_on_is_not_partial() -> None:
    bars = Bars()
    bars.load(history("A", 0, closed=False))
    bars.add(trade("A", ts=NOON + 1))
    bars.add(trade("B", ts=NOON + 1))

    assert [bars.since(symbol, "1s", 1)[0].partial for symbol in "AB"] == [False, True]


def test_bars_that_a_feed_itself_marks_partial_stay_so() -> None:
    bars = Bars()
    bars.load([Bar("A", "1m", 5, 5, 5, 5, 1, 1, NOON, True, False)])
    bars.add(trade("A", ts=NOON + 30 * SECOND))

    assert bars.since("A", "1m", 1)[0].partial


def test_a_symbol_that_traded_in_history_does_not_go_back_to_mids() -> None:
    bars = Bars()
    bars.load(history("A", -1) + history("B", -1, trades=0))
    for symbol in "AB":
        bars.add(quote(symbol, ts=NOON))

    assert [len(bars.since(symbol, "1s", 9)) for symbol in "AB"] == [1, 2]


def test_a_bar_that_ticks_have_begun_is_kept_when_history_comes_late() -> None:
    bars = Bars()
    bars.add(trade(price=7, ts=NOON + 2 * SECOND))
    bars.load(history("A", 1) + history("A", 2, closed=False))
    bars.load(history("A", 0, closed=False))

    assert [(bar.ts - NOON, bar.high) for bar in bars.since("A", "1s", 9)] == [(SECOND, 9), (2 * SECOND, 7)]


def test_of_two_histories_the_later_one_ends_the_open_bars_of_the_other() -> None:
    bars = Bars()
    bars.load(history("A", 0, closed=False))
    bars.load(history("B", 1, closed=False))
    bars.load(history("C", 0, closed=False))
    bars.add(trade("A", ts=NOON + SECOND))

    assert [bar.closed for bar in bars.since("A", "1s", 9)] == [True, False]
    assert [bar.ts - NOON for bar in bars.since("B", "1s", 9)] == [SECOND]
    assert bars.since("C", "1s", 9) == []
