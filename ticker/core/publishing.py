"""Publishing: what others send as ticks, checked against the rules of the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from ticker.core.codes import BadRequest, BadSymbols
from ticker.core.commands import explain
from ticker.core.cursor import LIMIT
from ticker.core.tick import SYMBOL, Instrument, Quote, Side, Tick, Trade

# How far ahead of the server's clock a tick may be: bars follow the largest time in the stream, so one tick far in the
# future would end them all.
FUTURE = 60_000_000

# The largest price or size: with more, sums and means of them would be infinite, which JSON can't say.
LARGEST = 1e15


class _Quote(msgspec.Struct, frozen=True, tag_field="type", tag="quote"):
    symbol: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    ts: int | None = None


class _Trade(msgspec.Struct, frozen=True, tag_field="type", tag="trade"):
    symbol: str
    price: float
    size: float
    side: Side | None = None
    ts: int | None = None


Published = _Quote | _Trade


def decode_array(body: bytes) -> list[Published]:
    """Read a JSON array of ticks.

    Raises:
        BadRequest: names index and field, such as ``[3].bid``.
    """
    return _decode(body, list[Published], "")  # type: ignore[no-any-return]


def decode_lines(body: bytes) -> list[Published]:
    """Read NDJSON, one tick a line; blank lines are left out.

    Raises:
        BadRequest: names the index of the line, from 0, and the field.
    """
    lines = [line for line in body.split(b"\n") if line.strip()]
    return [_decode(line, Published, f"[{index}]") for index, line in enumerate(lines)]


def decode_raw(raw: bytes, binary: bool) -> list[Published]:
    """Read the ``ticks`` of the op ``publish``."""
    return _decode(raw, list[Published], "ticks", binary)  # type: ignore[no-any-return]


def _decode(body: bytes, kind: Any, place: str, binary: bool = False) -> Any:
    try:
        return (msgspec.msgpack if binary else msgspec.json).decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        message, field = explain(error)
        inner = f".{field}" if field and place and not field.startswith("[") else field or ""
        raise BadRequest(message, f"{place}{inner}" or None) from None


class Rules:
    """The rules that published ticks obey.

    Args:
        instruments: what is known of each symbol.
        clock: returns microseconds since the Unix epoch.
        max_symbols: how many symbols the market may have.
        allow_crossed: whether a bid may lie above its ask.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        clock: Callable[[], int],
        max_symbols: int = 10_000,
        allow_crossed: bool = False,
    ) -> None:
        self._instruments = instruments
        self._clock = clock
        self._max_symbols = max_symbols
        self._allow_crossed = allow_crossed

    def check(self, published: Sequence[Published], place: str = "") -> list[Tick]:
        """Return ticks with their times; all or none.

        Args:
            place: what stands before the index in an error's field.

        Raises:
            BadRequest: names the index, the field and the rule.
            BadSymbols: there would be too many symbols.
        """
        if not published:
            raise BadRequest("at least one tick is needed", place or None)
        now = self._clock()
        ticks = [self._tick(each, f"{place}[{index}]", now) for index, each in enumerate(published)]
        new = {tick.symbol for tick in ticks}.difference(self._instruments)
        if len(self._instruments) + len(new) > self._max_symbols:
            raise BadSymbols(f"the market has at most {self._max_symbols} symbols", place or "symbol")
        return ticks

    def _tick(self, published: Published, place: str, now: int) -> Tick:
        if not SYMBOL.fullmatch(published.symbol):
            raise BadSymbols("a symbol is up to 32 of A-Z 0-9 . _ / -, a letter or digit first", f"{place}.symbol")
        ts = now if published.ts is None else published.ts
        if not 0 <= ts < LIMIT:
            raise BadRequest("a time is in microseconds since the Unix epoch", f"{place}.ts")
        if ts > now + FUTURE:
            raise BadRequest("a time lies at most 60 s ahead of the server's clock", f"{place}.ts")
        instrument = self._instruments.get(published.symbol)
        grid = instrument.tick_size if instrument else Instrument.__struct_defaults__[3]
        if isinstance(published, _Quote):
            return self._quote(published, place, ts, grid)
        _check_price(published.price, grid, f"{place}.price")
        _check_size(published.size, f"{place}.size")
        return Trade(published.symbol, published.price, published.size + 0.0, published.side, ts)

    def _quote(self, quote: _Quote, place: str, ts: int, grid: float) -> Quote:
        _check_price(quote.bid, grid, f"{place}.bid")
        _check_price(quote.ask, grid, f"{place}.ask")
        _check_size(quote.bid_size, f"{place}.bid_size")
        _check_size(quote.ask_size, f"{place}.ask_size")
        if quote.bid > quote.ask and not self._allow_crossed:
            raise BadRequest("a bid lies at most at its ask", f"{place}.bid")
        # Adding zero turns -0.0, which is a size of 0, into 0.
        return Quote(quote.symbol, quote.bid, quote.bid_size + 0.0, quote.ask, quote.ask_size + 0.0, ts)


def check_instrument(instrument: Instrument) -> None:
    """Check the fields of an instrument.

    Raises:
        BadRequest: names the field and the rule.
    """
    if not SYMBOL.fullmatch(instrument.symbol):
        raise BadSymbols("a symbol is up to 32 of A-Z 0-9 . _ / -, a letter or digit first", "symbol")
    for field in ("tick_size", "lot_size"):
        value = getattr(instrument, field)
        if not 0 < value <= LARGEST:
            raise BadRequest(f"{field} is a number above 0 and at most {LARGEST:g}", field)
    if instrument.reference is not None and not abs(instrument.reference) <= LARGEST:
        raise BadRequest(f"reference is null or a number of at most {LARGEST:g}", "reference")
    for field in ("name", "sector", "currency"):
        text: str = getattr(instrument, field)
        if len(text) > 200 or not text.isprintable():
            raise BadRequest(f"{field} is at most 200 printable characters", field)


def _check_price(price: float, grid: float, field: str) -> None:
    if not 0 < price <= LARGEST:
        raise BadRequest(f"a price is a number above 0 and at most {LARGEST:g}", field)
    steps = price / grid
    # A double can hold the price and not the number of its steps.
    if not isfinite(steps) or round(round(steps) * grid, _decimals(grid)) != price:
        raise BadRequest(f"a price lies on the symbol's grid, a multiple of {grid}", field)


def _check_size(size: float, field: str) -> None:
    if not 0 <= size <= LARGEST:
        raise BadRequest(f"a size is a number from 0 to {LARGEST:g}", field)


@lru_cache(maxsize=256)
def _decimals(grid: float) -> int:
    exponent = Decimal(repr(grid)).normalize().as_tuple().exponent
    return max(0, -int(exponent))
