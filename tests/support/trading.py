"""What tests publish, and what a server answers, where exact values matter."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.support.process import ServerProcess
from ticker.core.tick import Trade

# Microseconds.
MINUTE = 60_000_000


def now() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


def trade(symbol: str, price: float, size: float = 1, ts: int | None = None) -> Trade:
    """Return a trade, by default of this moment."""
    return Trade(symbol, price, size, "buy", now() if ts is None else ts)


def define(server: ServerProcess, symbol: str, **fields: object) -> None:
    """Set an instrument's fields."""
    answer = httpx.put(f"{server.urls[0]}/v1/symbols/{symbol}", json=fields)

    assert answer.status_code == 200, answer.text


def bars(server: ServerProcess, symbol: str, interval: str = "1m") -> list[dict[str, Any]]:
    """Return a symbol's candles, oldest first; the last one may still be forming."""
    answer = httpx.get(f"{server.urls[0]}/v1/bars/{symbol}", params={"interval": interval, "limit": 500})

    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["bars"]
    return found


def closed_bars(server: ServerProcess, symbol: str, interval: str = "1m") -> list[dict[str, Any]]:
    """Return a symbol's candles that never change any more, oldest first."""
    return [bar for bar in bars(server, symbol, interval) if bar.get("closed", True)]


def minutes_of(symbol: str, closes: list[float], before: int | None = None) -> list[Trade]:
    """Return trades that make one candle a minute, up to the running minute: each opens at its close less 0.05, reaches
    0.02 below that and 0.03 above its close, and is of 10 pieces.

    Args:
        symbol: whose trades.
        closes: of the candles, oldest first.
        before: microseconds, in whose minute the last candle lies; else now.
    """
    end = (now() if before is None else before) // MINUTE * MINUTE
    trades = []
    for index, close in enumerate(closes, 1 - len(closes)):
        prices = [close - 0.05, close - 0.07, close + 0.03, close]
        times = [end + index * MINUTE + 1000 * place for place in range(len(prices))]
        trades += [
            trade(symbol, round(price, 2), size, ts)
            for price, size, ts in zip(prices, (1, 2, 3, 4), times, strict=True)
        ]
    return trades
