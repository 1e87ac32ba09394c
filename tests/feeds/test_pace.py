from __future__ import annotations

import math

import pytest

from feeds import FeedContext
from feeds.pace import Pace
from tests.support.fake_clock import FakeClock
from ticker.core.tick import Tick, Trade


def trades(*times: int) -> list[Tick]:
    return [Trade("A", 1.0, 1.0, None, ts) for ts in times]


async def test_what_is_due_at_one_moment_comes_in_one_list() -> None:
    clock = FakeClock()
    pace = Pace(FeedContext(clock), 1.0, clock.sleep)
    ticks = trades(0, 0, 500_000, 400_000, 900_000)

    assert await pace.take(ticks) == ticks[:2]
    assert await pace.take(ticks[2:]) == ticks[2:4]
    assert clock.waits == [0, 0.5]


async def test_what_was_missed_meanwhile_comes_at_once() -> None:
    clock = FakeClock()
    pace = Pace(FeedContext(clock), 10.0, clock.sleep)
    ticks = trades(*range(0, 1_000_000, 100_000))
    await pace.take(ticks[:1])
    clock.now += 55_000

    assert await pace.take(ticks[1:]) == ticks[1:6]
    assert clock.waits == [0, 0]


async def test_a_sleep_that_ends_early_still_gives_its_tick() -> None:
    clock = FakeClock()

    async def sleep(seconds: float) -> None:
        clock.now += max(0, round(seconds * 1e6) - 20)

    pace = Pace(FeedContext(clock), 1.0, sleep)
    ticks = trades(0, 1_000, 1_100)
    await pace.take(ticks[:1])

    assert await pace.take(ticks[1:]) == ticks[1:2]


@pytest.mark.parametrize(("speed", "steps"), [(1.0, [0, 600, 2_000]), (10.0, [0, 60, 200]), (math.inf, [0, 0, 0])])
async def test_beside_other_feeds_a_tick_bears_the_time_at_which_it_is_due(speed: float, steps: list[int]) -> None:
    clock = FakeClock()
    start = clock.now
    pace = Pace(FeedContext(clock, alone=False), speed, clock.sleep)
    ticks = trades(5_000, 5_600, 7_000)
    played: list[Tick] = []
    while len(played) < 3:
        played += await pace.take(ticks[len(played) :])

    assert [tick.ts - start for tick in played] == steps


async def test_at_full_speed_beside_other_feeds_a_tick_bears_the_time_at_which_it_is_played() -> None:
    clock = FakeClock()
    pace = Pace(FeedContext(clock, alone=False), math.inf, clock.sleep)
    await pace.take(trades(0))
    clock.now += 70_000

    assert await pace.take(trades(100)) == trades(clock.now)


async def test_a_round_without_ticks_has_no_next_one() -> None:
    clock = FakeClock()
    pace = Pace(FeedContext(clock), 1.0, clock.sleep)
    empty = pace.turn()
    await pace.take(trades(7))

    assert (empty, pace.turn(), pace.turn()) == (False, True, False)
    assert await pace.take(trades(7)) == trades(8)
