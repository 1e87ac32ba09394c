"""Measure what a write to a stream of HTTP/2 costs, without TLS, against a plain ASGI app on Hypercorn.

``python -m tests.bench.bench_http2``: a quote comes every 10 ms and goes to every stream; the figure is the processor
time of the server's process for each DATA frame that arrives. Hypercorn's streams get as many bytes.
"""

from __future__ import annotations

from tests.bench.report import Report, parse_options
from tests.bench.rounds import Rounds, Shape
from tests.bench.servers import field

# Each with its limit: microseconds a write; a share of Hypercorn's own way does as well.
SHAPES = [
    (Shape("HTTP/2, 200 connections of 1 stream", "http2", 200, 1), 15.0),
    (Shape("HTTP/2, 10 connections of 20 streams", "http2", 10, 20), 11.0),
]
SHARE = 0.35


def main() -> None:
    """Print a row for each number of streams."""
    options = parse_options("cost of a write on HTTP/2")
    report = Report("Processor time per write on HTTP/2", options)
    with field("every=10&count=1", ["hypercorn"]) as servers:
        for shape, limit in SHAPES:
            if not options.wants(shape.title):
                continue
            with report.row(shape.title):
                rounds = Rounds(servers, shape, options)
                rounds.describe(report)
                cost, theirs = rounds.cost("ticker"), rounds.cost("hypercorn")
                verdicts = [(cost, limit, " µs"), (rounds.ratio("hypercorn"), SHARE, " x")]
                report.either(shape.title, verdicts, f"{cost:.2f} : {theirs:.2f} µs")
    report.finish()


if __name__ == "__main__":
    main()
