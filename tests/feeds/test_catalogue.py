from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.catalogue import SYMBOL_LIMIT, Catalogue
from ticker.core.tick import Instrument, Quote, Trade

DECIMALS = st.decimals(-1_000_000, 1_000_000, places=8).map(lambda number: float(str(number)))


def lies_on(number: float, step: float) -> bool:
    return Decimal(repr(number)) % Decimal(repr(step)) == 0


@settings(deadline=None)
@given(st.lists(st.tuples(DECIMALS, DECIMALS), min_size=1, max_size=20))
def test_every_price_and_size_lies_on_the_coarsest_decimal_grid(numbers: list[tuple[float, float]]) -> None:
    catalogue = Catalogue(Instrument)
    for place, (price, size) in enumerate(numbers):
        quote = Quote("A", price, size, price, size, 1)
        catalogue.observe(quote if place % 2 else Trade("A", price, size, None, 1))
    (instrument,) = catalogue.instruments
    prices, sizes = zip(*numbers, strict=True)
    for grid, values in ((instrument.tick_size, prices), (instrument.lot_size, sizes)):
        assert all(lies_on(value, grid) for value in values)
        assert grid == 1 or not all(lies_on(value, float(Decimal(repr(grid)) * 10)) for value in values)


@pytest.mark.parametrize(
    ("number", "step"), [(61686.0, 1.0), (61685.9, 0.1), (0.00017, 1e-05), (1e-08, 1e-08), (1e22, 1.0), (0.0, 1.0)]
)
def test_the_step_is_the_shortest_double(number: float, step: float) -> None:
    catalogue = Catalogue(Instrument)
    catalogue.observe(Trade("A", number, number, None, 1))

    assert catalogue.instruments == (Instrument("A", tick_size=step, lot_size=step),)


def test_each_side_of_a_quote_counts() -> None:
    catalogue = Catalogue(Instrument)
    catalogue.observe(Quote("A", 1.0, 0.5, 1.25, 1.0, 1))
    catalogue.observe(Quote("A", 1.125, 0.5, 1.0, 0.75, 1))

    assert catalogue.instruments == (Instrument("A", tick_size=0.001, lot_size=0.01),)


def test_a_declared_instrument_keeps_its_grid() -> None:
    declared = Instrument("A", tick_size=0.05, lot_size=10)
    catalogue = Catalogue(Instrument)
    catalogue.observe(Trade("A", 1.001, 1, None, 1))
    catalogue.declare([declared])
    catalogue.observe(Trade("A", 1.00001, 1, None, 1))

    assert catalogue.instruments == (declared,)


def test_the_listing_is_the_same_object_until_something_changes() -> None:
    catalogue = Catalogue(Instrument)
    catalogue.observe(Trade("A", 1.5, 1, None, 1))
    before = catalogue.instruments
    catalogue.observe(Trade("A", 2.5, 1, None, 2))
    same = catalogue.instruments
    catalogue.observe(Trade("A", 2.55, 1, None, 3))

    assert same is before
    assert catalogue.instruments != before


def test_the_number_of_symbols_is_bounded() -> None:
    catalogue = Catalogue(Instrument)
    catalogue.declare(Instrument(f"S{number}") for number in range(SYMBOL_LIMIT))
    catalogue.observe(Trade("S1", 1, 1, None, 1))
    with pytest.raises(ValueError, match="more than 10000 symbols"):
        catalogue.observe(Trade("ONE-MORE", 1, 1, None, 1))

    assert len(catalogue.instruments) == SYMBOL_LIMIT


@pytest.mark.parametrize("symbol", ["", "a", "A B", "A\n", "A" * 33, "-A", "BTC\u0415"])
def test_a_bad_symbol_is_refused(symbol: str) -> None:
    catalogue = Catalogue(Instrument)
    with pytest.raises(ValueError, match="is no symbol"):
        catalogue.observe(Trade(symbol, 1, 1, None, 1))

    assert catalogue.instruments == ()
