"""Recording from a fake server into a list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from tests.client.peer import Peer, Play, Still, batch, hello, quote, snapshot, sse, trade
from ticker.client import Quote, Trade, subscribe
from ticker.core.cursor import Cursor
from ticker.core.tick import Instrument
from ticker.tools import record
from ticker.tools.record import Recording


class Lines:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.flushes = 0

    def describe(self, instruments: Iterable[Instrument]) -> None:
        self.lines.append([instrument.symbol for instrument in instruments])

    def write(self, record: bytes | Quote | Trade, cursor: Cursor | None = None) -> None:
        self.lines.append(msgspec.json.decode(record) if isinstance(record, bytes) else (record.ts, str(cursor)))

    def flush(self) -> None:
        self.flushes += 1


async def described() -> list[Instrument]:
    return [Instrument("A"), Instrument("B"), Instrument("C")]


async def run(*plays: Play, ticks: int | None = None, seconds: float | None = None) -> tuple[Recording, Lines]:
    sink = Lines()
    async with Peer(*plays) as peer, subscribe(peer.url, cursor="1-0", random=Still()) as subscription:
        recording = Recording(subscription, sink, [Instrument("A")], described)
        await recording.run(ticks, seconds)
    return recording, sink


async def test_writes_each_tick_with_its_cursor_to_the_last_one_asked_for() -> None:
    play = sse(hello("1-0"), quote("1-1"), batch("1-1", "1-9", trade("1-3"), quote("1-4"), quote("1-6")))
    recording, sink = await run(play, ticks=3)

    assert sink.lines == [(1, "1-1"), (3, "1-3"), (4, "1-4")]
    assert (recording.recorded.ticks, recording.recorded.cursor) == (3, "1-4")


async def test_describes_a_symbol_that_is_new() -> None:
    _, sink = await run(sse(hello("1-0"), quote("1-1", "Z"), quote("1-2", "B"), quote("1-3", "Z")), ticks=3)

    assert sink.lines == [["B", "C"], (1, "1-1"), (2, "1-2"), (3, "1-3")]


async def test_writes_a_gap_as_a_line_and_counts_it() -> None:
    gap = {"type": "gap", "from": "1-2", "to": "1-8", "lost": 7, "reason": "slow"}
    bar = {"type": "bar", "symbol": "A", "interval": "1m", "open": 1, "high": 1, "low": 1, "close": 1}
    bar |= {"volume": 0, "trades": 0, "ts": 0}
    recording, sink = await run(
        sse(hello("1-0"), quote("1-1"), gap, snapshot("1-8"), bar), sse(hello("1-8"), quote("1-9")), ticks=2
    )

    assert sink.lines == [(1, "1-1"), gap, (9, "1-9")]
    assert (recording.recorded.gaps, recording.recorded.lost, sink.flushes) == (1, 7, 1)


async def test_stops_when_its_time_is_over() -> None:
    recording, _ = await run(sse(hello("1-0"), quote("1-1"), end="hold"), seconds=0.3)

    assert recording.recorded.ticks == 1


async def test_hands_over_what_was_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FLUSH_EVERY", 2)
    _, sink = await run(sse(hello("1-0"), *[quote(f"1-{i}") for i in range(1, 6)]), ticks=5)

    assert sink.flushes == 2


async def test_cancelling_it_closes_the_connection() -> None:
    sink = Lines()
    async with Peer(sse(hello("1-0"), quote("1-1"), end="hold")) as peer:
        async with subscribe(peer.url, cursor="1-0") as subscription:
            task = asyncio.create_task(Recording(subscription, sink, [Instrument("A")], described).run())
            while not sink.lines:  # noqa: ASYNC110  the sink announces nothing
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait({task})
        await peer.wait_left(1)
