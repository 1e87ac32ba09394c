from __future__ import annotations

import asyncio

from ticker.web.pump import Pump


def make_pump() -> tuple[Pump, list[str]]:
    """Return a pump, and what it did to its connection."""
    done: list[str] = []
    return Pump(lambda: done.append("abort")), done


async def waiting(pump: Pump) -> asyncio.Task[list[bytes | str]]:
    """Let a connection wait for messages."""
    task = asyncio.create_task(pump.take())
    await asyncio.sleep(0)
    return task


async def test_hands_messages_on_in_one_piece() -> None:
    pump, _ = make_pump()
    taking = await waiting(pump)
    pump.write([b"1", b"2"])
    pump.write([b"3"])

    assert await taking == [b"1", b"2", b"3"]


async def test_is_ready_only_while_the_connection_waits_and_nothing_is_on_its_way() -> None:
    pump, _ = make_pump()
    assert not pump.ready
    taking = await waiting(pump)
    assert pump.ready

    pump.write([b"1"])
    assert not pump.ready
    await taking

    assert not pump.ready


async def test_says_when_it_becomes_ready_until_nobody_writes_any_more() -> None:
    pump, _ = make_pump()
    said: list[bool] = []
    pump.on_ready = lambda: said.append(pump.ready)

    for _ in range(2):
        taking = await waiting(pump)
        pump.write([b"1"])
        await taking
    pump.detach()
    taking = await waiting(pump)

    assert said == [True, True]
    taking.cancel()


async def test_what_was_written_before_is_taken_at_once() -> None:
    pump, _ = make_pump()
    pump.write([b"1"])

    assert await pump.take() == [b"1"]


async def test_closed_it_empties_its_slot_and_ends() -> None:
    pump, done = make_pump()
    pump.write([b"1"])
    pump.close()

    assert (await pump.take(), await pump.take()) == ([b"1"], [])
    assert not pump.ready
    assert done == []


async def test_closing_wakes_whoever_waits() -> None:
    pump, _ = make_pump()
    taking = await waiting(pump)
    pump.close()

    assert await taking == []


async def test_aborted_it_cuts_the_connection() -> None:
    pump, done = make_pump()
    pump.abort()

    assert done == ["abort"]
    assert await pump.take() == []


async def test_there_is_room_when_what_was_written_has_been_taken() -> None:
    pump, _ = make_pump()
    await pump.room()
    pump.write([b"1"])
    asking = asyncio.create_task(pump.room())
    await asyncio.sleep(0)
    assert not asking.done()

    await pump.take()

    await asking


async def test_nobody_waits_for_room_in_a_closed_one() -> None:
    pump, _ = make_pump()
    pump.write([b"1"])
    asking = asyncio.create_task(pump.room())
    await asyncio.sleep(0)
    pump.close()

    await asking


async def test_a_connection_that_gave_up_waiting_is_not_ready() -> None:
    pump, _ = make_pump()
    taking = await waiting(pump)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)

    assert not pump.ready
