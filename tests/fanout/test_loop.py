"""The one loop that reads the market for every client, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest

from tests.support.sinks import FakeSink
from tests.support.tapes import quote, trade
from tests.support.virtual_clock import clock, on_virtual_clock
from ticker.bus import MemoryBus
from ticker.core.cursor import Cursor
from ticker.core.follower import Start
from ticker.core.poll import Answer, Poll
from ticker.core.session import Session, Wish
from ticker.core.stream import Ending, Stream, Terms
from ticker.core.view import STRIDE
from ticker.core.wire import JSON
from ticker.fanout import Fanout, PollMember, StreamMember
from ticker.fanout.loop import CHECK_INTERVAL, EARLY, SLICE
from ticker.market import Market

INTERVAL = 0.01


class Clocked:
    """A member that notes when it was flushed, and has more as often as the test says."""

    def __init__(self, more: int = 0, cost: float = 0) -> None:
        self.times: list[float] = []
        self.more = more
        # Seconds that a flush takes.
        self.cost = cost
        self.window: int | None = None
        self.ended: list[Ending] = []
        self.aborted = 0

    def flush(self, now: int) -> bool:
        """Note the time, and take some."""
        loop = asyncio.get_running_loop()
        assert now == clock() or self.cost
        self.times.append(loop.time())
        loop.now += self.cost  # type: ignore[attr-defined]
        self.more -= 1
        return self.more >= 0

    def next_window(self, now: int) -> int | None:
        """Return what the test says."""
        return self.window

    def end(self, reason: Ending) -> None:
        """Note the reason."""
        self.ended.append(reason)

    def abort(self) -> None:
        """Count."""
        self.aborted += 1


class Bug(Clocked):
    """A member that breaks."""

    def flush(self, now: int) -> bool:
        """Raise."""
        raise RuntimeError("a bug")


@asynccontextmanager
async def running(ring_size: int = 100) -> AsyncIterator[tuple[Market, Fanout]]:
    """Run the fan-out of an empty market."""
    market = Market(MemoryBus(clock), clock, ring_size)
    fanout = Fanout(market, INTERVAL, asyncio.get_running_loop().time)
    task = asyncio.create_task(fanout.run())
    try:
        yield market, fanout
    finally:
        assert not task.done(), "the loop has died"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def join_stream(
    market: Market, fanout: Fanout, start: Start = "latest", conflate: int = 0
) -> tuple[StreamMember, FakeSink]:
    """Let a client join."""
    session = Session("s" * 16, "me")
    session.take_query(Wish(("*",), conflate=conflate), default=())
    terms = Terms("node", "0")
    stream = Stream(market.tape, session, JSON, start=start, batched=False, terms=terms, random=Random(1), now=clock())
    sink = FakeSink()
    member = StreamMember(stream, sink, lambda: fanout.leave(member))
    sink.full = lambda: fanout.full(member)
    fanout.join(member)
    return member, sink


def join_poll(market: Market, fanout: Fanout) -> tuple[PollMember, asyncio.Future[Answer | None]]:
    """Let a poll join that waits for what comes."""
    session = Session("p" * 16, "me")
    session.take_query(Wish(("*",)), default=())
    answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    member = PollMember(Poll(market.tape, session, JSON, "latest", 10, clock()), answered)
    fanout.join(member)
    return member, answered


@on_virtual_clock
async def test_who_joins_is_greeted_at_once() -> None:
    async with running() as (market, fanout):
        _, sink = join_stream(market, fanout)
        await asyncio.sleep(0.001)

        assert [each["type"] for each in sink.events] == ["hello"]
        assert len(fanout) == 1


@on_virtual_clock
async def test_a_tick_that_meets_a_quiet_loop_is_flushed_at_once() -> None:
    async with running() as (market, fanout):
        _, sink = join_stream(market, fanout)
        await asyncio.sleep(0.1)
        await market.publish([quote()])
        await asyncio.sleep(0.0001)

        assert sink.numbers == [1]


@on_virtual_clock
async def test_flushes_start_at_least_an_interval_apart_and_miss_nothing() -> None:
    async with running(1000) as (market, fanout):
        _, sink = join_stream(market, fanout)
        member = Clocked()
        fanout.join(member)
        await asyncio.sleep(0.1)
        member.times.clear()
        for _ in range(300):
            await market.publish([quote()])
            await asyncio.sleep(0.001)
        await asyncio.sleep(INTERVAL)
        gaps = [later - earlier for earlier, later in pairwise(member.times)]

        assert min(gaps) >= (1 - EARLY) * INTERVAL - 1e-9
        assert sum(gaps) >= (len(gaps) - EARLY) * INTERVAL - 1e-9
        assert 25 <= len(member.times) <= 32
        assert sink.numbers == list(range(1, 301))
        # Whoever lags by an interval gets it in one write.
        assert sink.writes <= 33


@on_virtual_clock
async def test_at_least_half_of_the_time_is_free_for_everything_else() -> None:
    async with running() as (market, fanout):
        member = Clocked(cost=0.1)
        fanout.join(member)
        for _ in range(100):
            await market.publish([quote()])
            await asyncio.sleep(0.05)
        gaps = [later - earlier for earlier, later in pairwise(member.times[1:])]

        assert len(gaps) > 5
        assert min(gaps) >= 2 * member.cost - EARLY * INTERVAL - 1e-9


@on_virtual_clock
async def test_deadlines_are_looked_at_without_a_tick() -> None:
    async with running() as (market, fanout):
        _, sink = join_stream(market, fanout)
        await asyncio.sleep(59)

        assert [each["type"] for each in sink.events] == ["hello", *["heartbeat"] * 3]
        late = [(each["ts"] - sink.events[1]["ts"]) / 1e6 for each in sink.events[1:]]
        assert late == pytest.approx([0, 15, 30], abs=3 * CHECK_INTERVAL)


@on_virtual_clock
async def test_a_closed_window_is_sent_when_it_closes() -> None:
    async with running() as (market, fanout):
        _, sink = join_stream(market, fanout, conflate=60)
        await asyncio.sleep(0.301)
        await market.publish([quote(), quote(), trade()])
        await asyncio.sleep(0.058)
        assert sink.numbers == []
        await asyncio.sleep(0.0015)

        assert sink.numbers == [2, 3]


@on_virtual_clock
async def test_a_replay_comes_in_turns_and_a_bystander_runs_between_them() -> None:
    async with running(20 * STRIDE) as (market, fanout):
        await market.publish([quote()] * 10 * STRIDE)
        sinks = [join_stream(market, fanout, Cursor(market.tape.ring.epoch, 0))[1] for _ in range(3)]
        seen = []
        while len(sinks[-1].numbers) < 10 * STRIDE:
            await asyncio.sleep(0)
            seen.append(len(sinks[0].numbers))

        assert len(set(seen)) > 5
        assert sinks[0].numbers == list(range(1, 10 * STRIDE + 1))
        await asyncio.sleep(0)
        assert sinks[0].events == sinks[1].events == sinks[2].events
        assert sinks[0].events[-1]["type"] == "heartbeat"


@on_virtual_clock
async def test_one_who_always_has_more_does_not_keep_the_loop_from_others() -> None:
    async with running() as (_, fanout):
        greedy = Clocked(more=10**9)
        fanout.join(greedy)
        for _ in range(50):
            await asyncio.sleep(0)

        assert 10 < len(greedy.times) < 100


@on_virtual_clock
async def test_nobody_waits_for_a_herd_that_replays() -> None:
    async with running() as (market, fanout):
        bystander = Clocked()
        fanout.join(bystander)
        herd = [Clocked(more=10**6, cost=0.001) for _ in range(100)]
        for member in herd:
            fanout.join(member)
        await asyncio.sleep(0)
        for _ in range(200):
            await market.publish([quote()])
            await asyncio.sleep(0)

        # A slice of the herd, and a flush of those who are not waiting for their turn.
        assert max(after - before for before, after in pairwise(bystander.times)) <= 3 * SLICE
        assert len({len(member.times) for member in herd}) <= 2, "all of the herd come on at the same pace"


@on_virtual_clock
async def test_a_sink_that_is_not_ready_is_not_pulled_and_its_client_keeps_its_place() -> None:
    async with running() as (market, fanout):
        member, sink = join_stream(market, fanout)
        await asyncio.sleep(0.1)
        sink.room = 0
        for _ in range(5):
            await market.publish([quote()])
            await asyncio.sleep(0.1)
        assert sink.numbers == [1]
        assert member.behind
        assert member.position == 1
        sink.take()
        fanout.wake(member)
        await asyncio.sleep(0.001)

        assert sink.numbers == [1, 2, 3, 4, 5]
        assert not member.behind


@on_virtual_clock
async def test_a_client_that_falls_off_the_ring_hears_so_and_costs_others_nothing() -> None:
    async with running(10) as (market, fanout):
        slow, quick = join_stream(market, fanout)[1], join_stream(market, fanout)[1]
        await asyncio.sleep(0.1)
        slow.room = 0
        for _ in range(30):
            await market.publish([quote()])
            await asyncio.sleep(0.02)
        slow.take()
        await asyncio.sleep(1)

        assert quick.numbers == list(range(1, 31))
        assert [each["type"] for each in slow.events] == ["hello", "quote", "gap", "snapshot"]
        assert slow.events[2]["lost"] == 29


@on_virtual_clock
async def test_a_client_whose_bytes_wait_for_30_s_is_cut() -> None:
    async with running() as (market, fanout):
        _, sink = join_stream(market, fanout)
        await asyncio.sleep(1)
        for _ in range(2):
            sink.take()
            await asyncio.sleep(1)
            sink.room = 0
            await market.publish([quote()])
            await asyncio.sleep(30)
            assert sink.aborted == 0
        await asyncio.sleep(1)

        assert sink.aborted > 0


@on_virtual_clock
async def test_bye_is_written_and_its_owner_is_told_once() -> None:
    async with running() as (market, fanout):
        member, sink = join_stream(market, fanout)
        await asyncio.sleep(0.1)
        member.end("shutdown")
        fanout.wake(member)
        await fanout.wait_empty()

        assert [each["type"] for each in sink.events] == ["hello", "bye"]
        assert fanout.members() == []


@on_virtual_clock
async def test_who_has_left_is_neither_flushed_nor_woken() -> None:
    async with running() as (market, fanout):
        member, other = Clocked(), Clocked()
        fanout.join(member)
        fanout.join(other)
        fanout.leave(member)
        fanout.leave(member)
        fanout.wake(member)
        await market.publish([quote()])
        await asyncio.sleep(0.1)

        assert member.times == []
        assert other.times != []
        assert fanout.members() == [other]


@on_virtual_clock
async def test_one_that_leaves_while_others_are_flushed_gets_no_turn() -> None:
    async with running() as (_, fanout):
        second = Clocked()

        class Leaver(Clocked):
            def flush(self, now: int) -> bool:
                fanout.leave(second)
                return super().flush(now)

        fanout.join(Leaver())
        fanout.join(second)
        await asyncio.sleep(1)

        assert second.times == []


@on_virtual_clock
async def test_a_bug_ends_one_client_and_not_all(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as (market, fanout):
        bug = Bug()
        fanout.join(bug)
        _, sink = join_stream(market, fanout)
        await asyncio.sleep(0.1)
        await market.publish([quote()])
        await asyncio.sleep(0.1)

        assert sink.numbers == [1]
        assert (bug.aborted, len(fanout)) == (1, 1)
        assert [record.message for record in caplog.records] == ["flush_failed"]
        assert caplog.records[0].exc_info is not None


@on_virtual_clock
async def test_a_poll_is_answered_when_something_comes() -> None:
    async with running() as (market, fanout):
        member, answered = join_poll(market, fanout)
        await asyncio.sleep(10)
        assert not answered.done()
        assert member.position == 0
        await market.publish([quote()])
        answer = await answered
        await market.publish([quote()])
        await asyncio.sleep(1)

        assert answer is not None
        assert len(answer.ticks) == 1
        assert answered.result() is answer


@on_virtual_clock
async def test_a_poll_that_ends_is_answered_with_what_there_is_and_an_answer_stays() -> None:
    async with running() as (market, fanout):
        member, answered = join_poll(market, fanout)
        other, taken = join_poll(market, fanout)
        await asyncio.sleep(0.001)
        member.end("shutdown")
        await market.publish([quote()])
        answer = await taken
        other.end("shutdown")

        assert await answered is None
        assert taken.result() is answer is not None


@on_virtual_clock
async def test_cut_clients_end_without_a_word() -> None:
    async with running() as (market, fanout):
        stream, sink = join_stream(market, fanout)
        poll, answered = join_poll(market, fanout)
        stream.abort()
        poll.abort()

        assert (sink.data, sink.aborted) == (b"", 1)
        assert answered.cancelled()


@pytest.mark.parametrize(("conflate", "due"), [(0, None), (250, 1_800_000_000_250_000)])
def test_the_next_window_of_a_poll_and_a_stream(conflate: int, due: int | None) -> None:
    async def check() -> None:
        async with running() as (market, fanout):
            stream, _ = join_stream(market, fanout, conflate=conflate)
            poll, _ = join_poll(market, fanout)
            poll._poll.session.conflate = conflate

            assert [member.next_window(clock()) for member in (stream, poll)] == [due, due]

    run: Callable[[], None] = on_virtual_clock(check)
    run()
