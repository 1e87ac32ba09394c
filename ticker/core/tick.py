"""The records of the market: Quote, Trade, Bar, Instrument, their units and their rules."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
"""The aggressor's side of a trade."""

SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,31}", re.ASCII)

# Bar intervals in microseconds, shortest first: the order in which bars at one place come.
INTERVALS = {
    "1s": 1_000_000,
    "5s": 5_000_000,
    "15s": 15_000_000,
    "1m": 60_000_000,
    "5m": 300_000_000,
    "15m": 900_000_000,
    "1h": 3_600_000_000,
}


class Quote(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="quote"):
    """Top of book of one symbol. Prices lie on the tick grid, sizes are >= 0, ``ts`` is in microseconds (UTC)."""

    symbol: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    ts: int


class Trade(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="trade"):
    """One execution. ``ts`` is in microseconds since the Unix epoch (UTC)."""

    symbol: str
    price: float
    size: float
    side: Side | None
    ts: int


Tick = Quote | Trade
"""One market event; its place in the stream is given by the bus, not by the tick."""


class Bar(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", tag="bar"):
    """Open, high, low, close and volume of one bucket of ``interval``; ``ts`` is the start of the bucket.

    ``partial`` marks a bucket whose beginning this server did not see, ``closed=False`` one still forming.
    """

    symbol: str
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    ts: int
    partial: bool = False
    closed: bool = True


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """What is known of a symbol.

    ``tick_size`` is the price step, ``lot_size`` the smallest size. ``reference`` is the price from which changes are
    counted: the last one before 00:00 UTC, else the first; None until there is one.
    """

    symbol: str
    name: str = ""
    sector: str = ""
    currency: str = "USD"
    tick_size: float = 0.01
    lot_size: float = 1
    reference: float | None = None
    synthetic: bool = False
