from __future__ import annotations

import time
from itertools import pairwise

from feeds import FeedContext
from tests.bench.metronome import METRONOME, symbol_name
from ticker.core.wire import to_json


def clock() -> int:
    return time.time_ns() // 1000


async def test_quotes_are_all_as_long_and_their_symbols_come_by_turns() -> None:
    feed = METRONOME.open("", {"first": "2500", "symbols": "30", "count": "2"}, FeedContext(clock))
    source = feed.batches()
    batches = [await anext(source) for _ in range(4)]
    quotes = [quote for ticks in batches for quote in ticks]

    assert [len(ticks) for ticks in batches[:3]] == [1000, 1000, 500]
    assert len(batches[3]) == 2
    assert [quote.symbol for quote in quotes] == [symbol_name(number % 30) for number in range(2502)]
    assert {len(to_json(quote)) for quote in quotes} == {len(to_json(quotes[0]))}
    assert {to_json(quote).count(b"/") for quote in quotes} == {1}


async def test_beats_bear_the_times_at_which_they_were_due() -> None:
    feed = METRONOME.open("", {"every": "2"}, FeedContext(clock))
    source = feed.batches()
    await anext(source)
    time.sleep(0.02)  # noqa: ASYNC251 - a loop that is busy
    times = [tick.ts for tick in await anext(source)]

    assert len(times) >= 10
    assert {later - earlier for earlier, later in pairwise(times)} == {2000}
