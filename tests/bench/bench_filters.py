"""Measure what it costs that every client has a filter of its own.

``python -m tests.bench.bench_filters``: 1,000 clients want 20 of 500 symbols each; 5,000 ticks a second. All want the
same 20, by turns with each its own.
"""

from __future__ import annotations

from random import Random

import msgspec

from tests.bench.figures import median, ratio
from tests.bench.report import Options, Report, parse_options, progress
from tests.bench.rounds import Shape, faults, run_load, ticker_spec
from tests.bench.servers import ticker
from tests.bench.spec import Result

CLIENTS, SYMBOLS, WANTED = 1000, 500, 20
# What the same ticks may cost with filters of their own, in units of equal filters. Not a write: who is dearer to serve
# is served less often, with more in each write.
LIMIT = 2.0
SHAPE = Shape("distinct filters", "sse", CLIENTS)


def main() -> None:
    """Print one row."""
    options = parse_options("distinct filters")
    report = Report(f"{CLIENTS:,} clients with {WANTED} of {SYMBOLS} symbols each, 5,000 ticks a second", options)
    random = Random(1)
    distinct = tuple(tuple(sorted(random.sample(range(SYMBOLS), WANTED))) for _ in range(CLIENTS))
    assert len(set(distinct)) == CLIENTS
    with report.row("distinct filters"):
        _report(report, _measure({"equal": distinct[:1] * CLIENTS, "distinct": distinct}, options))
    report.finish()


def _measure(ways: dict[str, tuple[tuple[int, ...], ...]], options: Options) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {name: [] for name in ways}
    with ticker(f"every=10&count=50&symbols={SYMBOLS}") as server:
        for number in range(options.rounds):
            for name, filters in ways.items():
                progress(f"{name} filters, round {number + 1} of {options.rounds}")
                spec = ticker_spec(server, SHAPE, options.seconds)
                spec = msgspec.structs.replace(spec, filters=filters, market=SYMBOLS, settle=1)
                results[name].append(run_load(spec))
    return results


def _report(report: Report, results: dict[str, list[Result]]) -> None:
    costs = {name: [each.tick_cost for each in measured] for name, measured in results.items()}
    for name, measured in results.items():
        last = measured[-1]
        for fault in faults(measured):
            report.note(f"{name}: {fault}")
        report.note(
            f"{name}: {last.ticks / last.writes:.1f} quotes a write, {last.cpu / 1e9 / last.seconds:.0%} of the core, "
            f"p99 {last.p99 / 1000:.0f} ms, {last.write_cost:.2f} µs a write"
        )
    measured_costs = f"{median(costs['distinct']):.2f} : {median(costs['equal']):.2f} µs a tick"
    report.most(
        "distinct filters, against equal ones", ratio(costs["distinct"], costs["equal"]), LIMIT, measured_costs, " x"
    )


if __name__ == "__main__":
    main()
