"""Node: one process of ticker: its market, its sessions, its fan-out and its feeds, from start to drain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random, SystemRandom
from typing import Protocol, cast

from ticker import __version__
from ticker.bus import Bus, MemoryBus
from ticker.core.bars import Bars
from ticker.core.codes import Refused
from ticker.core.publishing import Rules
from ticker.core.session import Session, Sessions
from ticker.core.stream import Ending, Terms
from ticker.fanout import Fanout, Member, PollMember, StreamMember
from ticker.feeding import Feeding
from ticker.lane import Pulse
from ticker.market import Clock, Market
from ticker.metrics import Facts, Metrics
from ticker.settings import Settings

# How often sessions are looked through for those left too long ago, in seconds.
SWEEP_INTERVAL = 5


def wall_clock() -> int:
    """Return the time in microseconds since the Unix epoch."""
    return time.time_ns() // 1000


class Endable(Protocol):
    """What a node tells that it ends."""

    def end(self, reason: Ending) -> None:
        """Say ``bye`` and close."""
        ...


class Node:
    """What a request finds: everything of this process but the sockets.

    Args:
        settings: the settings.
        bus: where ticks get their places, closed by whoever opened it; by default one of its own.
        clock: the time in microseconds since the Unix epoch.
        random: for ids and jitter; ids must not be guessable.
    """

    def __init__(
        self,
        settings: Settings,
        bus: Bus | None = None,
        clock: Clock = wall_clock,
        random: Random | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.random = random or SystemRandom()
        self.bus = bus or MemoryBus(clock)
        self._owns_bus = bus is None
        bars = Bars(settings.bars_per_series, settings.bars_memory)
        self.market = Market(self.bus, clock, settings.ring_size, bars)
        self.tape = self.market.tape
        self.rules = Rules(self.tape.instruments, clock, settings.max_symbols, settings.allow_crossed)
        self.sessions = Sessions(settings.session_memory, settings.max_sessions, self.random)
        self.fanout = Fanout(self.market, settings.flush_interval / 1000)
        self.feeding = Feeding(() if settings.no_feed else settings.feeds, self.market, self.random)
        self.terms = Terms(settings.node, __version__, settings.heartbeat_interval, settings.stream_lifetime)
        self.pulse = Pulse(settings.heartbeat_interval)
        # The open WebSockets; as many as the limit of file descriptors lets.
        self.sockets: set[Endable] = set()
        # Open connections by transport, without WebSockets.
        self.clients: Counter[str] = Counter()
        self.metrics = Metrics(self._facts)
        # True from the signal to stop on: nothing new begins.
        self.draining = False

    def open(self) -> None:
        """Open the feeds.

        Raises:
            StartError, BadRecording: one can't be opened.
        """
        self.feeding.open()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run feeds and fan-out once ``open`` was called; inside the context the market is ready to be shown."""
        await self.feeding.load()
        tasks = [asyncio.create_task(job()) for job in (self.fanout.run, self.feeding.run, self._sweep)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.market.close()
            if self._owns_bus:
                await self.bus.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            self.sessions.expire(self.clock())

    @property
    def ready(self) -> bool:
        """Whether every feed told to run here runs, the bus answers and nothing drains."""
        return self.feeding.ready and self.bus.ready and not self.draining

    def _facts(self) -> Facts:
        ring, sessions = self.tape.ring, self.sessions.statistics()
        return Facts(
            node=self.settings.node,
            version=__version__,
            clients={**self.clients, "websocket": len(self.sockets)},
            flushes=self.fanout.flushes,
            flush_seconds=self.fanout.flush_seconds,
            views=len(self.tape.views),
            ticks=ring.newest,
            epoch=ring.epoch,
            seq=ring.seq,
            ring_fill=ring.statistics()["fill"],
            ring_size=ring.size,
            bars=self.tape.bars.statistics()["closed"],
            symbols=len(self.tape.instruments),
            sessions=sessions["sessions"],
            sessions_idle=sessions["idle"],
            feeds={run.name: run.state for run in self.feeding.runs},
            ready=self.ready,
            draining=self.draining,
        )

    def take(self, session: Session, member: StreamMember | PollMember) -> None:
        """Make a member the data connection of a session; an older one ends at once."""
        older = session.data
        self.sessions.take(session, member, self.clock())
        if older is not None:
            self.fanout.wake(cast(Member, older))

    def leave(self, session: Session, member: StreamMember | PollMember) -> None:
        """Forget a data connection that has ended."""
        self.fanout.leave(member)
        self.sessions.leave(session, member, self.clock())

    def refuse(self) -> None:
        """Raise Refused while nothing new may begin."""
        if self.draining:
            raise Refused("draining", "this server is about to stop", self.random.uniform(1, 2))

    async def drain(self) -> None:
        """End every stream with ``bye`` and every poll with what it has, and wait until they are gone."""
        self.draining = True
        for member in self.fanout.members():
            member.end("shutdown")
            self.fanout.wake(member)
        for socket in list(self.sockets):
            socket.end("shutdown")
        await self.fanout.wait_empty()
