"""A node's copy of the stream."""

from __future__ import annotations

import pytest

from tests.support.fake_clock import FakeClock
from tests.support.tapes import quote, records
from ticker.bus import MemoryBus
from ticker.core.bars import Bars
from ticker.core.cursor import Cursor
from ticker.core.tick import Instrument
from ticker.market import Market


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(FakeClock())


def market(bus: MemoryBus, ring_size: int = 10) -> Market:
    """Return a market on a bus."""
    return Market(bus, FakeClock(), ring_size)


async def test_what_is_published_stands_in_the_ring_with_the_cursor_that_the_publisher_gets(bus: MemoryBus) -> None:
    one = market(bus)
    first, last = await one.publish([quote("A"), quote("B")])

    assert (first, last) == (Cursor(bus.epoch, 1), Cursor(bus.epoch, 2))
    assert [each["cursor"] for each in records(one.tape.ring.slice(0, 2))] == [str(first), str(last)]


async def test_two_nodes_on_one_bus_have_the_same_bytes_at_the_same_cursors(bus: MemoryBus) -> None:
    one, other = market(bus), market(bus, ring_size=2)
    await one.publish([quote("A")])
    await other.publish([quote("B"), quote("C")])

    assert [entry.json for entry in one.tape.ring.slice(1, 3)] == [entry.json for entry in other.tape.ring.slice(1, 3)]


async def test_watchers_are_called_once_a_batch_when_it_can_be_read(bus: MemoryBus) -> None:
    one, seen = market(bus), list[int]()
    one.watch(lambda: seen.append(one.tape.ring.newest))
    await one.publish([quote(), quote()])
    await one.publish([quote()])

    assert seen == [2, 3]


async def test_instruments_come_from_the_bus(bus: MemoryBus) -> None:
    one = market(bus)
    await bus.define([Instrument("A", name="Apple")])

    assert one.tape.instruments["A"].name == "Apple"


async def test_a_closed_market_stands_still(bus: MemoryBus) -> None:
    closed, open_one, seen = market(bus), market(bus), list[int]()
    closed.watch(lambda: seen.append(1))
    closed.close()
    await open_one.publish([quote()])

    assert (closed.tape.ring.newest, open_one.tape.ring.newest, seen) == (0, 1, [])


def test_bars_are_made_where_it_is_told(bus: MemoryBus) -> None:
    bars = Bars()

    assert Market(bus, FakeClock(), bars=bars).tape.bars is bars
    assert market(bus).tape.ring.size == 10
