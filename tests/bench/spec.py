"""What a load client is told and what it tells: plain data, JSON between the two processes."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["sse", "text", "msgpack", "http2"]
"""A protocol; ``text`` is WebSocket text or binary frames with JSON inside."""


class Spec(msgspec.Struct, frozen=True):
    """A load."""

    kind: Kind
    port: int
    # The process whose processor time is measured.
    pid: int
    path: str
    connections: int
    # Streams of each connection; more than one only on HTTP/2.
    streams: int = 1
    # Seconds that are measured, and seconds of rest before.
    seconds: float = 2
    settle: float = 0.5
    # Ticks that one message stands for.
    factor: int = 1
    # The subprotocol of a WebSocket, and what is sent on it first, in hexadecimal.
    protocol: str = ""
    messages: tuple[str, ...] = ()
    # What the first event has in it; empty: the head of the answer is enough.
    greeting: str = ""
    # Of each connection the numbers of its symbols out of ``market`` ones that come by turns; empty: all.
    filters: tuple[tuple[int, ...], ...] = ()
    market: int = 1


class Result(msgspec.Struct, frozen=True):
    """What was measured: all connections together."""

    seconds: float
    # Processor time of the server in nanoseconds.
    cpu: int
    writes: int
    ticks: int
    bytes: int
    # Connections that ended, ticks that are missing or too many between first and last, streams not checked.
    lost: int
    holes: int
    unchecked: int
    # Microseconds from a tick's time to its arrival: quantiles of a sample of the connections.
    p50: int
    p99: int
    worst: int
    # Seconds from the first connection to the last one served.
    served: float
    # Share of its core that the client took: near 1 it is the client that is measured.
    client: float
    # Share of the time in which the server could have run and something else held its core.
    disturbed: float

    @property
    def write_cost(self) -> float:
        """Microseconds of the server's processor time for each write."""
        return self.cpu / 1000 / max(1, self.writes)

    @property
    def tick_cost(self) -> float:
        """Microseconds of the server's processor time for each tick delivered, which is seconds for a million."""
        return self.cpu / 1000 / max(1, self.ticks)

    @property
    def write_bytes(self) -> int:
        """Bytes of a write on the wire."""
        return round(self.bytes / max(1, self.writes))

    @property
    def is_whole(self) -> bool:
        """Whether every connection got every tick."""
        return not (self.lost or self.holes or self.unchecked)


class Return(msgspec.Struct, frozen=True):
    """How a herd came back; times by time.monotonic, processor times of the server in nanoseconds."""

    # When the first client connected, when the first tick came to any, and when the last had what it missed.
    started: float
    first_tick: float
    ended: float
    # From the first connection to the first tick, and from there to the last.
    cpu_before: int
    cpu_after: int
    # Ticks that had come by then, and clients that got each tick after their cursor, once.
    ticks: int
    complete: int

    @property
    def cpu(self) -> int:
        """All processor time from the first connection on."""
        return self.cpu_before + self.cpu_after

    @property
    def seconds(self) -> float:
        """Seconds from the first connection to the last tick that was missed."""
        return self.ended - self.started
