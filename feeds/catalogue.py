"""Catalogue: the instruments of a feed that is not told of any, inferred from its ticks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from ticker.core.tick import SYMBOL, Instrument, Quote, Tick

# The server's own limit: a hostile file can't make us keep more.
SYMBOL_LIMIT = 10_000


class Catalogue:
    """Instruments by symbol, with the coarsest decimal grid on which every price and size so far lies."""

    def __init__(self, describe: Callable[[str], Instrument]) -> None:
        """Take what makes the instrument of a symbol that turns up undeclared; its grids are then refined."""
        self._describe = describe
        self._instruments: dict[str, Instrument] = {}
        # Decimals of price and size of the inferred ones; a declared symbol has none and keeps its grid.
        self._decimals: dict[str, tuple[int, int]] = {}
        self._listing: tuple[Instrument, ...] | None = ()

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Return all instruments; the same object until one is new or refined."""
        if self._listing is None:
            self._listing = tuple(self._instruments.values())
        return self._listing

    def declare(self, instruments: Iterable[Instrument]) -> None:
        """Take instruments as given, in place of what was inferred.

        Raises:
            ValueError: a symbol breaks the rule, or there are too many.
        """
        for instrument in instruments:
            self._keep(instrument)
            self._decimals.pop(instrument.symbol, None)

    def expect(self, symbol: str) -> None:
        """List a symbol before its first tick, on a grid of whole numbers.

        Raises:
            ValueError: it breaks the rule for symbols, or there are too many.
        """
        self._keep(msgspec.structs.replace(self._describe(symbol), tick_size=1.0, lot_size=1.0))
        self._decimals[symbol] = (0, 0)

    def observe(self, tick: Tick) -> None:
        """Learn of a new symbol or a finer grid.

        Raises:
            ValueError: the symbol breaks the rule for symbols, or there are too many.
        """
        if tick.symbol not in self._instruments:
            self.expect(tick.symbol)
        decimals = self._decimals.get(tick.symbol)
        if decimals is not None:
            self._refine(tick, *decimals)

    def _refine(self, tick: Tick, price: int, size: int) -> None:
        if isinstance(tick, Quote):
            finer = (_enough(_enough(price, tick.bid), tick.ask), _enough(_enough(size, tick.bid_size), tick.ask_size))
        else:
            finer = (_enough(price, tick.price), _enough(size, tick.size))
        if finer != (price, size):
            self._decimals[tick.symbol] = finer
            tick_size, lot_size = (float(f"1e-{decimals}") for decimals in finer)
            known = self._instruments[tick.symbol]
            self._keep(msgspec.structs.replace(known, tick_size=tick_size, lot_size=lot_size))

    def _keep(self, instrument: Instrument) -> None:
        if not SYMBOL.fullmatch(instrument.symbol):
            raise ValueError(f"{instrument.symbol[:40]!r} is no symbol")
        if len(self._instruments) >= SYMBOL_LIMIT and instrument.symbol not in self._instruments:
            raise ValueError(f"more than {SYMBOL_LIMIT} symbols")
        self._instruments[instrument.symbol] = instrument
        self._listing = None


def _enough(decimals: int, number: float) -> int:
    """Return ``decimals``, or how many more the shortest text of the number has."""
    if round(number, decimals) == number:
        return decimals
    exponent = Decimal(repr(number)).as_tuple().exponent
    return -exponent if isinstance(exponent, int) else decimals
