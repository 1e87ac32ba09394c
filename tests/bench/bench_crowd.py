"""Measure 5,000 clients that connect at once, and how late ticks come to them afterwards.

``python -m tests.bench.bench_crowd``: two ticks a second, Server-Sent Events.
"""

from __future__ import annotations

import msgspec

from tests.bench.report import Options, Report, parse_options, progress
from tests.bench.rounds import Shape, faults, run_load, ticker_spec
from tests.bench.servers import ticker

CROWD = Shape("5,000 clients at once", "sse", 5000)
# Seconds until the last is served, and milliseconds that ticks are late afterwards.
SERVED, LATE = 10, 150


def main() -> None:
    """Print how the crowd was served."""
    options = parse_options("5,000 clients at once", rounds=1, seconds=10)
    report = Report(CROWD.title, options)
    with report.row(CROWD.title):
        _measure(report, options)
    report.finish()


def _measure(report: Report, options: Options) -> None:
    progress(CROWD.title)
    with ticker("every=500&count=1") as server:
        spec = ticker_spec(server, CROWD, max(4, options.seconds))
        result = run_load(msgspec.structs.replace(spec, settle=2))
    for fault in faults([result]):
        report.note(fault)
    kept = CROWD.connections - result.lost
    report.all_of("none dropped", kept, CROWD.connections, f"{result.holes} holes, {result.unchecked} unchecked")
    report.most("the last one served", result.served, SERVED, f"{result.served:.2f} s", " s")
    measured = f"p50 {result.p50 / 1000:.1f}, worst {result.worst / 1000:.1f} ms"
    report.most("p99 afterwards", result.p99 / 1000, LATE, measured, " ms")


if __name__ == "__main__":
    main()
