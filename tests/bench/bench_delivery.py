"""Measure 1,000 ticks a second with default settings: what a million of them costs, how late they come, to how many.

``python -m tests.bench.bench_delivery``: against picows and ws, which send a frame for ten ticks every 10 ms.
"""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from tests.bench.figures import median
from tests.bench.report import Options, Report, parse_options, progress
from tests.bench.rounds import Rounds, Shape, faults, run_load, ticker_spec
from tests.bench.servers import field, ticker
from tests.bench.spec import Result

PEERS = ["picows", "node ws"]
SHAPES = [
    Shape("SSE, 500 clients", "sse", 500, batch=10),
    Shape("WebSocket text, 500 clients", "text", 500, batch=10),
]
# Of the better peer's cost, and milliseconds.
SHARE, LATE = 0.6, 40
LATENCY = [
    Shape("SSE latency, 100 clients", "sse", 100),
    Shape("WebSocket text latency, 100 clients", "text", 100),
]
# Milliseconds: the median and the worst of a hundred.
MEDIAN, TAIL = 8, 25
SUSTAINED, SUSTAINED_TAIL = Shape("sustained, 3,000 clients", "sse", 3000), 250
# Ticks a second that each must get of 1,000: passes of 50 ms make a second end early or late.
RATE = 970


def main() -> None:
    """Print rows of cost, of latency, and of 3,000 clients."""
    options = parse_options("1,000 ticks a second")
    report = Report("1,000 ticks a second", options)
    _compare(report, options)
    _measure_latency(report, options)
    if options.wants(SUSTAINED.title):
        with report.row(SUSTAINED.title):
            _sustain(report, options)
    report.finish()


def _compare(report: Report, options: Options) -> None:
    shapes = [shape for shape in SHAPES if options.wants(shape.title)]
    with ExitStack() as stack:
        servers = stack.enter_context(field("every=10&count=10", PEERS)) if shapes else None
        for shape in shapes:
            assert servers is not None
            with report.row(shape.title):
                _compare_one(report, Rounds(servers, shape, options), servers.missing)


def _compare_one(report: Report, rounds: Rounds, missing: dict[str, str]) -> None:
    rounds.describe(report)
    costs = {peer: rounds.cost(peer, "tick_cost") for peer in PEERS if peer not in missing}
    what = f"{rounds.shape.title}, per million ticks"
    if costs:
        better = min(costs, key=lambda peer: costs[peer])
        measured = f"{rounds.cost('ticker', 'tick_cost'):.3f} : {costs[better]:.3f} s of {better}"
        report.most(what, rounds.ratio(better, "tick_cost"), SHARE, measured, " x")
    else:
        report.missing(what, ", ".join(missing.values()))
    _late(report, f"{rounds.shape.title}, p99", rounds.ours, LATE)


def _late(report: Report, what: str, results: list[Result], limit: float) -> None:
    p50, p99, worst = (median([getattr(each, name) for each in results]) / 1000 for name in ("p50", "p99", "worst"))
    report.most(what, p99, limit, f"p50 {p50:.1f}, p99 {p99:.1f}, worst {worst:.1f} ms", " ms")


def _measure_latency(report: Report, options: Options) -> None:
    """Ticks come one by one, every millisecond."""
    for shape in LATENCY:
        if not options.wants(shape.title):
            continue
        progress(shape.title)
        with report.row(shape.title), ticker("every=1&count=1") as server:
            results = [run_load(ticker_spec(server, shape, options.seconds)) for _ in range(options.rounds)]
            for fault in faults(results):
                report.note(fault)
            p50 = median([result.p50 for result in results]) / 1000
            report.most(f"{shape.title}, p50", p50, MEDIAN, f"{p50:.1f} ms", " ms")
            _late(report, f"{shape.title}, p99", results, TAIL)


def _sustain(report: Report, options: Options) -> None:
    progress(SUSTAINED.title)
    with ticker("every=10&count=10") as server:
        spec = ticker_spec(server, SUSTAINED, max(5, options.seconds))
        # What is late because 3,000 have connected must have come.
        result = run_load(msgspec.structs.replace(spec, settle=3))
    rate = result.ticks / result.seconds / SUSTAINED.connections
    for fault in faults([result]):
        report.note(fault)
    report.note(f"{result.cpu / 1e9 / result.seconds:.0%} of the server's core, {result.client:.0%} of the client's")
    whole = SUSTAINED.connections - (0 if result.is_whole else max(result.lost, result.unchecked, 1))
    report.all_of(f"{SUSTAINED.title}, with every tick", whole, SUSTAINED.connections, f"{result.ticks:,} ticks")
    report.least(f"{SUSTAINED.title}, ticks a second each", rate, RATE, f"{rate:,.0f}")
    _late(report, f"{SUSTAINED.title}, p99", [result], SUSTAINED_TAIL)


if __name__ == "__main__":
    main()
