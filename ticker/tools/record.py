"""Record: write the ticks of a subscription, as they come, to a sink such as a recording."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ticker.client import Gap, Quote, Subscription, Trade
from ticker.core.cursor import Cursor
from ticker.core.tick import Instrument

# Ticks after which what was written is handed to the operating system, so that a crash loses little.
FLUSH_EVERY = 1000


class Sink(Protocol):
    """Where ticks are written."""

    def describe(self, instruments: Iterable[Instrument]) -> None:
        """Write what is known of instruments."""

    def write(self, record: bytes | Quote | Trade, cursor: Cursor | None = None) -> None:
        """Write a tick with its cursor, or a line of JSON."""

    def flush(self) -> None:
        """Hand what was written to the operating system."""


@dataclass
class Recorded:
    """What has been written so far."""

    ticks: int = 0
    gaps: int = 0
    # Ticks of the whole market inside the gaps, as far as the server knew.
    lost: int = 0
    # The place of the last tick.
    cursor: str | None = None


class Recording:
    """One run from a subscription into a sink; ``recorded`` can be looked at while it runs."""

    def __init__(
        self,
        subscription: Subscription,
        sink: Sink,
        known: Iterable[Instrument],
        describe: Callable[[], Awaitable[list[Instrument]]],
    ) -> None:
        """``known`` instruments are in the sink already; ``describe`` fetches all, when a symbol is not among them."""
        self.recorded = Recorded()
        self._subscription = subscription
        self._sink = sink
        self._known = {instrument.symbol for instrument in known}
        self._describe = describe

    async def run(self, ticks: int | None = None, seconds: float | None = None) -> None:
        """Write until so many ticks or seconds are over; for ever if neither is given. Cancel it to stop.

        Raises:
            ClientError: the server will send no more.
            OSError: the sink can't be written.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._write_all(ticks)

    async def _write_all(self, limit: int | None) -> None:
        while limit is None or self.recorded.ticks < limit:
            item = await anext(self._subscription)
            if isinstance(item, Quote | Trade):
                await self._introduce(item.symbol)
                self._write_tick(item)
            elif isinstance(item, Gap):
                self._write_gap(item)

    async def _introduce(self, symbol: str) -> None:
        if symbol in self._known:
            return
        new = [instrument for instrument in await self._describe() if instrument.symbol not in self._known]
        self._sink.describe(new)
        self._known |= {symbol, *(instrument.symbol for instrument in new)}

    def _write_tick(self, tick: Quote | Trade) -> None:
        cursor = self._subscription.cursor
        assert cursor is not None  # it has moved to this very tick
        self._sink.write(tick, Cursor.parse(cursor))
        self.recorded.cursor = cursor
        self.recorded.ticks += 1
        if self.recorded.ticks % FLUSH_EVERY == 0:
            self._sink.flush()

    def _write_gap(self, gap: Gap) -> None:
        self._sink.write(msgspec.json.encode(gap))
        self._sink.flush()
        self.recorded.gaps += 1
        self.recorded.lost += gap.lost or 0
