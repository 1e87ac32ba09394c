"""Show how the cost of a delivered tick grows with clients, ticks a second, symbols, and the size of the ring.

``python -m tests.bench.bench_curves``: four small tables. What all clients cost together may grow in proportion to
clients and ticks; how many symbols there are and how much is kept must not matter to a tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.bench.figures import growth
from tests.bench.report import Options, Report, parse_options, progress
from tests.bench.rounds import Shape, run_load, ticker_spec
from tests.bench.servers import ticker
from tests.bench.spec import Result

# The exponent that a curve may have at most: 1 is in proportion, the rest is noise; 0 is no growth.
LINEAR, CONSTANT = 1.1, 0.1


class Curve(NamedTuple):
    """What is varied, and by how much."""

    axis: str
    points: Sequence[int]
    # The metronome, further options of the server, and clients for a point.
    feed: Callable[[int], str]
    arguments: Callable[[int], list[str]]
    clients: Callable[[int], int]
    # Whether a tick is delivered more often, or more ticks are, the further out a point lies.
    is_more_work: bool


def _none(_: int) -> list[str]:
    return []


CURVES = [
    Curve("clients", (50, 100, 200, 500, 1000), lambda _: "every=10&count=1", _none, lambda x: x, True),
    Curve("ticks a second", (100, 1000, 5000, 10_000), lambda x: f"count={x // 100}", _none, lambda _: 100, True),
    Curve("symbols", (10, 100, 1000, 4000), lambda x: f"count=10&symbols={x}&first={x}", _none, lambda _: 100, False),
    Curve(
        "ring size",
        (1000, 10_000, 100_000),
        lambda x: f"count=10&first={x}",
        lambda x: ["--ring-size", str(x)],
        lambda _: 100,
        False,
    ),
]


def main() -> None:
    """Print the tables."""
    options = parse_options("growth of the cost", rounds=1)
    report = Report("Growth of the cost", options)
    for curve in CURVES:
        if options.wants(curve.axis):
            with report.row(curve.axis):
                _draw(report, curve, options)
    report.finish()


def _draw(report: Report, curve: Curve, options: Options) -> None:
    points = []
    report.note(f"{curve.axis:>14} {'µs a tick':>10} {'core':>6} {'p99 ms':>7}")
    for x in curve.points:
        progress(f"{curve.axis}: {x:,}")
        result = _measure(curve, x, options)
        share = result.cpu / 1e9 / result.seconds
        report.note(f"{x:>14,} {result.tick_cost:>10.2f} {share:>6.0%} {result.p99 / 1000:>7.1f}")
        points.append((x, result.tick_cost * (x if curve.is_more_work else 1)))
    exponent, limit = growth(points), LINEAR if curve.is_more_work else CONSTANT
    word = "linear or better" if exponent <= limit else "worse than linear" if curve.is_more_work else "it grows"
    report.most(f"exponent of {curve.axis}", exponent, limit, word)


def _measure(curve: Curve, x: int, options: Options) -> Result:
    with ticker(curve.feed(x), *curve.arguments(x)) as server:
        return run_load(ticker_spec(server, Shape(curve.axis, "sse", curve.clients(x)), options.seconds))


if __name__ == "__main__":
    main()
