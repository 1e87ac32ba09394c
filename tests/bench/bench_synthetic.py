"""Print what the synthetic market costs: a tick at several rates, and its history before the server is ready.

``python -m tests.bench.bench_synthetic``; the limits are 4 µs a tick at 10,000 a second, and 4 s for the first chunk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl

from feeds import FeedContext
from feeds.synthetic import SYNTHETIC
from feeds.synthetic_market import SyntheticMarket
from feeds.universe import make_universe

SECOND = 1_000_000
START = 1_763_900_000 * SECOND
WAKE = 15_000

Value = TypeVar("Value")


def timed(work: Callable[[], Value]) -> tuple[float, Value]:
    """Return the processor time in seconds that some work takes, and what it gives."""
    before = time.process_time()
    value = work()
    return time.process_time() - before, value


def tick_cost(symbols: int, rate: float, seconds: int) -> tuple[float, int]:
    """Return microseconds a tick, structs included, and the ticks of so many seconds, taken as the feed does."""
    market = SyntheticMarket(make_universe(1, symbols), 1, rate, START, 3600 * SECOND)
    market.advance(START)
    wakes = range(START, START + seconds * SECOND, WAKE)
    cost, ticks = timed(lambda: sum(len(market.advance(until)) for until in wakes))
    return cost * SECOND / ticks, ticks


def history_cost(query: str) -> str:
    """Return a row of the table: seconds for opening, for the first chunk of history and for all of it."""
    options = dict(parse_qsl(query))
    opening, feed = timed(lambda: SYNTHETIC.open("", options, FeedContext(lambda: START)))
    chunks = iter(feed.history())
    soon, first = timed(lambda: len(next(chunks)))
    later, rest = timed(lambda: sum(len(chunk) for chunk in chunks))
    return f"{opening:>7.2f} {soon:>12.2f} {first:>9} {soon + later:>7.2f} {first + rest:>9}"


def main() -> None:
    """Print two tables."""
    cost, _ = timed(lambda: make_universe(1, 1))
    print(f"import of Faker and the first company: {cost:.2f} s")
    print(f"\n{'symbols':>8} {'rate':>8} {'ticks':>9} {'µs a tick':>10}")
    for symbols, rate, seconds in ((40, 200, 600), (40, 10_000, 30), (40, 50_000, 10), (10_000, 10_000, 20)):
        cost, ticks = tick_cost(symbols, rate, seconds)
        print(f"{symbols:>8} {rate:>8} {ticks:>9} {cost:>10.2f}")
    print(f"\n{'seconds for':<40} {'opening':>7} {'first chunk':>12} {'bars':>9} {'all':>7} {'bars':>9}")
    for query in ("", "symbols=10000", "rate=50000", "symbols=10000&rate=50000", "symbols=10000&rate=50000&history=1d"):
        print(f"{query or 'defaults':<40} {history_cost(query)}")


if __name__ == "__main__":
    main()
