"""The loop of the tests whose clock jumps."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.virtual_clock import BEGIN, clock, on_virtual_clock


@on_virtual_clock
async def test_hours_pass_at_once_and_in_order() -> None:
    started, order = time.monotonic(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    await asyncio.gather(*map(sleeper, (7200, 0.5, 3600)))

    assert order == [0.5, 3600, 7200]
    assert clock() == BEGIN + 7200 * 1_000_000
    assert time.monotonic() - started < 60


@on_virtual_clock
async def test_the_clock_stands_still_while_a_thread_works() -> None:
    sleeping = asyncio.create_task(asyncio.sleep(0.001))
    await asyncio.to_thread(time.sleep, 0.05)

    assert clock() == BEGIN
    await sleeping
    assert clock() == BEGIN + 1000


def test_a_deadlock_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.virtual_clock.PATIENCE", 0.01)

    @on_virtual_clock
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nobody will ever be woken"):
        stuck()
