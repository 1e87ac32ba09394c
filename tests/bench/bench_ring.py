"""Measure what a tick costs on its way into the ring, and what the full ring takes in memory.

Run it with ``python -m tests.bench.bench_ring``. The cost is shown beside that of encoding the same ticks alone, in the
same run, since the machine's speed drifts.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import msgspec

from feeds.synthetic_market import SyntheticMarket
from feeds.universe import make_universe
from tests.bench.figures import median
from tests.bench.report import Report, parse_options
from ticker.bus import MemoryBus
from ticker.core.tick import Tick
from ticker.market import Market

RING = 100_000
START = 1_700_000_000_000_000
# Limits: megabytes of memory, and ticks a second on one core.
MEMORY, RATE = 60, 150_000


def make_ticks(count: int) -> list[Tick]:
    """Return ticks of the synthetic market."""
    market = SyntheticMarket(make_universe(1, 40), 1, 10_000, START, 3_600_000_000)
    ticks: list[Tick] = []
    while len(ticks) < count:
        ticks += market.advance(market.next_ts + 1_000_000)
    return ticks[:count]


async def fill(ticks: list[Tick], size: int = 100) -> Market:
    """Return a market to which the ticks were published in batches."""

    def clock() -> int:
        return START

    market = Market(MemoryBus(clock), clock, RING)
    for first in range(0, len(ticks), size):
        await market.publish(ticks[first : first + size])
    return market


def main() -> None:
    """Print cost and memory."""
    options = parse_options("into the ring", seconds=1)
    report = Report(f"Into a ring of {RING:,} ticks: publishing, encoding, index and bars", options)
    ticks = make_ticks(2 * RING)
    rounds = [_costs(ticks) for _ in range(options.rounds)]
    rate, floor = (median([each[number] for each in rounds]) for number in (0, 1))
    report.least("ticks a second", rate, RATE, f"{1e6 / rate:.2f} µs each, {floor:.1f} times encoding it alone")
    tracemalloc.start()
    # Ticks made while memory is watched count too: the ring holds them.
    market = asyncio.run(fill(make_ticks(2 * RING)))
    taken, _ = tracemalloc.get_traced_memory()
    report.most("memory", taken / 1e6, MEMORY, f"{market.tape.ring.statistics()['fill']:,} ticks", " MB")
    report.finish()


def _costs(ticks: list[Tick]) -> tuple[float, float]:
    """Return ticks a second of processor time, and how often encoding a tick fits into the cost of one."""
    encode = msgspec.json.Encoder().encode
    started = time.process_time()
    for tick in ticks:
        encode(tick)
    encoded = time.process_time()
    asyncio.run(fill(ticks))
    filled = time.process_time()
    return len(ticks) / (filled - encoded), (filled - encoded) / (encoded - started)


if __name__ == "__main__":
    main()
