"""Meter: what the clients of one process write down, and what becomes of it over a stretch of time. No I/O."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from ticker.tools.load.histogram import Histogram
from ticker.tools.load.ledger import Counts


@dataclass
class Traffic:
    """Bytes on the connections, heads of HTTP and frames included, and requests. TLS and TCP come on top."""

    received: int = 0
    sent: int = 0
    # HTTP requests, handshakes of WebSockets included.
    requests: int = 0

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.received - other.received, self.sent - other.sent, self.requests - other.requests)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.received + other.received, self.sent + other.sent, self.requests + other.requests)


@dataclass
class Meter:
    """One for all clients of a process."""

    counts: Counts = field(default_factory=Counts)
    traffic: Traffic = field(default_factory=Traffic)
    # Microseconds from a tick's own time to its arrival here, of live ticks only; and how many were before it.
    ages: Histogram = field(default_factory=Histogram)
    early: int = 0
    # The share of arrivals whose ages are taken; 0 while nothing is measured.
    share: float = 0.0
    # Microseconds from the return after a cut to the first new tick, and until all that was missed is there.
    first_tick: Histogram = field(default_factory=Histogram)
    live_again: Histogram = field(default_factory=Histogram)
    # Connections that we cut, and how all others ended, in the server's words.
    cuts: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    # The sentence with which a server refused a client for good.
    final: str | None = None


@dataclass
class Result:
    """What came to some clients while they were measured."""

    # Seconds that it took.
    seconds: float = 0.0
    clients: int = 0
    # Clients that were connected at the end, and those whose return after a cut was not complete.
    connected: int = 0
    unrecovered: int = 0
    # Cores that the clients' own processes took, the busiest one's share, and how many there were.
    cpu: float = 0.0
    busiest: float = 0.0
    processes: int = 0
    # Of the stretch that was measured.
    counts: Counts = field(default_factory=Counts)
    traffic: Traffic = field(default_factory=Traffic)
    # Of the whole run, its beginning and the returns after its end included: whether anything was lost, ever.
    total: Counts = field(default_factory=Counts)
    cuts: int = 0
    early: int = 0
    ages: list[int] = field(default_factory=list)
    first_tick: list[int] = field(default_factory=list)
    live_again: list[int] = field(default_factory=list)
    endings: dict[str, int] = field(default_factory=dict)
    final: str | None = None

    def __add__(self, other: Self) -> Self:
        """Return what came to these clients and those, who were measured at the same time."""
        sums = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in dataclasses.fields(self)
            if each.type in ("int", "float", "Counts", "Traffic")
        }
        for name in ("ages", "first_tick", "live_again"):
            histogram = Histogram(getattr(self, name))
            histogram.merge(Histogram(getattr(other, name)))
            sums[name] = histogram.counts()
        sums["seconds"] = max(self.seconds, other.seconds)
        sums["busiest"] = max(self.busiest, other.busiest)
        sums["endings"] = dict(Counter(self.endings) + Counter(other.endings))
        sums["final"] = self.final or other.final
        return type(self)(**sums)
