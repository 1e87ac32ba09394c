"""Clients that stand at one place: read for once, written to by one call each, and nobody notices the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from unittest.mock import patch

import pytest

from tests.support.sinks import LINES, FakeSink, Lines
from tests.support.tapes import quote, trade
from tests.support.virtual_clock import clock, on_virtual_clock
from ticker.bus import MemoryBus
from ticker.core.cursor import Cursor
from ticker.core.follower import Start
from ticker.core.session import Session, Wish
from ticker.core.stream import Stream, Terms
from ticker.core.wire import JSON, Message
from ticker.fanout import Fanout, StreamMember, cohort
from ticker.fanout.loop import CHECK_INTERVAL
from ticker.market import Market

INTERVAL = 0.01

# Seconds after which everybody has been served, and cohorts that can have merged.
CALM = 4 * CHECK_INTERVAL


class Herd:
    """A market, its fan-out and the clients that join."""

    def __init__(self, market: Market, fanout: Fanout) -> None:
        self.market = market
        self.fanout = fanout

    def join(
        self, *symbols: str, start: Start = "latest", batched: bool = False, sink: FakeSink | None = None
    ) -> tuple[StreamMember, FakeSink]:
        """Let a client join, by default for everything."""
        session = Session("s" * 16, "me")
        session.take_query(Wish(symbols or ("*",)), default=())
        stream = Stream(
            self.market.tape,
            session,
            JSON,
            start=start,
            batched=batched,
            terms=Terms("node", "0"),
            random=Random(1),
            now=clock(),
        )
        ours = sink or FakeSink()
        member = StreamMember(stream, ours, lambda: self.fanout.leave(member))
        ours.full = lambda: self.fanout.full(member)
        self.fanout.join(member)
        return member, ours

    async def publish(self, count: int = 1, symbol: str = "A") -> None:
        """Publish quotes and let them be served."""
        await self.market.publish([quote(symbol)] * count)
        await asyncio.sleep(2 * INTERVAL)

    def sizes(self) -> list[int]:
        """Return how many members the cohorts have."""
        return sorted(len(each) for each in self.fanout._cohorts)


@asynccontextmanager
async def herd(ring_size: int = 1000) -> AsyncIterator[Herd]:
    """Run the fan-out of an empty market."""
    market = Market(MemoryBus(clock), clock, ring_size)
    fanout = Fanout(market, INTERVAL, asyncio.get_running_loop().time)
    task = asyncio.create_task(fanout.run())
    await asyncio.sleep(0)
    try:
        yield Herd(market, fanout)
    finally:
        assert not task.done(), "the loop has died"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# Who stands together


@on_virtual_clock
async def test_clients_at_one_place_with_one_view_are_one_cohort() -> None:
    async with herd() as here:
        members = [here.join()[0] for _ in range(3)]
        here.join("A")
        here.join(batched=True)
        await asyncio.sleep(CALM)
        assert here.sizes() == [1, 1, 3]
        await here.publish(5)

        assert len({member.cohort for member in members}) == 1
        assert [member.position for member in members] == [5, 5, 5]


@on_virtual_clock
async def test_a_flush_is_framed_once_for_all() -> None:
    framed: list[Sequence[Message]] = []

    class Counted(Lines):
        def join(self, messages: Sequence[Message]) -> bytes:
            framed.append(messages)
            return super().join(messages)

    framing = Counted()
    async with herd() as here:
        sinks = [FakeSink() for _ in range(20)]
        for sink in sinks:
            sink.framing = framing
            here.join(sink=sink)
        await asyncio.sleep(CALM)
        framed.clear()
        await here.publish(3)

        assert len(framed) == 1
        assert [sink.numbers for sink in sinks] == [[1, 2, 3]] * 20


@on_virtual_clock
async def test_each_framing_has_cohorts_of_its_own() -> None:
    async with herd() as here:
        other = FakeSink()
        other.framing = Lines()
        ours = here.join()[1]
        here.join(sink=other)
        await asyncio.sleep(CALM)
        await here.publish()

        assert here.sizes() == [1, 1]
        assert (ours.numbers, other.numbers) == ([1], [1])


@on_virtual_clock
async def test_a_cohort_has_a_limit() -> None:
    with patch.object(cohort, "LIMIT", 4):
        async with herd() as here:
            members = [here.join() for _ in range(10)]
            await asyncio.sleep(CALM)
            await here.publish(2)
            await asyncio.sleep(CALM)
            assert max(here.sizes()) <= 4
            assert sum(here.sizes()) == 10
            for member, _ in members[:7]:
                here.fanout.leave(member)
            await here.publish(2)
            await asyncio.sleep(CALM)

            assert here.sizes() == [3]
            assert [sink.numbers for _, sink in members] == [[1, 2]] * 7 + [[1, 2, 3, 4]] * 3


@on_virtual_clock
async def test_cohorts_that_come_to_stand_at_one_place_merge() -> None:
    async with herd() as here:
        early = here.join()
        await asyncio.sleep(CALM)
        await here.publish(10)
        late = here.join(start=Cursor(here.market.tape.ring.epoch, 3))
        await asyncio.sleep(CALM)
        await here.publish(1)
        await asyncio.sleep(CALM)

        assert here.sizes() == [2]
        assert early[0].cohort is late[0].cohort
        assert (early[1].numbers, late[1].numbers) == (list(range(1, 12)), list(range(4, 12)))


@on_virtual_clock
async def test_who_holds_another_place_joins_when_something_matches() -> None:
    async with herd() as here:
        early = here.join("A")
        await asyncio.sleep(CALM)
        await here.publish(3, "B")
        late = here.join("A")
        await asyncio.sleep(CALM)
        await here.publish(1, "A")
        await asyncio.sleep(CALM)
        await here.publish(1, "A")

        assert here.sizes() == [2]
        assert early[1].numbers == late[1].numbers == [4, 5]


@on_virtual_clock
async def test_each_is_told_of_the_place_that_it_holds_itself() -> None:
    async with herd() as here:
        early = here.join("A", batched=True)[1]
        await asyncio.sleep(CALM)
        await here.publish(3, "B")
        late = here.join("A", batched=True)[1]
        await asyncio.sleep(CALM)
        await here.publish(1, "A")
        await asyncio.sleep(CALM)
        await here.publish(1, "A")

        begins = [
            [each["from"].split("-")[1] for each in sink.events if each["type"] == "ticks"] for sink in (early, late)
        ]
        assert begins == [["0", "4"], ["3", "4"]]
        assert here.sizes() == [2]


# Stepping out


@on_virtual_clock
async def test_a_full_sink_steps_out_and_others_notice_nothing() -> None:
    async with herd() as here:
        clients = [here.join() for _ in range(4)]
        await asyncio.sleep(CALM)
        slow_member, slow = clients[1]
        slow.room = 50
        for _ in range(5):
            await here.publish()
        await asyncio.sleep(CALM)
        assert here.sizes() == [3]
        assert (slow_member.cohort, slow_member.behind, slow_member.position) == (None, True, 1)
        assert slow.numbers == [1]
        slow.take()
        here.fanout.wake(slow_member)
        await asyncio.sleep(CALM)
        await here.publish()

        assert here.sizes() == [4]
        assert [sink.numbers for _, sink in clients] == [[1, 2, 3, 4, 5, 6]] * 4
        assert [sink.writes for _, sink in clients[2:]] == [clients[0][1].writes] * 2


@on_virtual_clock
async def test_all_may_be_full_at_once() -> None:
    async with herd() as here:
        clients = [here.join() for _ in range(5)]
        await asyncio.sleep(CALM)
        for number, (_, sink) in enumerate(clients):
            sink.room = 30 * number
        await here.publish()
        await here.publish()
        await asyncio.sleep(CALM)
        assert here.sizes() == []
        for member, sink in clients:
            sink.take()
            here.fanout.wake(member)
        await asyncio.sleep(CALM)

        assert [sink.numbers for _, sink in clients] == [[1, 2]] * 5
        assert here.sizes() == [5]


@on_virtual_clock
async def test_a_client_that_falls_off_the_ring_hears_so_and_its_cohort_does_not() -> None:
    async with herd(10) as here:
        clients = [here.join() for _ in range(3)]
        await asyncio.sleep(CALM)
        slow_member, slow = clients[0]
        slow.room = 0
        for _ in range(30):
            await here.publish()
        slow.take()
        here.fanout.wake(slow_member)
        await asyncio.sleep(CALM)
        await here.publish()

        assert [each["type"] for each in slow.events] == ["hello", "quote", "gap", "snapshot", "quote"]
        assert [sink.numbers for _, sink in clients[1:]] == [list(range(1, 32))] * 2


@on_virtual_clock
async def test_a_whole_cohort_that_falls_off_the_ring_hears_so() -> None:
    async with herd(10) as here:
        clients = [here.join() for _ in range(3)]
        await asyncio.sleep(CALM)
        await here.publish()
        # More than the ring holds, within one interval.
        await here.publish(30)
        await asyncio.sleep(CALM)
        await here.publish()

        for _, sink in clients:
            assert [each["type"] for each in sink.events] == ["hello", "quote", "gap", "snapshot", "quote"]
            assert sink.events[2]["lost"] == 30
            assert sink.numbers == [1, 32]


@on_virtual_clock
async def test_a_change_of_a_session_takes_effect_for_its_client_alone() -> None:
    async with herd() as here:
        clients = [here.join("A", "B") for _ in range(3)]
        await asyncio.sleep(CALM)
        await here.publish(1, "A")
        changed, sink = clients[1]
        changed.stream.session.change("set", Wish(("B",)), here.market.tape.ring.newest)
        here.fanout.wake(changed)
        await here.publish(1, "A")
        await here.publish(1, "B")

        assert [each["type"] for each in sink.events] == ["hello", "quote", "subscription", "quote"]
        assert sink.numbers == [1, 3]
        assert [other.numbers for _, other in (clients[0], clients[2])] == [[1, 2, 3]] * 2


@on_virtual_clock
async def test_a_pause_takes_effect_for_its_client_alone() -> None:
    async with herd() as here:
        clients = [here.join() for _ in range(3)]
        await asyncio.sleep(CALM)
        await here.publish()
        paused, sink = clients[0]
        paused.stream.session.paused = True
        here.fanout.wake(paused)
        await here.publish(3)
        assert sink.numbers == [1]
        paused.stream.session.paused = False
        here.fanout.wake(paused)
        await here.publish()
        await asyncio.sleep(CALM)

        assert [sink.numbers for _, sink in clients] == [[1, 2, 3, 4, 5]] * 3
        assert here.sizes() == [3]


@on_virtual_clock
async def test_bye_comes_from_within_a_cohort() -> None:
    async with herd() as here:
        (ended, sink), (_, other) = here.join(), here.join()
        await asyncio.sleep(CALM)
        await here.publish()
        ended.end("shutdown")
        here.fanout.wake(ended)
        await here.publish()

        assert [each["type"] for each in sink.events] == ["hello", "quote", "bye"]
        assert other.numbers == [1, 2]
        assert len(here.fanout) == 1


# Heartbeats and counts


@on_virtual_clock
async def test_heartbeats_come_after_15_s_of_silence() -> None:
    async with herd() as here:
        first = here.join("A")[1]
        await asyncio.sleep(5)
        second = here.join("A")[1]
        await asyncio.sleep(5)
        # Nothing of it matches.
        await here.publish(7, "B")
        await asyncio.sleep(9)

        assert [each["type"] for each in first.events] == ["hello", "heartbeat"]
        assert [each["type"] for each in second.events] == ["hello"]
        await asyncio.sleep(2)
        beats = [sink.events[-1] for sink in (first, second)]
        assert [(each["type"], each["sent"]) for each in beats] == [("heartbeat", 0)] * 2
        assert [each["newest"].split("-")[1] for each in beats] == ["7", "7"]
        assert beats[1]["ts"] - beats[0]["ts"] == pytest.approx(5e6, abs=2 * CHECK_INTERVAL * 1e6)


@on_virtual_clock
async def test_heartbeats_come_every_30_s_though_ticks_go_on_and_count_them() -> None:
    async with herd() as here:
        clients = []
        for _ in range(3):
            clients.append(here.join())
            await here.publish()
            await asyncio.sleep(3)
        for _ in range(75):
            await here.publish()
            await asyncio.sleep(1)

        for number, (_, sink) in enumerate(clients):
            beats = [index for index, each in enumerate(sink.events) if each["type"] == "heartbeat"]
            ticks = [sum(each["type"] == "quote" for each in sink.events[:index]) for index in beats]
            begin = number * 3.02
            times = [(sink.events[index]["ts"] - 1_800_000_000_000_000) / 1e6 - begin for index in beats]
            assert [sink.events[index]["sent"] for index in beats] == ticks
            assert times == pytest.approx([30, 60], abs=3 * CHECK_INTERVAL)
            assert sink.numbers == list(range(number + 2, 79))


@on_virtual_clock
async def test_who_joins_a_younger_cohort_gets_its_heartbeat_in_time() -> None:
    async with herd() as here:
        member, sink = here.join()
        await asyncio.sleep(1)
        sink.room = 0
        await here.publish()
        await asyncio.sleep(9)
        here.join()
        await asyncio.sleep(1)
        sink.take()
        here.fanout.wake(member)
        for _ in range(20):
            await here.publish()
            await asyncio.sleep(1)

        assert here.sizes() == [2]
        beats = [each["ts"] / 1e6 - 1_800_000_000 for each in sink.events if each["type"] == "heartbeat"]
        assert beats == pytest.approx([30], abs=3 * CHECK_INTERVAL)


@on_virtual_clock
async def test_the_count_of_who_has_left_is_exact() -> None:
    async with herd() as here:
        await here.publish(3)
        clients = [here.join(), here.join("A"), here.join(start="earliest"), here.join(batched=True)]
        await asyncio.sleep(CALM)
        await here.publish(4, "A")
        clients.append(here.join())
        await asyncio.sleep(CALM)
        await here.publish(2, "B")
        clients[0][1].room = 10
        await here.publish(5, "A")
        for member, _ in clients:
            here.fanout.leave(member)

        assert [member.stream.sent for member, _ in clients] == [11, 9, 14, 11, 7]
        assert here.sizes() == []


@on_virtual_clock
async def test_conflated_clients_get_their_windows_together() -> None:
    async with herd() as here:
        clients = [here.join() for _ in range(3)]
        for member, _ in clients:
            member.stream.session.conflate = 100
            here.fanout.wake(member)
        await asyncio.sleep(CALM + 0.005)
        await here.market.publish([quote(), quote(), trade()])
        await asyncio.sleep(0.08)
        assert [sink.numbers for _, sink in clients] == [[]] * 3
        await asyncio.sleep(0.03)

        assert [sink.numbers for _, sink in clients] == [[2, 3]] * 3
        assert here.sizes() == [3]


# Bugs


@on_virtual_clock
async def test_a_bug_in_one_sink_leaves_nobody_with_a_hole(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeSink):
        def keep(self, data: bytes) -> None:
            raise RuntimeError("a bug")

    async with herd() as here:
        sinks = [FakeSink(), FakeSink(), Broken(), FakeSink(), FakeSink()]
        members = [here.join(sink=sink)[0] for sink in sinks]
        await asyncio.sleep(CALM)
        for sink in sinks[1:4]:
            sink.room = 20
        await here.publish()
        for member, sink in zip(members, sinks, strict=True):
            sink.take()
            here.fanout.wake(member)
        await here.publish()
        await asyncio.sleep(CALM)

        for sink in sinks:
            assert sink.aborted or sink.numbers == [1, 2]
        assert {record.message for record in caplog.records} == {"flush_failed"}


@on_virtual_clock
async def test_a_bug_in_a_flush_leaves_nobody_with_a_hole(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Lines):
        breaks = False

        def join(self, messages: Sequence[Message]) -> bytes:
            if self.breaks:
                self.breaks = False
                raise RuntimeError("a bug")
            return LINES.join(messages)

    framing = Broken()
    async with herd() as here:
        sinks = [FakeSink() for _ in range(3)]
        for sink in sinks:
            sink.framing = framing
            here.join(sink=sink)
        await asyncio.sleep(CALM)
        framing.breaks = True
        await here.publish()
        await here.publish()
        await asyncio.sleep(CALM)

        for sink in sinks:
            assert sink.aborted or sink.numbers == [1, 2]
        assert {record.message for record in caplog.records} == {"flush_failed"}
