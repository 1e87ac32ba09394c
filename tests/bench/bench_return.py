"""Measure 1,000 clients that come back at once, each 1,000 ticks behind.

``python -m tests.bench.bench_return``: a quiet market shows what a replayed tick costs. Setting up 1,000 clients takes
most of the time and is spread over it, so it is measured by itself, by a herd that has missed nothing, and taken off.
A market of 1,000 ticks a second shows how long it takes, and what a bystander feels of it.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import NamedTuple

import msgspec

from tests.bench.figures import median, quantile
from tests.bench.report import Report, parse_options, progress
from tests.bench.rounds import Shape, client, run_program, ticker_spec
from tests.bench.servers import Server, ticker
from tests.bench.spec import Return

CLIENTS, MISSED = 1000, 1000
HERD, BYSTANDER = Shape("herd", "sse", CLIENTS), Shape("bystander", "sse", 1)
# Million ticks per second of processor time, seconds until the last has all, and milliseconds that the bystander waits.
RATE, SERVED, LATE = 3, 3, 250
# Seconds before a herd: what the one before has left must be gone.
REST = 1.5


class Quiet(NamedTuple):
    """A herd that missed nothing and one that missed much."""

    idle: Return
    herd: Return

    @property
    def cpu(self) -> int:
        """Nanoseconds of processor time for the replay, setting up apart."""
        return max(1, self.herd.cpu - self.idle.cpu)


class Lively(NamedTuple):
    """A herd in a market that lives, and the bystander's p99 in milliseconds before and meanwhile."""

    herd: Return
    undisturbed: float
    disturbed: float


def main() -> None:
    """Print the replay's speed, and what others felt of it."""
    options = parse_options("clients that come back", seconds=0)
    report = Report(f"{CLIENTS:,} clients come back, {MISSED:,} ticks behind", options)
    numbers = [f"round {number + 1} of {options.rounds}" for number in range(options.rounds)]
    with report.row("quiet market"), ticker("every=3600000&count=1&first=20000") as server:
        quiet = [_quiet(server, f"quiet market, {number}") for number in numbers]
        _report_quiet(report, quiet)
    with report.row("lively market"), ticker("every=10&count=10&first=20000") as server:
        lively = [_lively(server, f"lively market, {number}") for number in numbers]
        _report_lively(report, lively)
    report.finish()


def _quiet(server: Server, title: str) -> Quiet:
    progress(title)
    herds = []
    for missed in (0, MISSED):
        time.sleep(REST)
        herds.append(_come_back(server, missed, "quiet"))
    return Quiet(*herds)


def _lively(server: Server, title: str) -> Lively:
    progress(title)
    with client("tests.bench.bystander", ticker_spec(server, BYSTANDER, 0)) as bystander:
        assert bystander.stdout is not None
        bystander.stdout.readline()
        began = time.monotonic()
        time.sleep(REST)
        herd = _come_back(server, MISSED, "live")
        time.sleep(0.5)
        arrivals = _arrivals(bystander)
    during = sorted(late for at, late in arrivals if herd.started <= at <= herd.ended + 0.3)
    before = sorted(late for at, late in arrivals if began < at < herd.started)
    return Lively(herd, quantile(before, 0.99) / 1000, quantile(during, 0.99) / 1000)


def _come_back(server: Server, missed: int, market: str) -> Return:
    answer = run_program("tests.bench.returning", ticker_spec(server, HERD, 0), str(missed), market)
    return msgspec.json.decode(answer, type=Return)


def _arrivals(bystander: subprocess.Popen[str]) -> list[tuple[float, int]]:
    answer, _ = bystander.communicate(timeout=30)
    return [(at, late) for at, late in json.loads(answer)]


def _report_quiet(report: Report, rounds: list[Quiet]) -> None:
    _all_complete(report, "quiet market", [each.herd for each in rounds])
    setup = median([each.idle.cpu for each in rounds]) / 1e6
    report.note(f"setting up took {setup:.0f} ms of processor time, {setup / CLIENTS:.2f} each")
    between = median([each.herd.ticks / max(1, each.herd.cpu_after) * 1000 for each in rounds])
    report.note(f"from the first tick to the last, setting up in between included: {between:.2f} million/s")
    rate = median([each.herd.ticks / each.cpu * 1000 for each in rounds])
    measured = f"{rounds[-1].herd.ticks:,} ticks in {rounds[-1].cpu / 1e6:.0f} ms"
    report.least("ticks per second of processor time", rate, RATE, measured, " million")


def _report_lively(report: Report, rounds: list[Lively]) -> None:
    herds = [each.herd for each in rounds]
    _all_complete(report, "lively market", herds)
    seconds = median([herd.seconds for herd in herds])
    first = median([herd.first_tick - herd.started for herd in herds])
    report.most("the last one served", seconds, SERVED, f"{seconds:.2f} s, the first after {first:.2f}", " s")
    late = median([each.disturbed for each in rounds])
    before = median([each.undisturbed for each in rounds])
    report.most("a bystander's p99", late, LATE, f"{before:.1f} ms before", " ms")


def _all_complete(report: Report, market: str, herds: list[Return]) -> None:
    complete = min(herd.complete for herd in herds)
    report.all_of(f"{market}: got all they missed, once", complete, CLIENTS, f"{herds[-1].ticks:,} ticks")


if __name__ == "__main__":
    main()
