"""Behind a network that cuts at any byte, clients of every transport get the exact range, and no tick twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from random import Random

import pytest

from tests.support.live import SYMBOLS, Live, live, numbered
from tests.support.proxy import Cut, Proxy, cuts, proxy
from tests.support.serving import LOOPS, run_on
from tests.support.survivor import TRANSPORTS, Survivor

CUTS = 200
CLIENTS = 20
FILTERS = ("*", "AAPL,EUR/USD", "B*", "*S*,NVDA")
MATCHING = {
    "*": SYMBOLS,
    "AAPL,EUR/USD": ("AAPL", "EUR/USD"),
    "B*": ("BTC-USD",),
    "*S*,NVDA": ("MSFT", "BTC-USD", "EUR/USD", "NVDA"),
}
NAMES = [*TRANSPORTS, "by turns"]
# Enough for a last tick of every symbol.
LAST_BURST = 70


class Flood:
    """Publishes bursts of numbered ticks while something goes on, and knows then which is the last."""

    def __init__(self, server: Live) -> None:
        self._server = server
        self.count = 0
        self.is_over = False

    async def run(self, goes_on: Callable[[], bool], burst: int = 40) -> None:
        """Publish until it is over, at most for 50,000 ticks: half of the ring."""
        while goes_on() and self.count < 50_000:
            await self._publish(burst)
            await asyncio.sleep(0.002)
        assert not goes_on()
        self.is_over = True
        await self._publish(LAST_BURST)

    async def _publish(self, count: int) -> None:
        first, self.count = self.count + 1, self.count + count
        await self._server.publish_numbered(count, first)

    def wanted(self, symbols: str) -> list[int]:
        """Return the numbers that match a filter."""
        names = MATCHING[symbols]
        return [number for number in range(1, self.count + 1) if numbered(number, 0).symbol in names]

    def last(self, symbols: str) -> int | None:
        """Return the last number that matches a filter, once it is known."""
        return self.wanted(symbols)[-1] if self.is_over else None


@asynccontextmanager
async def network(plan: Callable[[Proxy], Callable[[], Cut | None]]) -> AsyncIterator[tuple[Live, Proxy]]:
    """Serve behind a proxy."""
    async with live() as server, proxy(server.port) as between:
        between.plan = plan(between)
        yield server, between


async def follow_all(port: int, flood: Flood, goes_on: Callable[[], bool], *transports: str) -> list[Survivor]:
    """Let clients with several filters follow a flood, each on its transport or on all by turns."""

    def last(symbols: str) -> Callable[[], int | None]:
        known: list[int] = []

        def look() -> int | None:
            if flood.is_over and not known:
                known.extend(flood.wanted(symbols)[-1:])
            return known[0] if known else None

        return look

    survivors = []
    async with asyncio.TaskGroup() as group:
        group.create_task(flood.run(goes_on))
        for index in range(CLIENTS):
            symbols = FILTERS[index % len(FILTERS)]
            query = {"symbols": symbols} | ({"session": f"survivor-{index:08d}"} if index % 3 else {})
            survivor = Survivor(
                cycle(transports[index % len(transports) :] + transports[: index % len(transports)]), query
            )
            survivors.append(survivor)
            group.create_task(survivor.follow(port, last(symbols)))
    return survivors


def check(survivors: list[Survivor], flood: Flood) -> None:
    """Compare what each client got with what it asked for."""
    for index, survivor in enumerate(survivors):
        assert survivor.gaps == []
        assert survivor.numbers == flood.wanted(FILTERS[index % len(FILTERS)])


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("transports", [(name,) for name in TRANSPORTS] + [tuple(TRANSPORTS)], ids=NAMES)
def test_cuts_at_any_byte(loop: str, transports: tuple[str, ...]) -> None:
    """Cut 200 connections; where there are several transports each client changes it at every cut."""

    def plan(between: Proxy) -> Callable[[], Cut | None]:
        draw = cuts(Random(f"{loop} {transports}"))
        return lambda: draw() if between.cut < CUTS else None

    async def test() -> None:
        async with network(plan) as (server, between):
            flood = Flood(server)
            survivors = await follow_all(between.port, flood, lambda: between.cut < CUTS, *transports)
            check(survivors, flood)
            assert between.cut >= CUTS
            assert sum(survivor.connections for survivor in survivors) >= CUTS

    run_on(loop, test)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_freezes_throttles_and_halves(transport: str) -> None:
    """A network that stalls, slows down, and ends one direction only."""

    async def disturb(between: Proxy, random: Random) -> None:
        for _ in range(12):
            await asyncio.sleep(random.uniform(0.01, 0.05))
            match random.choice(["freeze", "throttle", "up", "down"]):
                case "freeze":
                    between.freeze()
                    await asyncio.sleep(random.uniform(0.02, 0.1))
                    between.thaw()
                case "throttle":
                    between.rate = random.choice([None, 50_000, 500_000])
                case "up":
                    between.half_close("up")
                case "down":
                    between.half_close("down")
        between.rate = None

    async def test() -> None:
        async with network(lambda _: lambda: None) as (server, between):
            task = asyncio.create_task(disturb(between, Random(transport)))
            flood = Flood(server)
            survivors = await follow_all(between.port, flood, lambda: not task.done(), transport)
            check(survivors, flood)
            assert sum(survivor.connections for survivor in survivors) > CLIENTS

    run_on("uvloop", test)
