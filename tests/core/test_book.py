from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import put, quote, records, tape_of, trade
from ticker.core.tick import Quote, Tick

ticks = st.lists(
    st.builds(
        lambda symbol, price, is_quote: quote(symbol, price) if is_quote else trade(symbol, price),
        st.sampled_from("ABC"),
        st.integers(1, 1000),
        st.booleans(),
    ),
    max_size=40,
)


def newest(all_ticks: list[Tick], kind: bool) -> dict[str, Tick]:
    """Return by brute force the newest tick of a kind of each symbol."""
    return {tick.symbol: tick for tick in all_ticks if isinstance(tick, Quote) == kind}


@given(ticks, st.integers(1, 10), st.data())
def test_the_book_at_any_kept_place_is_what_the_ticks_up_to_it_say(
    stream: list[Tick], size: int, data: st.DataObject
) -> None:
    tape = tape_of(*stream, size=size)
    place = data.draw(st.integers(tape.ring.oldest, tape.ring.newest))
    symbols = data.draw(st.permutations("ABC"))

    for kind, at in ((True, tape.book.quotes_at), (False, tape.book.trades_at)):
        expected = newest(stream[:place], kind)
        assert [entry.tick for entry in at(place, symbols)] == [expected[name] for name in symbols if name in expected]


def test_what_left_the_ring_is_still_the_newest_of_its_symbol() -> None:
    tape = tape_of(quote("A", 7), *[quote("B")] * 20, size=5)

    assert [each["bid"] for each in records(tape.book.quotes_at(tape.ring.oldest, "A"))] == [7]


def test_a_symbol_without_a_tick_of_the_kind_is_left_out() -> None:
    tape = tape_of(quote("A"))

    assert tape.book.trades_at(1, ["A", "NONE"]) == []
    assert tape.book.quotes_at(0, ["A"]) == []


def test_chains_do_not_keep_what_the_ring_has_forgotten() -> None:
    tape = tape_of(*[quote("A", price) for price in range(1, 50)], size=4)
    length, entry = 0, tape.book.quotes["A"]
    while entry.previous is not None:
        length, entry = length + 1, entry.previous

    assert length == 4
    put(tape, quote("A"))
    assert entry.position == 45
