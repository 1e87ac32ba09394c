from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, make_tape, put, quote, trade
from ticker.core.stretch import LONGEST, REMEMBERED, Stretches
from ticker.core.tape import Tape
from ticker.core.tick import Quote
from ticker.core.wire import JSON, SSE

SYMBOLS = "ABCD"

# Ticks as symbol, whether a trade, and seconds since the one before: bars close between them.
ticks = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.booleans(), st.sampled_from([0, 0, 0, 1, 7])), max_size=40)
places = st.integers(0, 40)
windows = st.sampled_from([SECOND, 5 * SECOND, 60 * SECOND])


def tape_of(drawn: list[tuple[str, bool, int]]) -> Tape:
    """Return a market that has taken ticks at their times."""
    tape, now = make_tape(), NOON
    for symbol, is_trade, seconds in drawn:
        now += seconds * SECOND
        put(tape, trade(symbol, ts=now) if is_trade else quote(symbol, ts=now), placed=now)
    return tape


def within(tape: Tape, one: int, other: int) -> tuple[int, int]:
    """Return two places of a market, the earlier first."""
    after, to = sorted(min(place, tape.ring.newest) for place in (one, other))
    return after, to


@given(ticks, places, places, st.sets(st.sampled_from([*SYMBOLS, "NEW"])), st.booleans())
def test_what_is_found_by_symbol_is_what_a_scan_finds(
    drawn: list[tuple[str, bool, int]], one: int, other: int, symbols: set[str], with_bars: bool
) -> None:
    tape = tape_of(drawn)
    after, to = within(tape, one, other)
    entries = tape.ring.slice(after, to)
    stretch = Stretches(tape.ring).get(after, to)

    assert stretch.entries == entries
    for _ in range(2):
        assert stretch.of(symbols, with_bars) == [
            entry for entry in entries if entry.tick.symbol in symbols or (with_bars and entry.bars)
        ]
        assert stretch.places(symbols) == [place for place, entry in enumerate(entries) if entry.tick.symbol in symbols]


@given(ticks, places, places, st.lists(windows, min_size=1, max_size=3))
def test_a_quote_is_superseded_by_a_newer_one_of_its_symbol_and_window(
    drawn: list[tuple[str, bool, int]], one: int, other: int, lengths: list[int]
) -> None:
    tape = tape_of(drawn)
    after, to = within(tape, one, other)
    stretch = Stretches(tape.ring).get(after, to)
    quotes = [entry for entry in tape.ring.slice(after, to) if isinstance(entry.tick, Quote)]

    for window in lengths:
        expected = {
            older.position
            for older in quotes
            for newer in quotes
            if newer.position > older.position
            and newer.tick.symbol == older.tick.symbol
            and newer.placed // window == older.placed // window
        }
        assert stretch.superseded(window) == expected


def test_a_message_is_made_once_for_all_who_read_it_and_for_each_codec() -> None:
    tape = tape_of([("A", False, 0), ("B", True, 0), ("A", False, 0)])
    stretches = Stretches(tape.ring)
    messages = stretches.get(0, 3).messages(JSON)
    second = messages[1]

    assert second == JSON.tick(tape.ring[2])
    assert stretches.get(0, 3).messages(JSON)[1] is second
    assert stretches.get(0, 3).messages(SSE)[1] == SSE.tick(tape.ring[2])
    assert list(messages) == [1]


def test_stretches_are_remembered_until_so_many_newer_ones_were_read() -> None:
    tape = tape_of([("A", False, 0)] * 40)
    stretches = Stretches(tape.ring)
    first = stretches.get(0, 1)
    for place in range(1, REMEMBERED):
        stretches.get(0, place + 1)
    assert stretches.get(0, 1) is first
    assert stretches.get(0, REMEMBERED).entries[-1].position == REMEMBERED
    stretches.get(0, REMEMBERED + 1)

    assert stretches.get(0, 1) is not first


def test_a_long_stretch_is_not_kept() -> None:
    tape = make_tape(size=2 * LONGEST)
    put(tape, *[quote()] * (LONGEST + 1))
    stretches = Stretches(tape.ring)

    assert stretches.get(0, LONGEST) is stretches.get(0, LONGEST)
    assert stretches.get(0, LONGEST + 1) is not stretches.get(0, LONGEST + 1)
    assert len(stretches.get(0, LONGEST + 1).entries) == LONGEST + 1


def test_a_stretch_keeps_what_leaves_the_ring() -> None:
    tape = make_tape(size=2)
    put(tape, quote("A"), quote("B"))
    stretch = Stretches(tape.ring).get(0, 2)
    put(tape, quote("C"), quote("D"), epoch=EPOCH + 1)

    assert [entry.tick.symbol for entry in stretch.of({"A", "C"}, False)] == ["A"]
