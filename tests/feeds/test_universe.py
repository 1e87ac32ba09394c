from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from feeds.universe import CURRENCIES, SECTORS, Universe, make_universe
from ticker.core.tick import SYMBOL


@pytest.fixture(scope="module")
def large() -> Universe:
    return make_universe(7, 10_000)


def test_the_same_seed_gives_the_same_instruments_and_another_gives_others() -> None:
    first, again, other = make_universe(7, 40), make_universe(7, 40), make_universe(8, 40)

    assert first.listings == again.listings
    assert first.activity.tolist() == again.activity.tolist()
    assert {listing.name for listing in first.listings} != {listing.name for listing in other.listings}


@pytest.mark.parametrize("count", [1, 9, 40, 333])
def test_there_are_as_many_instruments_as_asked_for(count: int) -> None:
    assert len(make_universe(1, count).listings) == count


def test_ten_thousand_symbols_and_names_are_unique(large: Universe) -> None:
    assert len({listing.symbol for listing in large.listings}) == 10_000
    assert len({listing.name for listing in large.listings}) == 10_000


def test_symbols_are_valid_and_those_of_companies_can_be_pronounced(large: Universe) -> None:
    companies = [listing for listing in large.listings if listing.sector in SECTORS]

    assert all(SYMBOL.fullmatch(listing.symbol) for listing in large.listings)
    assert all(2 <= len(listing.symbol) <= 7 for listing in companies)
    assert all(set("AEIOU") & set(listing.symbol) for listing in companies)
    assert all(listing.symbol[:2] == listing.name[:2].upper() for listing in companies if listing.name[1] != "'")


def test_shares_cost_from_1_to_1000_on_a_grid_that_is_finer_for_the_cheap(large: Universe) -> None:
    companies = [listing for listing in large.listings if listing.sector in SECTORS]
    by_price = sorted(companies, key=lambda listing: listing.price)

    assert by_price[0].price >= 1
    assert by_price[-1].price <= 1000
    assert [listing.ticks_per_unit for listing in by_price] == sorted(
        (listing.ticks_per_unit for listing in by_price), reverse=True
    )
    assert {listing.ticks_per_unit for listing in companies} == {10_000, 2000, 1000, 500, 200, 100, 50, 20, 10}


def test_companies_spread_over_sectors_and_currencies(large: Universe) -> None:
    companies = [listing for listing in large.listings if listing.sector in SECTORS]

    assert {listing.sector for listing in companies} == set(SECTORS)
    assert {listing.currency for listing in companies} == set(CURRENCIES)


def test_pairs_and_coins_with_grids_of_their_own_are_among_forty() -> None:
    listings = {listing.symbol: listing for listing in make_universe(1, 40).listings}

    assert {"EUR/USD", "USD/JPY", "BTC-USD", "ETH-USD"} <= listings.keys()
    assert (listings["EUR/USD"].ticks_per_unit, listings["EUR/USD"].lot) == (100_000, (1000, 1))
    assert (listings["BTC-USD"].ticks_per_unit, listings["BTC-USD"].lot) == (100, (1, 100_000))


def test_activity_differs_by_two_orders_of_magnitude_and_adds_up() -> None:
    universe = make_universe(1, 40)

    assert universe.activity.sum() == pytest.approx(1)
    assert universe.activity.max() / universe.activity.min() == pytest.approx(100)
    assert universe.activity.argmax() == universe.illiquidity.argmin()


def test_instruments_say_that_they_are_synthetic_and_count_changes_from_the_reference() -> None:
    universe = make_universe(1, 40)
    instruments = universe.instruments(universe.log_price)

    assert all(instrument.synthetic for instrument in instruments)
    assert [instrument.symbol for instrument in instruments] == [listing.symbol for listing in universe.listings]
    for instrument, listing in zip(instruments, universe.listings, strict=True):
        assert instrument.reference == pytest.approx(listing.price, abs=instrument.tick_size)
        assert Decimal(repr(instrument.reference)) % Decimal(repr(instrument.tick_size)) == 0


def test_whole_numbers_of_ticks_and_lots_become_the_shortest_decimals() -> None:
    universe = make_universe(1, 40)
    symbols = [listing.symbol for listing in universe.listings]
    euro, coin = (np.array([symbols.index(symbol)]) for symbol in ("EUR/USD", "BTC-USD"))

    assert universe.price(euro, np.array([108_003.0])).tolist() == [1.08003]
    assert universe.price(coin, np.array([18_940.0])).tolist() == [189.4]
    assert universe.size(coin, np.array([70_001.0])).tolist() == [0.70001]
    assert universe.size(euro, np.array([3.0])).tolist() == [3000]
