"""Measure what a tick costs on its way into the ring, and what the full ring takes in memory.

Run it with ``python -m tests.bench.bench_ring``. The cost is shown beside that of encoding the same ticks alone, in the
same run, since the machine's speed drifts.
"""

from __future__ import annotations

import time
import tracemalloc

import msgspec

from feeds.synthetic_market import SyntheticMarket
from feeds.universe import make_universe
from ticker.core.bars import Bars
from ticker.core.ring import Ring
from ticker.core.tape import Batch, Tape
from ticker.core.tick import Tick

RING = 100_000
EPOCH = 1_700_000_000_000
START = EPOCH * 1000
# Limits: bytes of memory, and ticks a second on one core.
MEMORY, RATE = 60_000_000, 150_000


def make_ticks(count: int) -> list[Tick]:
    """Return ticks of the synthetic market."""
    market = SyntheticMarket(make_universe(1, 40), 1, 10_000, START, 3_600_000_000)
    ticks: list[Tick] = []
    while len(ticks) < count:
        ticks += market.advance(market.next_ts + 1_000_000)
    return ticks[:count]


def fill(ticks: list[Tick], size: int = 100) -> Tape:
    """Return a tape that has taken the ticks in batches."""
    tape = Tape(Ring(RING, EPOCH), Bars())
    for first in range(0, len(ticks), size):
        tape.apply(Batch(EPOCH, first + 1, START, ticks[first : first + size]))
    return tape


def main() -> None:
    """Print cost and memory."""
    ticks = make_ticks(2 * RING)
    encode = msgspec.json.Encoder().encode
    started = time.process_time()
    for tick in ticks:
        encode(tick)
    encoded = time.process_time()
    fill(ticks)
    filled = time.process_time()
    cost, floor = (filled - encoded) / len(ticks), (encoded - started) / len(ticks)
    print(f"into the ring   {cost * 1e6:.2f} µs a tick, {1 / cost:,.0f} a second (at least {RATE:,})")
    print(f"                {cost / floor:.1f} times encoding it alone ({floor * 1e6:.2f} µs)")
    tracemalloc.start()
    # Ticks made while memory is watched count too: the ring holds them.
    tape = fill(make_ticks(2 * RING))
    taken, _ = tracemalloc.get_traced_memory()
    fill_now = tape.ring.statistics()["fill"]
    print(f"memory          {taken / 1e6:.1f} MB for {fill_now:,} ticks (at most {MEMORY / 1e6:.0f})")


if __name__ == "__main__":
    main()
