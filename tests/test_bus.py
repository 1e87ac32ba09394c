"""The bus of a single process."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.fake_clock import FakeClock
from tests.support.tapes import quote
from ticker.bus import MemoryBus
from ticker.core.cursor import Cursor
from ticker.core.tape import Batch
from ticker.core.tick import Instrument


class Reader:
    """Remembers what it was handed."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.instruments: list[Instrument] = []

    def apply(self, batch: Batch) -> None:
        """Take a batch."""
        self.batches.append(batch)

    def define(self, instruments: Sequence[Instrument]) -> None:
        """Take instruments."""
        self.instruments.extend(instruments)


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(time: FakeClock) -> MemoryBus:
    return MemoryBus(time)


async def test_places_are_given_without_holes_from_1_on_in_the_epoch_of_its_opening(
    bus: MemoryBus, time: FakeClock
) -> None:
    epoch = time.now // 1000

    assert bus.epoch == epoch
    assert await bus.append([quote(), quote()]) == (Cursor(epoch, 1), Cursor(epoch, 2))
    assert await bus.append([quote()]) == (Cursor(epoch, 3), Cursor(epoch, 3))


async def test_every_reader_gets_the_same_in_the_same_order(bus: MemoryBus) -> None:
    readers = [Reader(), Reader()]
    for reader in readers:
        bus.follow(reader)
    await bus.define([Instrument("A")])
    await bus.append([quote("A")])
    await bus.append([quote("B"), quote("C")])

    assert readers[0].batches == readers[1].batches
    assert [(batch.first, [tick.symbol for tick in batch.ticks]) for batch in readers[0].batches] == [
        (1, ["A"]),
        (2, ["B", "C"]),
    ]
    assert readers[0].instruments == readers[1].instruments == [Instrument("A")]


async def test_the_moment_of_a_place_never_falls_whatever_the_clock_does(bus: MemoryBus, time: FakeClock) -> None:
    reader = Reader()
    bus.follow(reader)
    begin = time.now
    for moment in (begin, begin + 5, begin - 99, begin + 7):
        time.now = moment
        await bus.append([quote()])

    assert [batch.placed for batch in reader.batches] == [begin, begin + 5, begin + 5, begin + 7]


async def test_who_has_left_gets_nothing_more(bus: MemoryBus) -> None:
    staying, leaving = Reader(), Reader()
    bus.follow(staying)
    leave = bus.follow(leaving)
    await bus.append([quote()])
    leave()
    await bus.append([quote()])

    assert (len(staying.batches), len(leaving.batches)) == (2, 1)


async def test_closed_it_hands_on_nothing_and_answers_no_more_and_one_may_still_leave(bus: MemoryBus) -> None:
    reader = Reader()
    leave = bus.follow(reader)
    assert bus.ready
    await bus.close()
    await bus.append([quote()])
    leave()

    assert not bus.ready
    assert reader.batches == []
