"""Measure what a write to a client costs, against a floor in C, picows, and Node's ws.

``python -m tests.bench.bench_fanout``: a quote comes every 10 ms and goes to every client; the figure is the processor
time of the server's process for each write that arrives, all of its work included. The peers send as many bytes.
"""

from __future__ import annotations

from tests.bench.report import Report, parse_options
from tests.bench.rounds import Rounds, Shape
from tests.bench.servers import field

NAMES = {"sse": "SSE", "text": "WebSocket text", "msgpack": "WebSocket MessagePack"}
SHAPES = [
    Shape(f"{name}, {clients} clients", kind, clients)  # type: ignore[arg-type]  # the keys are kinds
    for kind, name in NAMES.items()
    for clients in (200, 500)
]
# What ours may cost at most, in units of the peer's.
LIMITS = {"floor": 1.4, "picows": 1.0, "node ws": 1.0}


def main() -> None:
    """Print a row for each kind of client, number of clients and peer."""
    options = parse_options("cost of a write")
    report = Report("Processor time per write", options)
    with field("every=10&count=1", list(LIMITS)) as servers:
        for shape in SHAPES:
            if options.wants(shape.title):
                with report.row(shape.title):
                    _compare(report, Rounds(servers, shape, options), servers.missing)
    report.finish()


def _compare(report: Report, rounds: Rounds, missing: dict[str, str]) -> None:
    rounds.describe(report)
    for peer, limit in LIMITS.items():
        what = f"{rounds.shape.title}, against {peer}"
        if peer in missing:
            report.missing(what, missing[peer])
            continue
        measured = f"{rounds.cost('ticker'):.2f} : {rounds.cost(peer):.2f} µs"
        report.most(what, rounds.ratio(peer), limit, measured, " x")


if __name__ == "__main__":
    main()
