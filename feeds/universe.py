"""Universe: the invented instruments of the synthetic market and their hidden parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import cycle, product
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.core.tick import Instrument

if TYPE_CHECKING:
    from faker import Faker

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SECTORS = (
    "Technology",
    "Financials",
    "Healthcare",
    "Industrials",
    "Energy",
    "Materials",
    "Utilities",
    "Telecommunications",
    "Retail",
    "Transport",
)
# Weighted by repetition: most listings are in dollars.
CURRENCIES = ("USD",) * 7 + ("EUR", "EUR", "GBP", "CHF")

CONSONANTS = "BDFGKLMNPRSTVZ"
VOWELS = "AEIOU"


class Stream(IntEnum):
    """What a stream of random numbers is for; with the seed it seeds the stream. History must not echo the market."""

    LIQUIDITY = 1
    LEVELS = 2
    LIVE = 3
    PAST = 4


class Listing(NamedTuple):
    """One instrument. A price is a whole number over ``ticks_per_unit``, a size a whole number times the lot.

    ``volatility`` is the standard deviation of the log-return over one second; ``market`` and ``sector_share`` are the
    parts of its variance that come from the market's and the sector's factor.
    """

    symbol: str
    name: str
    sector: str
    currency: str
    price: float
    ticks_per_unit: int
    # The lot as a fraction: 1000 is (1000, 1), 0.0001 is (1, 10000). A division of whole numbers is rounded correctly,
    # so that sizes and prices come out as the shortest decimals.
    lot: tuple[int, int]
    volatility: float
    market: float
    sector_share: float
    # The typical value of a trade, in the currency.
    notional: float


def _pair(symbol: str, name: str, currency: str, price: float, ticks_per_unit: int) -> Listing:
    return Listing(
        symbol, name, "Currencies", currency, price, ticks_per_unit, (1000, 1), 4e-5, 0.05, 0.45, 200_000 * price
    )


def _coin(symbol: str, name: str, price: float, ticks_per_unit: int, lots: int) -> Listing:
    return Listing(symbol, name, "Crypto", "USD", price, ticks_per_unit, (1, lots), 2.5e-4, 0.15, 0.45, 1500)


PAIRS = (
    _pair("EUR/USD", "Euro / US dollar", "USD", 1.08, 100_000),
    _pair("USD/JPY", "US dollar / Japanese yen", "JPY", 149.5, 1000),
    _pair("GBP/USD", "Pound sterling / US dollar", "USD", 1.27, 100_000),
    _pair("USD/CHF", "US dollar / Swiss franc", "CHF", 0.88, 100_000),
    _pair("AUD/USD", "Australian dollar / US dollar", "USD", 0.66, 100_000),
    _pair("EUR/GBP", "Euro / Pound sterling", "GBP", 0.85, 100_000),
)
COINS = (
    _coin("BTC-USD", "Bitcoin", 61_000, 100, 100_000),
    _coin("ETH-USD", "Ether", 2600, 100, 10_000),
    _coin("SOL-USD", "Solana", 145, 100, 1000),
    _coin("XRP-USD", "XRP", 0.57, 10_000, 10),
)


@dataclass(frozen=True)
class Universe:
    """The listings, and their numbers as arrays of one element a symbol."""

    listings: tuple[Listing, ...]
    # Sector number of each symbol, 0 to ``sector_count - 1``.
    sector: Ints
    sector_count: int
    # Square roots of the shares of market, sector and own part in the variance: shape (3, symbols).
    loadings: Floats
    log_price: Floats
    volatility: Floats
    ticks_per_unit: Floats
    lot: Floats
    lots_per_unit: Floats
    # The typical trade, in lots.
    trade_lots: Floats
    # Share of each symbol in all ticks; the largest is 100 times the smallest.
    activity: Floats
    # Where a symbol stands in the order of liquidity: 0 the most liquid, 1 the least.
    illiquidity: Floats

    def price(self, symbols: Ints, ticks: Floats) -> Floats:
        """Return whole numbers of ticks as prices, each the double nearest to its decimal."""
        prices: Floats = ticks / self.ticks_per_unit[symbols]
        return prices

    def size(self, symbols: Ints, lots: Floats) -> Floats:
        """Return whole numbers of lots as sizes."""
        sizes: Floats = lots * self.lot[symbols] / self.lots_per_unit[symbols]
        return sizes

    def instruments(self, log_reference: Floats) -> tuple[Instrument, ...]:
        """Return what clients see, with the price at ``log_reference`` to count changes from."""
        ticks = np.maximum(1, np.rint(np.exp(log_reference) * self.ticks_per_unit))
        references = self.price(np.arange(len(self.listings)), ticks).tolist()
        return tuple(
            Instrument(
                listing.symbol,
                listing.name,
                listing.sector,
                listing.currency,
                1 / listing.ticks_per_unit,
                listing.lot[0] / listing.lot[1],
                reference,
                synthetic=True,
            )
            for listing, reference in zip(self.listings, references, strict=True)
        )


def make_universe(seed: int, count: int) -> Universe:
    """Invent ``count`` instruments: companies, and from ten symbols on a few currency pairs and coins among them."""
    specials = PAIRS[: count // 10] + COINS[: count // 12]
    listings = (*specials, *_companies(seed, count - len(specials), {special.symbol for special in specials}))
    names = sorted({listing.sector for listing in listings})
    shares = np.array([(listing.market, listing.sector_share) for listing in listings]).T
    price = np.array([listing.price for listing in listings])
    lot = np.array([listing.lot for listing in listings], float).T
    illiquidity = np.random.default_rng((seed, Stream.LIQUIDITY)).permutation(np.linspace(0, 1, count))
    weight = 100.0**-illiquidity
    return Universe(
        listings=listings,
        sector=np.array([names.index(listing.sector) for listing in listings]),
        sector_count=len(names),
        loadings=np.sqrt(np.vstack([shares, 1 - shares.sum(axis=0)])),
        log_price=np.log(price),
        volatility=np.array([listing.volatility for listing in listings]),
        ticks_per_unit=np.array([listing.ticks_per_unit for listing in listings], float),
        lot=lot[0],
        lots_per_unit=lot[1],
        trade_lots=np.array([listing.notional for listing in listings]) / price * lot[1] / lot[0],
        activity=weight / weight.sum(),
        illiquidity=illiquidity,
    )


def _companies(seed: int, count: int, taken: set[str]) -> Iterator[Listing]:
    # Imported here because it costs 0.34 s (a third of the server's start), which only this feed should pay.
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(seed)
    for sector, _ in zip(cycle(SECTORS), range(count), strict=False):
        yield _company(fake, sector, taken)


def _company(fake: Faker, sector: str, taken: set[str]) -> Listing:
    name = fake.unique.company()
    random: Random = fake.random
    symbol = next(text for text in _symbols(name) if text not in taken and set(text) & set(VOWELS))
    taken.add(symbol)
    price = math.exp(random.uniform(math.log(1.1), math.log(950)))
    return Listing(
        symbol,
        name,
        sector,
        random.choice(CURRENCIES),
        price,
        _ticks_per_unit(price),
        (1, 1),
        2e-4 * math.exp(random.gauss(0, 0.25)),
        random.uniform(0.48, 0.62),
        random.uniform(0.14, 0.2),
        3000,
    )


def _symbols(name: str) -> Iterator[str]:
    """Yield symbols for a company, the most natural first; more than 10,000, so there is always a free one."""
    words = [word.upper() for word in re.findall("[A-Za-z]{2,}", name) if word != "and"]
    first, last = words[0], words[-1]
    yield from (first[:4], first[:3] + last[:1], first[:2] + last[:2], first[:3] + last[:2], first[:5])
    yield from (first[:2] + "".join(tail) for tail in product(CONSONANTS, VOWELS))
    yield from (first[:2] + "".join(tail) for tail in product(CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS))


def _ticks_per_unit(price: float) -> int:
    """Return the inverse of the tick size of a share: finer for the cheap, so that a second moves it about a tick."""
    bands = (
        (2, 10_000),
        (5, 2000),
        (10, 1000),
        (20, 500),
        (50, 200),
        (100, 100),
        (200, 50),
        (500, 20),
        (math.inf, 10),
    )
    return next(ticks for below, ticks in bands if price < below)
