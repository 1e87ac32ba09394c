from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.core.codes import BadRequest, BadSymbols
from ticker.core.subscription import (
    Pattern,
    Selection,
    Subscription,
    parse_interval,
    parse_symbols,
    parse_types,
    unknown,
)
from ticker.core.tick import INTERVALS, Instrument

few = "AB.-"
names = st.text(few, min_size=1, max_size=8)
globs = st.text(few + "*", min_size=1, max_size=8)


def reference(pattern: str, symbol: str) -> bool:
    """Match as the contract says: only ``*`` is special, any run of characters."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), symbol) is not None


@given(globs, names)
def test_a_pattern_matches_as_the_contract_says(pattern: str, symbol: str) -> None:
    assert Pattern(pattern).matches(Instrument(symbol)) == reference(pattern, symbol)


@pytest.mark.parametrize(
    ("pattern", "symbol", "matches"),
    [
        ("BTC*", "BTC-USD", True),
        ("BTC*", "BTC", True),
        ("*USD", "BTC-USD", True),
        ("*C-U*", "BTC-USD", True),
        ("*", "A", True),
        ("A*A", "A", False),
        ("A*A", "AA", True),
        ("AB*BA", "ABA", False),
        ("*A*A*", "BAB", False),
        ("A.C", "ABC", False),
        ("A", "AB", False),
        ("**A**", "A", True),
    ],
)
def test_patterns(pattern: str, symbol: str, matches: bool) -> None:
    assert Pattern(pattern).matches(Instrument(symbol)) is matches


def test_a_sector_stands_for_its_symbols() -> None:
    pattern = Pattern("sector:Energy")

    assert pattern.matches(Instrument("XOM", sector="Energy"))
    assert not pattern.matches(Instrument("AAPL", sector="Technology"))
    assert not pattern.matches(Instrument("ENERGY"))


def test_a_pattern_of_many_stars_comes_to_an_end() -> None:
    # A matcher that tries every division of the symbol would outlast the machine.
    assert not Pattern("A*" * 31 + "B").matches(Instrument("A" * 32))


@given(st.lists(globs | names, max_size=5), names)
def test_a_selection_is_any_of_its_names_and_patterns(symbols: list[str], symbol: str) -> None:
    expected = any(reference(each, symbol) for each in symbols)
    selection = Selection(symbols, {})

    assert [selection[symbol], selection[symbol]] == [expected, expected]


def test_a_selection_looks_at_an_instrument_once_and_anew_when_cleared() -> None:
    instruments: dict[str, Instrument] = {}
    selection = Selection(["sector:Energy"], instruments)

    assert not selection["XOM"]
    instruments["XOM"] = Instrument("XOM", sector="Energy")
    assert not selection["XOM"]
    selection.clear()
    assert selection["XOM"]


@pytest.mark.parametrize(
    "names",
    [["AAPL"], ["BTC*", "*"], ["sector:Energy"], ["sector:Häuser & Co"], [], ["A" * 32], ["*" + "A" * 63], ["7/_.-"]],
)
def test_names_and_patterns(names: list[str]) -> None:
    assert parse_symbols(names) == tuple(names)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "aapl", "AAPL ", "A?", "[AB]", "A,B", "A\n", "A\x00", "Ä", "-A", ".A", "A" * 33, "*" * 65),
        *("sector:", "sector:a,b", "sector:a\nb", "sector:" + "x" * 65, "SECTOR:Energy", "A:B"),
    ],
)
def test_what_is_neither_name_nor_pattern_says_where(name: str) -> None:
    with pytest.raises(BadSymbols) as refused:
        parse_symbols(["AAPL", name])

    assert (refused.value.code, refused.value.field) == ("bad_symbols", "symbols[1]")


def test_repeated_names_count_once() -> None:
    assert parse_symbols(["B", "A", "B"]) == ("B", "A")


def test_more_than_a_thousand_are_refused() -> None:
    many = [f"S{number}" for number in range(1001)]

    assert len(parse_symbols(many[:1000])) == 1000
    with pytest.raises(BadSymbols) as refused:
        parse_symbols(many)
    assert refused.value.field == "symbols"


def test_a_million_names_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(BadSymbols, match="at most 1000 names and patterns, not 1000000"):
        parse_symbols(["\n"] * 1_000_000)


def test_types_come_in_one_order_and_once() -> None:
    assert parse_types(["bar", "trade", "quote", "trade"]) == ("quote", "trade", "bar")


@pytest.mark.parametrize("name", ["", "quotes", "Quote", "ticks", "heartbeat"])
def test_an_unknown_type_says_where(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_types(["quote", name])

    assert (refused.value.code, refused.value.field) == ("bad_request", "types[1]")


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals(interval: str) -> None:
    assert parse_interval(interval) == interval


@pytest.mark.parametrize("interval", ["", "2m", "1M", "60", "1m "])
def test_what_is_no_interval(interval: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_interval(interval)

    assert refused.value.field == "interval"


def test_by_default_quotes_and_trades_of_nothing() -> None:
    assert Subscription() == ((), ("quote", "trade"), "1m")


def test_adding_keeps_what_there_was_and_its_order() -> None:
    before = Subscription(("B", "A"), ("trade",), "5m")

    assert before.add(("A", "C"), ("quote",)) == Subscription(("B", "A", "C"), ("quote", "trade"), "5m")
    assert before.add((), ()) == before


def test_adding_beyond_the_limit_is_refused() -> None:
    before = Subscription(("A", "B"))

    assert before.add(("B", "C"), (), limit=3).symbols == ("A", "B", "C")
    with pytest.raises(BadSymbols):
        before.add(("C", "D"), (), limit=3)


def test_removing_takes_patterns_literally() -> None:
    before = Subscription(("A*", "AB", "B"))

    assert before.remove(("AB", "AC", "*"), ("trade",)) == Subscription(("A*", "B"), ("quote",))


def test_unknown_are_the_plain_names_that_are_no_instrument_yet() -> None:
    assert unknown(["B", "A", "N*", "sector:X"], {"A": Instrument("A")}) == ["B"]
