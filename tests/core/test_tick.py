from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.core.tick import INTERVALS, SYMBOL, Bar, Instrument

WRITTEN = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,31}", re.ASCII)


@pytest.mark.parametrize("symbol", ["A", "7", "BTC-USD", "EUR/USD", "BRK.B", "A_B", "A" * 32])
def test_symbols(symbol: str) -> None:
    assert SYMBOL.fullmatch(symbol)


@pytest.mark.parametrize("text", ["", "a", ".A", "-A", "/A", "_A", "A" * 33, "A B", "A*", "Ä", "A\n", "٣", "A,B"])
def test_what_is_no_symbol(text: str) -> None:
    assert not SYMBOL.fullmatch(text)


def test_intervals_are_those_of_the_contract_shortest_first_and_each_holds_the_one_before_it() -> None:
    lengths = list(INTERVALS.values())

    assert list(INTERVALS) == ["1s", "5s", "15s", "1m", "5m", "15m", "1h"]
    assert [length // 1_000_000 for length in lengths] == [1, 5, 15, 60, 300, 900, 3600]
    assert all(longer % shorter == 0 for shorter, longer in pairwise(lengths))


def test_a_bar_is_closed_and_whole_unless_it_says_otherwise() -> None:
    bar = Bar("A", "1m", 1, 1, 1, 1, 0, 0, 0)

    assert (bar.partial, bar.closed) == (False, True)


def test_defaults_of_an_instrument() -> None:
    instrument = Instrument("A")

    assert (instrument.currency, instrument.tick_size, instrument.lot_size) == ("USD", 0.01, 1)
    assert (instrument.reference, instrument.synthetic) == (None, False)


@given(st.text(alphabet=st.sampled_from("AZ09._/-az *\n"), max_size=34))
def test_symbols_match_the_expression_of_the_contract(text: str) -> None:
    assert bool(SYMBOL.fullmatch(text)) == bool(WRITTEN.fullmatch(text))
