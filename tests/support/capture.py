"""The captured market in tests/data, and a reading of it that shares no code with the feeds."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from ticker.core.tick import Quote, Tick, Trade

CAPTURE = Path(__file__).resolve().parent.parent / "data" / "btcusdt_20240809.gz"


@cache
def capture_lines() -> list[bytes]:
    """Return the capture's 58,325 lines, without their ends."""
    return gzip.decompress(CAPTURE.read_bytes()).splitlines()


@cache
def capture_ticks() -> list[Tick]:
    """Return the capture's 55,281 ticks, read with nothing but the standard library."""
    return [tick for line in capture_lines() for tick in _ticks(line.decode())]


def _ticks(line: str) -> list[Tick]:
    received, frame = line.split(" ", 1)
    ts = int(received) // 1000
    message = json.loads(frame)
    data = message["data"]
    if message["stream"].endswith("@bookTicker"):
        bid, bid_size, ask, ask_size = (float(data[key]) for key in "bBaA")
        return [Quote(data["s"], bid, bid_size, ask, ask_size, ts)]
    if message["stream"].endswith("@trade"):
        return [Trade(data["s"], float(data["p"]), float(data["q"]), "sell" if data["m"] else "buy", ts)]
    return []
