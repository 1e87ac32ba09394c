"""A real market, captured in tests/data, arrives through a real server as an independent reading of the file has it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.capture import CAPTURE, capture_ticks
from tests.support.checkout import ROOT
from tests.support.live import Live, live
from tests.support.oracle import Wanted
from tests.support.survivor import TRANSPORTS
from ticker.core.tick import Quote, Tick

BOTH = ("quote", "trade")
# Ten clients: how they receive, and what they want.
CLIENTS = [
    ("sse", Wanted(("*",), BOTH)),
    ("sse", Wanted(("BTCUSDT",), ("trade",))),
    ("sse in batches", Wanted(("BTC*",), BOTH)),
    ("sse in batches", Wanted(("ETHUSDT", "BTCUSDT"), ("quote",))),
    ("http2", Wanted(("*USDT",), ("quote",))),
    ("http2", Wanted(("*",), ("trade",))),
    ("json", Wanted(("BTCUSDT",), BOTH)),
    ("msgpack", Wanted(("*TC*",), BOTH)),
    ("msgpack", Wanted(("*",), ("trade",))),
    ("poll", Wanted(("ETH*", "BTCUSD*"), BOTH)),
]


@asynccontextmanager
async def playing(path: Path) -> AsyncIterator[Live]:
    """Serve a recording, played as fast as possible; the ring holds more than it."""
    async with live(no_feed=False, feeds=(f"recording:{path}?speed=max",)) as server:
        yield server


def expected(ticks: Sequence[Tick], wanted: Wanted) -> list[dict[str, Any]]:
    """Return the records that a client should get, with the numbers of their places."""
    records = []
    for seq, tick in enumerate(ticks, 1):
        kind = "quote" if isinstance(tick, Quote) else "trade"
        if wanted.covers(tick.symbol, kind):
            fields = {name: getattr(tick, name) for name in tick.__struct_fields__}
            records.append({"type": kind, **fields, "seq": seq})
    return records


async def receive(server: Live, name: str, wanted: Wanted, count: int) -> list[dict[str, Any]]:
    """Follow from the beginning until so many ticks have come."""
    transport, extra = TRANSPORTS[name]
    query = {"symbols": ",".join(wanted.symbols), "types": ",".join(wanted.types), "cursor": "earliest"}
    records: list[dict[str, Any]] = []
    async with asyncio.timeout(60), aclosing(transport(server.port, query | extra)) as events:
        async for event in events:
            assert event.name in ("hello", "ticks", "quote", "trade", "heartbeat")
            if event.name == "ticks":
                records += event.data["ticks"]
            elif event.name in ("quote", "trade"):
                records.append(dict(event.data))
            if len(records) >= count:
                break
    return [{"seq": int(record.pop("cursor").split("-")[1]), **record} for record in records]


async def test_ten_clients_get_the_market_as_it_was() -> None:
    ticks = capture_ticks()
    wants = [(name, wanted, expected(ticks, wanted)) for name, wanted in CLIENTS]
    async with playing(CAPTURE) as server:
        arrived = await asyncio.gather(*(receive(server, name, wanted, len(all_)) for name, wanted, all_ in wants))

    assert len(wants[0][2]) == 55_281
    for (name, wanted, all_), records in zip(wants, arrived, strict=True):
        assert records == all_, (name, wanted)


async def test_what_is_recorded_from_a_server_plays_again_the_same(tmp_path: Path) -> None:
    ticks = capture_ticks()
    everything = Wanted(("*",), BOTH)
    file = tmp_path / "again.ndjson.gz"
    command = [sys.executable, "-m", "ticker", "record", str(file), "--from", "earliest", "--ticks", str(len(ticks))]
    async with playing(CAPTURE) as server:
        record = await asyncio.create_subprocess_exec(
            *command, server.url, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            said, complaints = await record.communicate()
        assert (record.returncode, complaints) == (0, b"")
        assert said.decode() == f"{file}: {len(ticks):,} ticks, no gap\n"
    async with playing(file) as server:
        assert await receive(server, "sse in batches", everything, len(ticks)) == expected(ticks, everything)
