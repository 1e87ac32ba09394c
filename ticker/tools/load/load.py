"""Load: the clients of one process, from the first connection to the result."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from secrets import token_hex

from ticker.tools.load.client import OPEN_TIMEOUT, Client
from ticker.tools.load.ledger import Counts
from ticker.tools.load.meter import Meter, Result, Traffic
from ticker.tools.load.plan import Plan
from ticker.tools.load.reading import Reader

# Arrivals of about so many clients have their ages taken: all of one tick for 5,000 clients would cost as much again.
SAMPLED_CLIENTS = 50

# Seconds after the measurement in which clients that were cut must be back; their time away comes on top.
SETTLE_LIMIT = 10.0


class Load:
    """Made by ``running``; ``meter`` can be looked at meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self.meter = Meter()
        self._plan = plan
        self._random = Random(f"{plan.seed} {plan.first}")
        reader, tls, name = Reader(), plan.context(), token_hex(8)
        self.clients = [
            Client(plan, f"bench-{name}-{plan.first + index}", self.meter, reader, Random(self._random.random()), tls)
            for index in range(plan.clients)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        # When the measurement began, and what had been counted by then.
        self._began = self._cpu = 0.0
        self._before: tuple[Counts, Traffic, int] = Counts(), Traffic(), 0

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return sum(client.is_connected for client in self.clients)

    async def connect(self, group: asyncio.TaskGroup) -> None:
        """Let all clients connect, some a second, and wait until each has got through or was refused for good.

        One that can't get through for long is not waited for: it stands in the result as not connected.
        """
        began = time.monotonic()
        for index, client in enumerate(self.clients):
            await asyncio.sleep(began + index / self._plan.connect_rate - time.monotonic())
            self._tasks.append(group.create_task(client.run(), name=f"client {index}"))
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_TIMEOUT):
                for client in self.clients:
                    await client.settled.wait()

    def close(self) -> None:
        """Close all connections."""
        for task in self._tasks:
            task.cancel()

    def begin(self) -> None:
        """Begin to measure."""
        self.meter.share = min(1.0, SAMPLED_CLIENTS / len(self.clients))
        self._before = copy.copy(self.meter.counts), copy.copy(self.meter.traffic), self.meter.cuts
        self._began, self._cpu = time.monotonic(), time.process_time()

    async def cut_at_random(self) -> None:
        """Cut clients, one after the other, until it is cancelled: each as often a minute as the plan says."""
        rate = self._plan.cuts / 60 * len(self.clients)
        while rate:
            await asyncio.sleep(self._random.expovariate(rate))
            self._random.choice(self.clients).cut(self._plan.away)

    def end(self) -> Result:
        """Return what was measured, with nothing yet of the whole run."""
        meter, (counts, traffic, cuts) = self.meter, self._before
        meter.share = 0.0
        seconds = time.monotonic() - self._began
        cpu = (time.process_time() - self._cpu) / max(seconds, 1e-9)
        return Result(
            seconds=seconds,
            clients=len(self.clients),
            connected=self.connected,
            cpu=cpu,
            busiest=cpu,
            processes=1,
            counts=meter.counts - counts,
            traffic=meter.traffic - traffic,
            cuts=meter.cuts - cuts,
            early=meter.early,
            ages=meter.ages.counts(),
        )

    async def settle(self, result: Result) -> Result:
        """Wait until all who were cut are back, so that what they missed is known; complete the result with it."""
        limit = SETTLE_LIMIT + self._plan.away + self._plan.interval * self._plan.way.is_poll
        deadline = time.monotonic() + (limit if result.cuts else 0)
        while time.monotonic() < deadline and not all(client.is_whole for client in self.clients):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        meter = self.meter
        result.unrecovered = result.cuts - len(meter.live_again)
        result.total = copy.copy(meter.counts)
        result.first_tick, result.live_again = meter.first_tick.counts(), meter.live_again.counts()
        result.endings, result.final = dict(meter.endings), meter.final
        return result


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[Load]:
    """Connect the clients of a plan, and close them in the end."""
    load = Load(plan)
    async with asyncio.TaskGroup() as group:
        try:
            await load.connect(group)
            yield load
        finally:
            load.close()
