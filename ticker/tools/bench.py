"""Bench: clients in processes of their own, measured at the same time, and what it cost the server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import cast

import msgspec

import ticker
from ticker.core.codes import StartError, TickerError
from ticker.tools.load.meter import Result
from ticker.tools.load.plan import Plan
from ticker.tools.load.worker import Report
from ticker.tools.usage import Spent, Usage, read_usage, spent

# The share of a core from which on a process of clients is as slow as what it measures.
BUSY = 0.8

# Where this package lies, for the processes of clients.
HOME = str(Path(ticker.__file__).resolve().parent.parent)

# A result is one line: three histograms of at most 2,300 buckets.
LINE_LIMIT = 2**20

# Files that a process has open besides its connections.
OTHER_FILES = 64


class WorkerLost(TickerError):
    """A process of clients that ended without a result."""


class BrokenPromise(TickerError):
    """A server that lost ticks without saying so, or sent some twice, or let nobody in."""


@dataclass(frozen=True)
class Outcome:
    """What was measured, on both sides."""

    plan: Plan
    result: Result
    spent: Spent
    # Bytes of the server's memory that each client took, as far as its process grew while they connected.
    memory_per_client: float | None


@dataclass
class Progress:
    """How far it is: what each process said last, and the seconds measured so far."""

    reports: list[Report] = field(default_factory=list)
    # When the measurement began, in the loop's time.
    began: float | None = None

    def total(self, name: str) -> int:
        """Return the sum of one of the counts."""
        return sum(getattr(report, name) for report in self.reports)


class Bench:
    """One run; ``progress`` can be looked at meanwhile."""

    def __init__(self, plan: Plan, processes: int = 1) -> None:
        self.progress = Progress()
        self._plan = plan
        self._plans = share(plan, processes)
        self._workers: list[_Worker] = []

    async def run(self, seconds: float) -> Outcome:
        """Connect all clients, then measure for so long; cancelling it while it measures ends that early.

        Raises:
            WorkerLost: a process of clients has ended.
        """
        request = self._plan.request()
        before = await read_usage(request)
        try:
            await self._start()
            connected = await read_usage(request)
            after, result = await self._measure(seconds, connected)
        finally:
            await asyncio.gather(*(worker.stop() for worker in self._workers))
        return Outcome(self._plan, result, spent(connected, after), self._memory(before, connected))

    async def _start(self) -> None:
        for index, plan in enumerate(self._plans):
            self.progress.reports.append(Report())
            self._workers.append(await _Worker.start(plan, self._follow(index)))
        await asyncio.gather(*(worker.until_ready() for worker in self._workers))

    async def _measure(self, seconds: float, connected: Usage) -> tuple[Usage, Result]:
        self.progress.began = asyncio.get_running_loop().time()
        for worker in self._workers:
            worker.begin(seconds)
        results = asyncio.gather(*(worker.result() for worker in self._workers))
        try:
            # The server is asked when the time is over, not when those who were cut are back.
            await asyncio.wait({results}, timeout=seconds)
        except asyncio.CancelledError:
            # What has been measured so far is the result.
            cast("asyncio.Task[object]", asyncio.current_task()).uncancel()
            for worker in self._workers:
                worker.enough()
        after = await read_usage(self._plan.request())
        return after, reduce(add, await results)

    def _follow(self, index: int) -> Callable[[Report], None]:
        def take(report: Report) -> None:
            self.progress.reports[index] = report

        return take

    def _memory(self, before: Usage, connected: Usage) -> float | None:
        growth = spent(before, connected).growth
        return None if growth is None else max(growth, 0) / self._plan.clients


class _Worker:
    """A process with some of the clients."""

    def __init__(self, process: asyncio.subprocess.Process, follow: Callable[[Report], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._orders, self._reports = process, process.stdin, process.stdout
        self._follow = follow

    @classmethod
    async def start(cls, plan: Plan, follow: Callable[[Report], None]) -> _Worker:
        """Start one; each report is handed to ``follow``."""
        # -P: the folder that it is started in may hold modules of any name.
        path = os.pathsep.join(filter(None, [HOME, os.environ.get("PYTHONPATH")]))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "ticker.tools.load.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            limit=LINE_LIMIT,
        )
        worker = cls(process, follow)
        worker._orders.write(msgspec.json.encode(plan) + b"\n")
        return worker

    async def until_ready(self) -> None:
        """Wait until all its clients are connected, or can't be."""
        while not (await self._next()).ready:
            pass

    def begin(self, seconds: float) -> None:
        """Let it measure."""
        self._orders.write(b"%f\n" % seconds)

    def enough(self) -> None:
        """Let it end early."""
        self._orders.close()

    async def result(self) -> Result:
        """Return what it measured."""
        while True:
            report = await self._next()
            if report.result is not None:
                return report.result

    async def _next(self) -> Report:
        line = await self._reports.readline()
        if not line:
            raise WorkerLost(f"a process of clients has ended with code {await self._process.wait()}")
        report = msgspec.json.decode(line, type=Report)
        if report.result is None:
            self._follow(report)
        return report

    async def stop(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def share(plan: Plan, processes: int) -> list[Plan]:
    """Return the plans of so many processes, each with about as many clients."""
    edges = [plan.clients * index // processes for index in range(processes + 1)]
    rate = plan.connect_rate / processes
    return [
        msgspec.structs.replace(plan, clients=until - first, first=first, connect_rate=rate)
        for first, until in pairwise(edges)
        if until > first
    ]


def make_room(clients: int) -> None:
    """Let each process have so many connections, by raising the soft limit of open files.

    Raises:
        StartError: this machine does not let it.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise StartError(
            f"{clients:,} clients in one process need {needed:,} open files, and this shell allows {hard:,}: "
            f"raise it with `ulimit -Hn {needed}` as root, or share them with --processes"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def advice(outcome: Outcome, cores: int | None) -> list[str]:
    """Return what should be known before the figures are believed.

    Args:
        cores: of this machine.
    """
    result, more = outcome.result, "use another machine for the clients"
    if result.processes < (cores or 1):
        more = "use more --processes"
    remarks = {
        f"the clients are at their own limit ({result.busiest:.0%} of a core): {more}": result.busiest > BUSY,
        f"{result.clients - result.connected:,} of {result.clients:,} clients were not connected at the end": (
            result.connected < result.clients and not result.cuts
        ),
        f"{result.unrecovered:,} clients that were cut were not back in time": result.unrecovered > 0,
        "ticks came before their own time: the clocks differ, and ages are too small": result.early > 0,
        "the ticks of a gap are those of the whole market, not of --symbols alone": (
            outcome.plan.symbols is not None and result.total.gaps > 0
        ),
        f"the server's CPU and memory are not known: {outcome.spent.refusal}": outcome.spent.refusal is not None,
        f"the server sent clients away for good: {result.final}": result.final is not None,
    }
    return [remark for remark, holds in remarks.items() if holds]


def check(outcome: Outcome) -> None:
    """Make sure that the server kept its promise.

    Raises:
        BrokenPromise: ticks were lost without a word, or came twice, or nothing came at all.
    """
    total = outcome.result.total
    if total.missing or total.duplicates or total.breaks:
        raise BrokenPromise(
            f"the server broke its promise: {total.missing:,} ticks were lost without a gap, {total.duplicates:,} came "
            f"twice, {total.breaks:,} times it did not go on where a client stood"
        )
    if not total.received and not outcome.result.connected:
        raise BrokenPromise(outcome.result.final or "no client got through")
