"""Worker: a process of its own with some of the clients, told what to do and telling what came by lines of JSON.

``python -m ticker.tools.load.worker`` reads a plan from its input, connects, and says ``ready``; it measures for the
seconds of the next line, or until its input ends, and says the result. In between it says how far it is.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec

import msgspec

from ticker.tools.load.load import Load, running
from ticker.tools.load.meter import Result
from ticker.tools.load.plan import Plan

# Seconds between two words on how far it is.
REPORT_INTERVAL = 0.25


class Report(msgspec.Struct, frozen=True):
    """How far a worker is; the last one has the result."""

    connected: int = 0
    received: int = 0
    cuts: int = 0
    # Silent losses and ticks that came twice, so far.
    missing: int = 0
    duplicates: int = 0
    ready: bool = False
    result: Result | None = None


async def work(plan: Plan, orders: asyncio.StreamReader) -> None:
    """Do what a plan says."""
    async with running(plan) as load:
        reporter = asyncio.create_task(_report(load), name="report")
        try:
            say(Report(connected=load.connected, ready=True))
            order = await orders.readline()
            load.begin()
            cutter = asyncio.create_task(load.cut_at_random(), name="cut")
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(orders.read(), float(order or 0))
            finally:
                cutter.cancel()
            say(Report(result=await load.settle(load.end())))
        finally:
            reporter.cancel()


async def _report(load: Load) -> None:
    while True:
        counts = load.meter.counts
        say(Report(load.connected, counts.received, load.meter.cuts, counts.missing, counts.duplicates))
        await asyncio.sleep(REPORT_INTERVAL)


def say(report: Report) -> None:
    """Print a report as one line."""
    print(msgspec.json.encode(report).decode(), flush=True)


async def _main() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    plan = await orders.readline()
    if plan:
        await work(msgspec.json.decode(plan, type=Plan), orders)


def main() -> None:
    """Work on the fastest loop that is there; only the end of the input stops it, not the terminal's Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    factory = asyncio.new_event_loop
    if find_spec("uvloop"):
        import uvloop

        factory = uvloop.new_event_loop
    with suppress(BrokenPipeError), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_main())


if __name__ == "__main__":
    main()
