"""One process of ticker without its sockets, on a clock that jumps."""

from __future__ import annotations

import asyncio
from random import Random, SystemRandom

import pytest

from feeds import Feed, FeedContext
from tests.support.fake_feed import FakeFeed
from tests.support.tapes import quote
from tests.support.virtual_clock import clock, on_virtual_clock
from ticker.bus import MemoryBus
from ticker.core.codes import Refused
from ticker.core.poll import Answer, Poll
from ticker.core.session import Wish
from ticker.core.stream import Ending
from ticker.core.wire import JSON
from ticker.fanout import PollMember
from ticker.node import SWEEP_INTERVAL, Node, wall_clock
from ticker.settings import Settings


class Socket:
    """Notes why it was ended."""

    def __init__(self) -> None:
        self.told: list[Ending] = []

    def end(self, reason: Ending) -> None:
        """Note the reason."""
        self.told.append(reason)


def make_node(bus: MemoryBus | None = None, **overrides: object) -> Node:
    """Return a node, by default without a feed."""
    return Node(Settings.load({}, {"no_feed": True, **overrides}), bus, clock, Random(1))


def poll(node: Node) -> tuple[PollMember, asyncio.Future[Answer | None]]:
    """Let a poll join that waits."""
    session = node.sessions.open(None, "me", clock())
    session.take_query(Wish(("*",)), default=())
    answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    member = PollMember(Poll(node.tape, session, JSON, "latest", 9, clock()), answered)
    node.fanout.join(member)
    return member, answered


@on_virtual_clock
async def test_inside_the_context_feeds_run_and_clients_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_feed(url: str, context: FeedContext) -> Feed:
        return FakeFeed("a", [[quote("A")]] * 9)

    monkeypatch.setattr("ticker.feeding.open_feed", open_feed)
    node = make_node(no_feed=False, feeds=["synthetic:"])
    node.open()
    assert not node.ready
    async with node.running():
        assert list(node.tape.instruments) == ["A"]
        _, answered = poll(node)
        answer = await answered
        assert answer is not None
        assert len(answer.ticks) == 1
        assert node.ready
    ticks = node.tape.ring.newest
    await asyncio.sleep(60)

    assert node.tape.ring.newest == ticks
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_clock
async def test_sessions_are_forgotten_while_nobody_comes() -> None:
    node = make_node()
    node.sessions.open(None, "me", clock())
    async with node.running():
        await asyncio.sleep(119)
        assert len(node.sessions) == 1
        await asyncio.sleep(SWEEP_INTERVAL + 1)

        assert len(node.sessions) == 0


@on_virtual_clock
async def test_a_bus_of_its_own_ends_with_it() -> None:
    node = make_node()
    async with node.running():
        assert node.ready

    assert not node.bus.ready
    assert not node.ready


@on_virtual_clock
async def test_a_bus_that_others_use_goes_on() -> None:
    bus = MemoryBus(clock)
    one, other = make_node(bus), make_node(bus)
    async with one.running(), other.running():
        await one.market.publish([quote()])

    assert bus.ready
    assert one.tape.ring.newest == other.tape.ring.newest == 1


@on_virtual_clock
async def test_a_drain_ends_every_client_and_waits_until_they_are_gone() -> None:
    node, socket = make_node(), Socket()
    node.sockets.add(socket)
    async with node.running():
        member, answered = poll(node)
        await asyncio.sleep(1)
        draining = asyncio.create_task(node.drain())
        assert await answered is None
        await asyncio.sleep(1)
        assert not draining.done()
        node.fanout.leave(member)
        await draining

    assert socket.told == ["shutdown"]


@on_virtual_clock
async def test_while_it_drains_nothing_new_begins() -> None:
    node = make_node()
    async with node.running():
        node.refuse()
        assert node.ready
        await node.drain()
        waits = []
        for _ in range(50):
            with pytest.raises(Refused) as refused:
                node.refuse()
            assert refused.value.retry_after is not None
            waits.append(refused.value.retry_after)

        assert refused.value.code == "draining"
        assert 1 <= min(waits) < 1.2
        assert 1.8 < max(waits) <= 2
        assert not node.ready


def test_its_settings_reach_its_parts() -> None:
    node = Node(Settings.load({}, {"no_feed": True, "ring_size": 77777, "max_sessions": 5, "node": "n1"}))

    assert node.tape.ring.size == 77777
    assert node.sessions.statistics()["limit"] == 5
    assert node.terms.node == "n1"
    # Ids of sessions must not be guessable.
    assert isinstance(node.random, SystemRandom)


def test_the_clock_counts_microseconds_since_1970() -> None:
    assert 1_700_000_000_000_000 < wall_clock() < 10_000_000_000_000_000
