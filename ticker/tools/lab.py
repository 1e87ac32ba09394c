"""Lab: one server over polling, long polling, SSE and WebSocket, one after the other: what each costs and loses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import msgspec

from ticker.core.codes import TickerError
from ticker.tools.load.histogram import Histogram
from ticker.tools.load.load import Load, running
from ticker.tools.load.meter import Meter, Result
from ticker.tools.load.plan import Plan, Way
from ticker.tools.usage import Spent, read_usage, spent

# Seconds of a cut.
CUT_SECONDS = 3.0

# Seconds in which a client must be whole again after a cut, besides a poll's interval.
RETURN_LIMIT = 15.0

# Seconds between the connection of the clients and the measurement, besides a poll's interval.
WARM_UP = 1.0


class LostTicks(TickerError):
    """A server that lost ticks of a client with a cursor, or sent some twice."""


class Trial(NamedTuple):
    """One way to get ticks."""

    name: str
    way: Way
    # Seconds between two polls.
    interval: float = 1.0

    @property
    def pause(self) -> float:
        """The seconds between two words to a client at the most, where the market is busy."""
        return self.interval if self.way is Way.poll else 0.0


TRIALS = (
    Trial("polling every 5 s", Way.poll, 5.0),
    Trial("polling every 1 s", Way.poll, 1.0),
    Trial("long polling", Way.long_poll),
    Trial("SSE", Way.sse),
    Trial("WebSocket, JSON", Way.websocket),
    Trial("WebSocket, MessagePack", Way.msgpack),
)


@dataclass
class Cuts:
    """What cuts did to two clients that were cut at the same moments, one with its cursor and one without."""

    count: int = 0
    # Ticks of the client with the cursor: announced as a gap, lost without a word, come twice.
    gap_ticks: int = 0
    missing: int = 0
    duplicates: int = 0
    # Ticks that the client without a cursor never saw.
    skipped: int = 0
    # Microseconds from the moment at which the network is back, of the client with the cursor.
    first_tick: Histogram = field(default_factory=Histogram)
    live_again: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True)
class Row:
    """What was measured of one way."""

    trial: Trial
    result: Result
    spent: Spent
    # Cores that the server took beyond those without clients; None if it does not tell.
    cores: float | None
    cuts: Cuts


class Lab:
    """One run; ``stage`` says what it is doing, and ``rows`` what it has so far."""

    def __init__(self, plan: Plan, seconds: float, cuts: int, trials: Sequence[Trial] = TRIALS) -> None:
        """Prepare to measure each way for so long, and then so many cuts; ``plan`` is what all have in common."""
        self.rows: list[Row] = []
        self.stage = ""
        # Without a client.
        self.idle: Spent | None = None
        self._plan = plan
        self._seconds = seconds
        self._cuts = cuts
        self._trials = trials
        self._random = Random(plan.seed)

    async def run(self) -> None:
        """Measure everything."""
        self.stage = "the server without clients"
        self.idle = await self._spend()
        for trial in self._trials:
            self.rows.append(await self._measure(trial))

    async def _measure(self, trial: Trial) -> Row:
        plan = msgspec.structs.replace(self._plan, way=trial.way, interval=trial.interval)
        self.stage = f"{trial.name}: {plan.clients} clients"
        async with running(plan) as load:
            await asyncio.sleep(WARM_UP + trial.pause)
            load.begin()
            spent = await self._spend()
            result = await load.settle(load.end())
        return Row(trial, result, spent, self._beyond_idle(spent), await self._cut(plan, trial))

    async def _spend(self) -> Spent:
        request = self._plan.request()
        before = await read_usage(request)
        await asyncio.sleep(self._seconds)
        return spent(before, await read_usage(request))

    def _beyond_idle(self, spent: Spent) -> float | None:
        if spent.cpu is None or self.idle is None or self.idle.cpu is None:
            return None
        return spent.cpu - self.idle.cpu

    async def _cut(self, plan: Plan, trial: Trial) -> Cuts:
        async with self._pair(plan) as pair:
            keeper, forgetful = pair
            cuts = Cuts()
            for number in range(self._cuts):
                self.stage = f"{trial.name}: cut {number + 1} of {self._cuts}"
                # At any moment of a poll's interval.
                await asyncio.sleep(WARM_UP + self._random.random() * trial.pause)
                if await self._cut_both(pair, trial):
                    cuts.count += 1
            _fill(cuts, keeper.meter, forgetful.meter)
            return cuts

    @asynccontextmanager
    async def _pair(self, plan: Plan) -> AsyncIterator[tuple[Load, Load]]:
        one = msgspec.structs.replace(plan, clients=1)
        async with running(one) as keeper, running(msgspec.structs.replace(one, forgets=True)) as forgetful:
            yield keeper, forgetful

    async def _cut_both(self, pair: tuple[Load, Load], trial: Trial) -> bool:
        """Cut both at one moment and wait for their return; return whether there was something to cut."""
        clients = [client for load in pair for client in load.clients]
        were_cut = [client.cut(CUT_SECONDS) for client in clients]
        if not all(were_cut):
            return False
        deadline = time.monotonic() + CUT_SECONDS + trial.pause + RETURN_LIMIT
        await asyncio.sleep(CUT_SECONDS)
        while time.monotonic() < deadline and not all(client.is_whole for client in clients):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return True


def _fill(cuts: Cuts, keeper: Meter, forgetful: Meter) -> None:
    counts = keeper.counts
    cuts.gap_ticks, cuts.missing, cuts.duplicates = counts.gap_ticks, counts.missing, counts.duplicates
    cuts.skipped = forgetful.counts.skipped + forgetful.counts.missing
    cuts.first_tick, cuts.live_again = keeper.first_tick, keeper.live_again


def check(rows: Sequence[Row]) -> None:
    """Make sure that the server kept its promise.

    Raises:
        LostTicks: it did not.
    """
    for row in rows:
        missing = row.result.total.missing + row.cuts.missing
        duplicates = row.result.total.duplicates + row.cuts.duplicates
        if missing or duplicates:
            raise LostTicks(f"{row.trial.name}: {missing:,} ticks were lost without a gap, {duplicates:,} came twice")
