"""What ``ticker record`` writes of one server, ``ticker publish`` gives to another: the same ticks."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.live import Live, live, numbered
from ticker.client import Item, subscribe
from ticker.core.tick import Instrument, Quote

ROOT = Path(__file__).parent.parent.parent


async def ticker(*arguments: str) -> str:
    """Run a command that must succeed without a complaint; return what it printed."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "ticker", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=ROOT)
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return out.decode()


async def ticks_of(server: Live, count: int) -> list[Item]:
    async with asyncio.timeout(10), subscribe(server.url, cursor="earliest") as subscription:
        return [await anext(subscription) for _ in range(count)]


async def test_ticks_of_one_server_come_to_another_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "day.ndjson.gz"
    fine = Quote("FINE", 1.00001, 1, 1.00002, 1, 5)
    async with live() as first, live() as second:
        await first.node.bus.define([Instrument("FINE", tick_size=0.00001)])
        await first.publish([*(numbered(number, number) for number in range(1, 1500)), fine])
        recorded = await ticker("record", str(file), first.url, "--from", "earliest", "--ticks", "1500")
        published = await ticker("publish", str(file), second.url)

        assert recorded == f"{file}: 1,500 ticks, no gap\n"
        assert published.startswith(f"{file}: 1,500 ticks accepted, 1 line without a tick, last ")
        ticks = await ticks_of(second, 1500)
        assert ticks == await ticks_of(first, 1500)
        assert ticks[-1] == fine
