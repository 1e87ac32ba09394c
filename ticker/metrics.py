"""Metrics: what ``GET /metrics`` shows of a node, as Prometheus text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

TRANSPORTS = ("sse", "websocket", "poll")
FEED_STATES = ("starting", "running", "ended", "failed")


Samples = Mapping[tuple[str, ...], float]
"""The values of a metric by its labels' values."""


class Facts(NamedTuple):
    """A node at one moment."""

    node: str
    version: str
    # Open connections by transport, one of TRANSPORTS.
    clients: Mapping[str, int]
    # Passes of the fan-out over all its clients, and the seconds that they took in all.
    flushes: int
    flush_seconds: float
    # Filters and formats in use.
    views: int
    # Quotes and trades since this process began.
    ticks: int
    epoch: int
    seq: int
    ring_fill: int
    ring_size: int
    bars: int
    symbols: int
    sessions: int
    sessions_idle: int
    # The state of each feed, one of FEED_STATES.
    feeds: Mapping[str, str]
    ready: bool
    draining: bool


class Metrics(Collector):
    """The metrics of one node. They are read when someone asks, and cost nothing in between.

    Args:
        read: returns the node's facts.
    """

    def __init__(self, read: Callable[[], Facts]) -> None:
        self._read = read
        # Not the library's global one: several nodes may run in one process.
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def describe(self) -> list[Metric]:
        """Say nothing of the metrics when they are registered: there is nothing to read yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is now."""
        facts = self._read()
        yield _labelled("ticker_info", "This server.", {(facts.node, facts.version): 1}, "node", "version")
        clients: Samples = {(transport,): facts.clients.get(transport, 0) for transport in TRANSPORTS}
        yield _labelled("ticker_clients", "Open connections.", clients, "transport")
        states: Samples = {(feed, state): state == now for feed, now in facts.feeds.items() for state in FEED_STATES}
        yield _labelled("ticker_feed_state", "1 for the state that a feed is in.", states, "feed", "state")
        yield SummaryMetricFamily(
            "ticker_flush_seconds",
            "Passes of the fan-out over all clients.",
            count_value=facts.flushes,
            sum_value=facts.flush_seconds,
        )
        yield CounterMetricFamily("ticker_ticks", "Quotes and trades since this process began.", facts.ticks)
        yield from _gauges(facts)

    def render(self) -> bytes:
        """Return the text."""
        return generate_latest(self._registry)


def _labelled(name: str, help: str, values: Samples, *labels: str) -> Metric:
    family = GaugeMetricFamily(name, help, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauges(facts: Facts) -> Iterator[Metric]:
    for name, help, value in (
        ("ready", "1 if every feed told to run here runs, the bus answers and nothing drains.", facts.ready),
        ("draining", "1 from the signal to stop on.", facts.draining),
        ("epoch", "Epoch of the newest tick's cursor, in milliseconds since the Unix epoch.", facts.epoch),
        ("seq", "Place of the newest tick in its epoch.", facts.seq),
        ("ring_ticks", "Ticks kept for replay.", facts.ring_fill),
        ("ring_size", "Ticks that are kept at the most.", facts.ring_size),
        ("bars", "Closed bars kept.", facts.bars),
        ("symbols", "Symbols of the market.", facts.symbols),
        ("sessions", "Sessions, with and without a connection.", facts.sessions),
        ("sessions_idle", "Sessions without a connection.", facts.sessions_idle),
        ("views", "Filters and formats whose bytes are made once for all clients that use them.", facts.views),
    ):
        yield GaugeMetricFamily(f"ticker_{name}", help, value)
