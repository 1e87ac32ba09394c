from __future__ import annotations

import gc
import json
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, Data, make_tape, put, quote, read, tape_of, trade
from ticker.core.cursor import Cursor
from ticker.core.ring import ClosedBar, Entry
from ticker.core.stretch import Stretches
from ticker.core.subscription import Subscription
from ticker.core.tape import Tape
from ticker.core.tick import Instrument, Quote, Tick
from ticker.core.view import REMEMBERED, STRIDE, Filter, View
from ticker.core.wire import JSON, MSGPACK, SSE

MS = 1000
ALL = Subscription(("*",))


class Placed(NamedTuple):
    """A tick and the moment at which it got its place."""

    tick: Tick
    placed: int


@st.composite
def markets(draw: st.DrawFn) -> list[Placed]:
    """Draw ticks that get their places at moments that often lie at the edges of 20 ms windows."""
    now, found = NOON, []
    for _ in range(draw(st.integers(0, 30))):
        now += draw(st.sampled_from([0, 0, 1, 7 * MS, 20 * MS - 1, 20 * MS, 65 * MS]))
        symbol, price = draw(st.sampled_from("ABC")), draw(st.integers(1, 99))
        found.append(Placed(quote(symbol, price) if draw(st.booleans()) else trade(symbol, price), now))
    return found


def tape_with(market: list[Placed], size: int = 100) -> Tape:
    """Return a market that has taken ticks at their moments."""
    tape = make_tape(size)
    for tick, placed in market:
        put(tape, tick, placed=placed)
    return tape


def view(tape: Tape, *subscriptions: Subscription, conflate: int = 0, batched: bool = False) -> View:
    """Return a view of its own, in JSON."""
    return View(Stretches(tape.ring), tape.instruments, Filter(subscriptions, conflate), JSON, batched)


def positions(items: list[Entry | ClosedBar]) -> list[int]:
    """Return the places of ticks."""
    return [item.position for item in items if isinstance(item, Entry)]


def window(placed: int, milliseconds: int) -> int:
    """Return the number of a window."""
    return placed // (milliseconds * MS)


def conflated(market: list[Placed], after: int, to: int, milliseconds: int) -> list[int]:
    """Return by brute force the places of what windows send: the newest quote per symbol, and all trades."""
    kept = []
    for place in range(after + 1, to + 1):
        tick, placed = market[place - 1]
        later = [
            other
            for other, other_placed in market[place:to]
            if window(other_placed, milliseconds) == window(placed, milliseconds)
            and isinstance(other, Quote)
            and other.symbol == tick.symbol
        ]
        if not (isinstance(tick, Quote) and later):
            kept.append(place)
    return kept


@given(markets(), st.integers(20, 100), st.data())
def test_a_closed_window_is_its_newest_quotes_and_all_its_trades(
    market: list[Placed], milliseconds: int, data: st.DataObject
) -> None:
    tape = tape_with(market)
    after = data.draw(st.integers(0, len(market)))
    ends = [
        place
        for place in range(after, len(market) + 1)
        if place in (after, len(market))
        or window(market[place - 1].placed, milliseconds) != window(market[place].placed, milliseconds)
    ]
    to = data.draw(st.sampled_from(ends))
    selected = view(tape, ALL, conflate=milliseconds).select(after, to)

    assert positions(selected.items) == conflated(market, after, to, milliseconds)


@given(markets(), st.integers(20, 100), st.integers(1, 3))
def test_a_limit_within_a_window_changes_nothing_of_what_comes(
    market: list[Placed], milliseconds: int, limit: int
) -> None:
    tape = tape_with(market)
    seen, place = [], 0
    one = view(tape, ALL, conflate=milliseconds)
    while place < tape.ring.newest:
        selected = one.select(place, tape.ring.newest, limit)
        assert selected.ticks <= limit
        assert selected.to > place
        seen += positions(selected.items)
        place = selected.to

    assert seen == conflated(market, 0, len(market), milliseconds)


@given(markets(), st.lists(st.sampled_from("ABC"), max_size=2), st.sets(st.sampled_from(["quote", "trade"])))
def test_what_matches_is_what_the_subscription_says(market: list[Placed], symbols: list[str], types: set[str]) -> None:
    tape = tape_with(market)
    selected = view(tape, Subscription(tuple(symbols), tuple(sorted(types)))).select(0, len(market))
    expected = [
        place
        for place, (tick, _) in enumerate(market, 1)
        if tick.symbol in symbols and ("quote" if isinstance(tick, Quote) else "trade") in types
    ]

    assert positions(selected.items) == expected
    assert (selected.to, selected.ticks) == (len(market), len(expected))


def test_of_several_subscriptions_all_must_match() -> None:
    tape = tape_of(quote("A"), trade("A"), quote("AB"), trade("AB"), quote("B"))
    both = view(tape, Subscription(("A*",), ("quote",)), Subscription(("AB", "B"), ("quote", "trade")))

    assert positions(both.select(0, 5).items) == [3]
    assert both.wants("AB", "quote")
    assert not both.wants("AB", "trade")
    assert not both.wants("A", "quote")


def bar_intervals(*subscriptions: Subscription) -> list[str]:
    """Return the intervals of the bars that matching clients get when many have closed."""
    tape = tape_of(trade("A"), trade("B"))
    put(tape, quote("C", ts=NOON + 3600 * SECOND))
    items = view(tape, *subscriptions).select(0, 3).items
    return [item.bar.interval + item.bar.symbol for item in items if isinstance(item, ClosedBar)]


def test_bars_come_of_one_interval_and_only_when_asked_for() -> None:
    assert bar_intervals(Subscription(("*",), ("bar",), "5s")) == ["5sA", "5sB"]
    assert bar_intervals(Subscription(("B",), ("quote", "bar"), "1m")) == ["1mB"]
    assert bar_intervals(Subscription(("*",), ("quote",), "5s")) == []


def test_across_a_change_of_the_interval_no_bars_come() -> None:
    assert bar_intervals(Subscription(("*",), ("bar",), "5s"), Subscription(("*",), ("bar",), "1m")) == []


def test_a_bar_stands_at_its_place_though_the_closing_tick_does_not_match() -> None:
    tape = tape_of(trade("A"), trade("B"))
    put(tape, trade("B", ts=NOON + SECOND), trade("A", ts=NOON + SECOND))
    items = view(tape, Subscription(("A",), ("trade", "bar"), "1s")).select(0, 4).items

    assert [item.position if isinstance(item, Entry) else item.bar.symbol for item in items] == [1, "A", 4]


def test_bars_stand_at_their_places_in_a_window_though_the_closing_quote_is_superseded() -> None:
    tape = tape_of(trade("A"))
    put(tape, quote("B", ts=NOON + SECOND), quote("B", ts=NOON + SECOND))
    items = view(tape, Subscription(("*",), ("quote", "bar"), "1s"), conflate=1000).select(0, 3).items

    assert [type(item) for item in items] == [ClosedBar, Entry]


def chunks(one: View, tape: Tape, after: int = 0, known: Cursor | None = None) -> list[Data]:
    """Return all messages of the chunks from a place up to the newest."""
    known = known or tape.ring.cursor(after)
    messages = []
    while after < tape.ring.newest:
        chunk = one.chunk(known, after, tape.ring.newest)
        assert chunk.to > after
        messages += read(chunk.messages)
        after, known = chunk.to, chunk.known or known
    return messages


@pytest.mark.parametrize("start", [0, 1, 500, 511, 512, 513, 1999])
def test_chunks_are_the_stream_without_a_seam(start: int) -> None:
    tape = tape_of(*[quote(bid=number) for number in range(1, 2001)], size=2000)

    assert [each["bid"] for each in chunks(view(tape, ALL), tape, start)] == list(range(start + 1, 2001))


def test_chunks_of_a_replay_end_where_those_of_others_do() -> None:
    tape = tape_of(*[quote()] * 1500, size=2000)
    one = view(tape, ALL)

    assert [one.chunk(tape.ring.cursor(start), start, 1500).to for start in (0, 7, STRIDE, 1300)] == [
        STRIDE,
        STRIDE,
        2 * STRIDE,
        1500,
    ]


def test_clients_at_one_place_share_the_bytes() -> None:
    tape = tape_of(*[quote()] * 9)
    one = view(tape, ALL, batched=True)
    place = tape.ring.cursor(0)

    assert one.chunk(place, 0, 9) is one.chunk(place, 0, 9)
    assert one.chunk(place, 0, 8) is not one.chunk(place, 0, 9)


def test_a_batch_begins_at_the_place_that_the_client_holds() -> None:
    tape = tape_of(quote("B"), quote("B"), quote("A"))
    one = view(tape, Subscription(("A",)), batched=True)

    for known in (tape.ring.cursor(0), tape.ring.cursor(2)):
        [batch] = read(one.chunk(known, 2, 3).messages)
        assert (batch["from"], batch["to"]) == (str(known), f"{EPOCH}-3")


@pytest.mark.parametrize("batched", [False, True])
def test_a_stretch_without_a_match_names_no_place_to_anyone(batched: bool) -> None:
    tape = tape_of(quote("A"), *[quote("B")] * 5)
    one = view(tape, Subscription(("A",)), batched=batched)

    for known in (tape.ring.cursor(1), tape.ring.cursor(3)):
        chunk = one.chunk(known, 3, 6)
        assert chunk.messages == ()
        assert (chunk.known or known) == known


def test_a_view_remembers_a_bounded_number_of_chunks() -> None:
    tape = tape_of(*[quote()] * 50)
    one = view(tape, ALL)
    for place in range(40):
        one.chunk(tape.ring.cursor(place), place, 50)

    assert len(one._chunks) == REMEMBERED


def test_a_window_is_never_cut_by_a_chunk() -> None:
    # One window holds more than a chunk; of all its quotes only the last is sent.
    market = [Placed(quote(bid=number), NOON) for number in range(1, STRIDE + 100)]
    market += [Placed(quote(bid=1), NOON + 20 * MS)]
    tape = tape_with(market, size=2000)
    one = view(tape, ALL, conflate=20)

    assert [each["bid"] for each in chunks(one, tape)] == [STRIDE + 99, 1]
    assert one.chunk(tape.ring.cursor(0), 0, STRIDE + 100).to == STRIDE + 99


def test_a_window_is_cut_at_the_last_place_that_may_be_sent() -> None:
    # A change of the subscription stands in the middle of a window.
    tape = tape_with([Placed(quote(bid=number), NOON) for number in range(1, STRIDE + 100)], size=2000)
    chunk = view(tape, ALL, conflate=20).chunk(tape.ring.cursor(0), 0, STRIDE + 7)

    assert chunk.to == STRIDE + 7


def test_a_chunk_that_ends_within_a_window_is_not_taken_for_a_whole_one() -> None:
    tape = tape_with([Placed(quote(bid=number), NOON) for number in range(1, STRIDE + 100)], size=2000)
    one = view(tape, ALL, conflate=20)
    start = tape.ring.cursor(0)

    assert [each["bid"] for each in read(one.chunk(start, 0, STRIDE).messages)] == [STRIDE]
    assert [each["bid"] for each in read(one.chunk(start, 0, STRIDE + 99).messages)] == [STRIDE + 99]


def test_a_window_of_many_trades_comes_in_pieces_and_whole() -> None:
    market = [Placed(trade(price=number), NOON) for number in range(1, 3 * STRIDE)]
    tape = tape_with(market, size=2000)
    one = view(tape, ALL, conflate=20)

    assert one.chunk(tape.ring.cursor(0), 0, len(market)).to == 2 * STRIDE
    assert [each["price"] for each in chunks(one, tape)] == list(range(1, 3 * STRIDE))


def test_views_are_shared_by_filter_and_format_and_go_with_their_last_client() -> None:
    tape = tape_of(quote())
    first = tape.views.get(Filter((ALL,)), JSON, False)
    others = [
        tape.views.get(Filter((ALL,), 20), JSON, False),
        tape.views.get(Filter((ALL,)), MSGPACK, False),
        tape.views.get(Filter((ALL,)), SSE, False),
        tape.views.get(Filter((ALL,)), JSON, True),
        tape.views.get(Filter((Subscription(("A",)),)), JSON, False),
    ]

    assert tape.views.get(Filter((ALL,)), JSON, False) is first
    assert len({first, *others}) == len(tape.views) == 6
    del others, first
    gc.collect()
    assert len(tape.views) == 0


def test_a_replay_is_filtered_by_the_sectors_of_now() -> None:
    tape = tape_of(quote("XOM"))
    one = tape.views.get(Filter((Subscription(("sector:Energy",)),)), JSON, False)
    start = tape.ring.cursor(0)

    assert one.chunk(start, 0, 1).messages == ()
    tape.define([Instrument("XOM", sector="Energy")])
    assert [json.loads(message)["symbol"] for message in one.chunk(start, 0, 1).messages] == ["XOM"]
