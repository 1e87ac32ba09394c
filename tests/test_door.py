"""New connections come in a few at a time."""

from __future__ import annotations

import asyncio

from ticker.hypercorn_remedies.door import AT_A_TIME, Door


async def test_a_crowd_enters_a_few_at_each_pass_of_the_loop_and_in_order() -> None:
    door = Door(asyncio.get_running_loop())
    entered: list[int] = []

    async def come(number: int) -> None:
        await door.enter()
        entered.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(10 * AT_A_TIME)]
    steps = []
    while len(entered) < len(tasks):
        before = len(entered)
        await asyncio.sleep(0)
        steps.append(len(entered) - before)

    assert entered == list(range(10 * AT_A_TIME))
    assert max(steps) <= AT_A_TIME
    assert len(door) == 0


async def test_who_comes_alone_does_not_wait() -> None:
    door = Door(asyncio.get_running_loop())
    for _ in range(3):
        entering = door.enter()
        try:
            entering.send(None)
        except StopIteration:
            continue
        raise AssertionError("it waited")


async def test_who_has_gone_takes_nobodys_turn() -> None:
    door = Door(asyncio.get_running_loop())
    tasks = [asyncio.create_task(door.enter()) for _ in range(3 * AT_A_TIME)]
    await asyncio.sleep(0)
    gone = tasks[AT_A_TIME : 2 * AT_A_TIME]
    for task in gone:
        task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert [task.done() for task in tasks] == [True] * 3 * AT_A_TIME
    assert all(task.cancelled() for task in gone)
