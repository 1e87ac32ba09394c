"""One timer for the pings of all sockets, on a clock that jumps."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tests.support.virtual_clock import on_virtual_clock
from ticker.lane import Pulse


class Heart:
    """Notes when it beats, and when it is looked for silence."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.checks: list[float] = []

    def beat(self) -> None:
        """Note the time."""
        self.times.append(asyncio.get_running_loop().time())

    def check(self) -> None:
        """Note the time."""
        self.checks.append(asyncio.get_running_loop().time())


@on_virtual_clock
async def test_each_beats_once_an_interval_from_when_it_was_added() -> None:
    pulse, hearts = Pulse(15), []
    for _ in range(40):
        heart = Heart()
        pulse.add(heart)
        hearts.append((heart, asyncio.get_running_loop().time()))
        await asyncio.sleep(0.7)
    await asyncio.sleep(45)
    end = asyncio.get_running_loop().time()

    for heart, begin in hearts:
        # The slots are a second wide.
        assert heart.times[0] - begin == pytest.approx(15, abs=1)
        gaps = [later - earlier for earlier, later in pairwise(heart.times)]
        assert gaps == pytest.approx([15] * len(gaps))
        assert end - heart.times[-1] < 15.1


@on_virtual_clock
async def test_silence_is_looked_for_36_s_after_an_answer_to_a_ping() -> None:
    pulse, heart = Pulse(15), Heart()
    pulse.add(heart)
    await asyncio.sleep(70)

    beat = heart.times[0]
    assert [time - beat for time in heart.checks if time > beat] == pytest.approx([6, 21, 36, 51])


@on_virtual_clock
async def test_a_bug_in_one_does_not_stop_the_others() -> None:
    class Broken(Heart):
        def beat(self) -> None:
            raise RuntimeError("a bug")

        check = beat

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    pulse, hearts = Pulse(15), [Heart(), Heart()]
    pulse.add(hearts[0])
    for _ in range(20):
        pulse.add(Broken())
    pulse.add(hearts[1])
    await asyncio.sleep(46)

    assert [len(heart.times) for heart in hearts] == [3, 3]


@on_virtual_clock
async def test_who_was_removed_beats_no_more() -> None:
    pulse, gone, left = Pulse(15), Heart(), Heart()
    slot = pulse.add(gone)
    pulse.add(left)
    await asyncio.sleep(20)
    pulse.remove(gone, slot)
    pulse.remove(gone, slot)
    await asyncio.sleep(30)

    assert (len(gone.times), len(left.times)) == (1, 3)


@on_virtual_clock
async def test_one_may_leave_when_it_beats() -> None:
    pulse, other = Pulse(15), Heart()

    class Ends(Heart):
        def beat(self) -> None:
            super().beat()
            pulse.remove(self, slot)

    first = Ends()
    slot = pulse.add(first)
    pulse.add(other)
    await asyncio.sleep(40)

    assert (len(first.times), len(other.times)) == (1, 2)


@on_virtual_clock
async def test_no_timer_runs_where_nobody_is() -> None:
    pulse, heart = Pulse(15), Heart()
    slot = pulse.add(heart)
    pulse.remove(heart, slot)
    await asyncio.sleep(100)
    loop = asyncio.get_running_loop()
    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []  # type: ignore[attr-defined]
    pulse.add(heart)
    await asyncio.sleep(16)

    assert len(heart.times) == 1
