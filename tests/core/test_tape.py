from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, make_tape, put, quote, read_raws, records, tape_of, trade
from ticker.core.cursor import Cursor
from ticker.core.tape import DAY, Batch
from ticker.core.tick import Instrument, Tick
from ticker.core.wire import JSON

MIDNIGHT = NOON - NOON % DAY + DAY


def test_ticks_get_contiguous_cursors_and_one_encoding() -> None:
    tape = tape_of(quote("A"), trade("B"))
    put(tape, quote("C"), placed=NOON + 5)

    assert [each["cursor"] for each in records(tape.ring.slice(0, 3))] == [f"{EPOCH}-{seq}" for seq in (1, 2, 3)]
    assert [entry.placed for entry in tape.ring.slice(0, 3)] == [NOON, NOON, NOON + 5]


def test_a_larger_epoch_goes_on_with_nothing_lost() -> None:
    tape = tape_of(quote("A"), quote("A"))
    put(tape, quote("A"), epoch=EPOCH + 1)

    assert [each["cursor"] for each in records(tape.ring.slice(0, 3))] == ["1000-1", "1000-2", "1001-1"]
    assert tape.ring.locate(Cursor(EPOCH, 1)) == 1


@pytest.mark.parametrize(("epoch", "first"), [(EPOCH, 1), (EPOCH, 2), (EPOCH, 4), (EPOCH - 1, 3), (EPOCH + 1, 3)])
def test_what_does_not_follow_is_refused_and_changes_nothing(epoch: int, first: int) -> None:
    tape = tape_of(quote("A"), quote("A"))
    with pytest.raises(ValueError, match=f"{epoch}-{first} does not follow {EPOCH}-2"):
        tape.apply(Batch(epoch, first, NOON, [quote("B")]))

    assert (tape.ring.epoch, tape.ring.seq, tape.ring.newest) == (EPOCH, 2, 2)
    assert list(tape.instruments) == ["A"]


def test_a_bar_stands_just_before_the_tick_at_which_it_closes() -> None:
    tape = tape_of(trade("A"))
    put(tape, quote("B", ts=NOON + SECOND))
    [closed] = tape.ring[2].bars

    assert (closed.bar.symbol, closed.bar.interval, closed.before) == ("A", "1s", Cursor(EPOCH, 1))
    assert tape.ring[1].bars == ()


def test_a_new_symbol_is_an_instrument_whose_changes_count_from_its_first_price() -> None:
    tape = tape_of(quote("A", bid=10, ask=12), trade("A", price=50), trade("B", price=7))

    assert [(each.symbol, each.reference) for each in tape.instruments.values()] == [("A", 11), ("B", 7)]


def test_from_midnight_on_changes_count_from_the_last_price_before() -> None:
    tape = tape_of(trade("A", price=5), quote("B", bid=1, ask=2), trade("A", price=6))
    put(tape, trade("A", price=9, ts=MIDNIGHT - 1))
    assert tape.instruments["A"].reference == 5
    put(tape, trade("B", price=100, ts=MIDNIGHT), trade("A", price=200, ts=MIDNIGHT))

    assert [tape.instruments[symbol].reference for symbol in "AB"] == [9, 1.5]
    # A late tick of the day before is no new midnight.
    put(tape, trade("A", price=300, ts=MIDNIGHT - 1), trade("A", ts=MIDNIGHT + 1))
    assert tape.instruments["A"].reference == 9
    put(tape, trade("A", ts=MIDNIGHT + DAY))
    assert tape.instruments["A"].reference == 1


def test_an_instrument_without_a_tick_keeps_its_reference_over_midnight() -> None:
    tape = make_tape()
    tape.define([Instrument("A", reference=3), Instrument("B")])
    put(tape, quote("C", ts=MIDNIGHT - 1), quote("C", ts=MIDNIGHT))

    assert [tape.instruments[symbol].reference for symbol in "AB"] == [3, None]


def test_a_reference_that_is_given_holds() -> None:
    tape = make_tape()
    tape.define([Instrument("A", reference=3)])
    put(tape, trade("A", price=5))

    assert tape.instruments["A"].reference == 3


def test_a_change_of_an_instrument_keeps_the_reference_that_it_had() -> None:
    tape = tape_of(trade("A", price=5))
    tape.define([Instrument("A", name="Apple")])
    put(tape, trade("A", price=6))

    assert tape.instruments["A"] == Instrument("A", name="Apple", reference=5)
    tape.define([Instrument("A", reference=8)])
    assert tape.instruments["A"].reference == 8


streams = st.lists(
    st.builds(
        lambda is_quote, symbol, price: quote(symbol, price) if is_quote else trade(symbol, price),
        st.booleans(),
        st.sampled_from("ABC"),
        st.integers(1, 99),
    ),
    max_size=30,
)


@given(streams, st.integers(1, 12), st.sets(st.sampled_from("ABC")), st.sets(st.sampled_from(["quote", "trade"])))
def test_a_snapshot_is_the_newest_of_each_wanted_symbol_at_its_place(
    stream: list[Tick], back: int, symbols: set[str], types: set[str]
) -> None:
    tape = tape_of(*stream, size=12)
    place = max(tape.ring.oldest, len(stream) - back)
    found = tape.snapshot(place, lambda symbol, kind: symbol in symbols and kind in types, JSON.record, "all")

    assert (found["cursor"], found["scope"]) == (f"{EPOCH}-{place}", "all")
    for kind, name in (("quote", "quotes"), ("trade", "trades")):
        newest = {
            tick.symbol: f"{EPOCH}-{number}"
            for number, tick in enumerate(stream[:place], 1)
            if type(tick).__name__.lower() == kind and tick.symbol in symbols and kind in types
        }
        shown = read_raws(found[name])  # type: ignore[arg-type]
        assert {each["symbol"]: each["cursor"] for each in shown} == newest
        assert len(shown) == len(newest)
