"""A feed for measuring: so many quotes of one length at each beat, and nothing else.

``metronome:?every=10&count=1&symbols=1&first=0``: every ``every`` ms come ``count`` quotes, through ``symbols`` names
by turns. They bear the time at which the beat was due, so that a server too busy to beat in time is not taken for a
quick one. ``first`` quotes come before the first beat and fill the ring.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from string import ascii_uppercase

from feeds import Clock, FeedContext, FeedOption, FeedType
from ticker.core.tick import Bar, Instrument, Quote, Tick

# Quotes in one list while the ring is filled.
FILLING = 1000
# Seconds of beats that are made up for: whoever is late for one owes it, but a process that was stopped does not.
LATE = 0.5


def symbol_name(index: int) -> str:
    """Return the name of the symbol with a number from 0 to 17,575; all are as long and have one slash.

    >>> symbol_name(27)
    'ABB/USD'
    """
    letters = [ascii_uppercase[index // 26**power % 26] for power in (2, 1, 0)]
    return f"{''.join(letters)}/USD"


class Metronome:
    """The quotes of one metronome."""

    def __init__(self, options: dict[str, str], clock: Clock) -> None:
        self.name = "metronome"
        # Seconds from beat to beat; the others are quotes.
        self._every = float(options.get("every", "10")) / 1000
        self._count = int(options.get("count", "1"))
        self._first = int(options.get("first", "0"))
        self._symbols = [symbol_name(index) for index in range(int(options.get("symbols", "1")))]
        self.instruments: Sequence[Instrument] = [Instrument(symbol) for symbol in self._symbols]
        self._clock = clock
        # Quotes so far.
        self._made = 0

    def history(self) -> Iterable[list[Bar]]:
        return ()

    async def batches(self) -> AsyncIterator[list[Tick]]:
        for start in range(0, self._first, FILLING):
            yield self._quotes(min(FILLING, self._first - start), self._clock())
            await asyncio.sleep(0)
        due = time.monotonic()
        while True:
            await asyncio.sleep(due - time.monotonic())
            now = time.monotonic()
            if now - due > LATE:
                due = now
            # A sleep may end a clock's tick too early: then this beat counts as on time.
            beats = 1 + max(0, int((now - due) / self._every))
            ts = self._clock() - max(0, round((now - due) * 1_000_000))
            times = [ts + round(self._every * 1_000_000) * beat for beat in range(beats)]
            yield [quote for each in times for quote in self._quotes(self._count, each)]
            due += self._every * beats

    def _quotes(self, count: int, ts: int) -> list[Tick]:
        numbers = range(self._made, self._made + count)
        self._made += count
        return [self._quote(number, ts) for number in numbers]

    def _quote(self, number: int, ts: int) -> Tick:
        # Two decimals and three digits, whatever the number.
        cents, size = 18_903 + number % 90 * 10, 300 + number % 600
        symbol = self._symbols[number % len(self._symbols)]
        return Quote(symbol, cents / 100, size, (cents + 1) / 100, 999 - number % 600, ts)

    def statistics(self) -> dict[str, int]:
        return {}


def _open(path: str, options: dict[str, str], context: FeedContext) -> Metronome:
    return Metronome(options, context.clock)


METRONOME = FeedType(
    "metronome",
    "quotes at a steady beat, for measuring",
    "metronome:?every=10&count=1",
    (
        FeedOption("every", "10", "milliseconds from beat to beat"),
        FeedOption("count", "1", "quotes at each beat"),
        FeedOption("symbols", "1", "names that they go through"),
        FeedOption("first", "0", "quotes before the first beat"),
    ),
    _open,
)
