"""Frames: messages of Binance's combined streams, ``{"stream":"btcusdt@trade","data":{…}}``, decoded to ticks."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ticker.core.tick import Instrument, Quote, Tick, Trade

Amount = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
"""A price or size. The bounds also shut out NaN and infinity, which are numbers to a lax decoder."""

# The stream types that carry ticks.
TICK_STREAMS = ("bookTicker", "trade")

# What a pair can be quoted in, as Binance glues it to the base's name; the longer first where one ends another.
_QUOTE_ASSETS = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "BIDR", "IDRT"),
    *("USD", "DAI", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD", "ARS", "MXN", "PLN", "RUB", "UAH", "ZAR"),
    *("BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DOGE"),
)


class _Frame(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _BookTicker(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    bid: Amount = msgspec.field(name="b")
    bid_size: Amount = msgspec.field(name="B")
    ask: Amount = msgspec.field(name="a")
    ask_size: Amount = msgspec.field(name="A")


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    price: Amount = msgspec.field(name="p")
    size: Amount = msgspec.field(name="q")
    buyer_is_maker: bool = msgspec.field(name="m")


# Binance writes numbers as text; lax decoding reads them to the nearest double, as float() does, without a str each.
_frame = msgspec.json.Decoder(_Frame)
_book_ticker = msgspec.json.Decoder(_BookTicker, strict=False)
_trade = msgspec.json.Decoder(_Trade, strict=False)


def decode_frame(frame: bytes, ts: int) -> Tick | None:
    """Read one frame as a tick received at ``ts`` (microseconds); None for a stream that carries none, such as depth.

    ``m: true``, the buyer was the maker, means that the aggressor sold.

    Raises:
        ValueError: it is damaged.
    """
    try:
        envelope = _frame.decode(frame.decode())
        _, _, kind = envelope.stream.partition("@")
        if kind == "bookTicker":
            book = _book_ticker.decode(envelope.data)
            return Quote(book.symbol, book.bid, book.bid_size, book.ask, book.ask_size, ts)
        if kind == "trade":
            trade = _trade.decode(envelope.data)
            return Trade(trade.symbol, trade.price, trade.size, "sell" if trade.buyer_is_maker else "buy", ts)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return None


def describe_pair(symbol: str) -> Instrument:
    """Return the instrument of a pair such as ``BTCUSDT``: named BTC/USDT, in USDT."""
    for asset in _QUOTE_ASSETS:
        base = symbol.removesuffix(asset)
        if base and base != symbol:
            return Instrument(symbol, name=f"{base}/{asset}", sector="Crypto", currency=asset)
    return Instrument(symbol, name=symbol, sector="Crypto")
