"""The load client: many connections in one process, one epoll loop, and the server's processor time beside.

``python -m tests.bench.load SPEC`` prints a Result; both are JSON. Windows never fill: it reads whatever is there.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.bench.connections import Clock, Connection, EventStream, PackedWebSocket, Tally, WebSocket
from tests.bench.figures import quantile
from tests.bench.http2 import Http2
from tests.bench.machine import cpu_ns, raise_file_limit, waited_ns
from tests.bench.metronome import symbol_name
from tests.bench.spec import Result, Spec

KINDS: dict[str, type[Connection]] = {
    "sse": EventStream,
    "text": WebSocket,
    "msgpack": PackedWebSocket,
    "http2": Http2,
}
# Connections whose latencies are taken, about.
SAMPLE = 32
# Seconds in which all must be served, and in which the last marks must come.
OPENING, CLOSING = 60, 5


class Load:
    """The connections of a load."""

    def __init__(self, spec: Spec, paths: Sequence[str] = ()) -> None:
        """Make connections for ``spec.path``, or for one path each."""
        self.spec = spec
        self._paths = paths or [spec.path] * spec.connections
        self.clock = Clock()
        self.lost = 0
        self._epoll = select.epoll()
        self._buffer = bytearray(1 << 20)
        self.connections = [self._make(index) for index in range(spec.connections)]
        self._open = {each.socket.fileno(): each for each in self.connections}

    def _make(self, index: int) -> Connection:
        spec = self.spec
        is_sampled = index % max(1, spec.connections // SAMPLE) == 0
        return KINDS[spec.kind](spec, self._paths[index], self.clock, is_sampled)

    @property
    def tallies(self) -> list[Tally]:
        """The tallies of all streams."""
        return [tally for connection in self.connections for tally in connection.tallies]

    def connect(self) -> None:
        """Begin to open every connection, all at once."""
        for connection in self.connections:
            connection.socket.connect_ex(("127.0.0.1", self.spec.port))
            self._epoll.register(connection.socket, select.EPOLLOUT)

    def poll(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Take what comes for so long, or until a check holds; return whether it does."""
        deadline = time.monotonic() + seconds
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for fd, mask in self._epoll.poll(min(left, 0.05)):
                self._serve(fd, mask)
        return True

    def _serve(self, fd: int, mask: int) -> None:
        connection = self._open[fd]
        try:
            if mask & select.EPOLLOUT:
                connection.send(connection.request())
                self._epoll.modify(fd, select.EPOLLIN)
                return
            size = connection.socket.recv_into(self._buffer)
            if size:
                connection.take(self._buffer, size)
                return
        except BlockingIOError:
            return
        except OSError as error:
            print(f"lost: {error!r}", file=sys.stderr)
        self._lose(fd)

    def _lose(self, fd: int) -> None:
        self.lost += 1
        self._epoll.unregister(fd)
        self._open.pop(fd).socket.close()

    def is_served(self) -> bool:
        """Whether every connection has had its first event."""
        return all(connection.served is not None for connection in self._open.values())

    def flows(self) -> bool:
        """Whether every stream has had a tick."""
        return self.is_served() and all(tally.messages for tally in self.tallies)

    def mark(self) -> None:
        """Have every stream note its place with the next message."""
        self.clock.marks += 1

    def is_marked(self) -> bool:
        """Whether every stream has noted its place."""
        return all(tally.is_marked for tally in self.tallies)

    def totals(self) -> tuple[int, int, int]:
        """Return the writes, messages and bytes that have come."""
        tallies = self.tallies
        return (
            sum(tally.writes for tally in tallies),
            sum(tally.messages for tally in tallies),
            sum(tally.bytes for tally in tallies),
        )

    def close(self) -> None:
        """Close all, with a reset: thousands of closed ports would wait for a minute each."""
        for connection in self._open.values():
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.socket.close()


def measure(spec: Spec) -> Result:
    """Open the connections, wait until ticks flow on all, and measure for a while."""
    load = Load(spec, [f"{spec.path}?symbols={','.join(map(symbol_name, wanted))}" for wanted in spec.filters])
    started = time.monotonic()
    load.connect()
    if not load.poll(OPENING, load.flows):
        raise TimeoutError(f"not all were served within {OPENING} s")
    load.poll(spec.settle)
    load.mark()
    load.clock.latencies = []
    before, began, own = load.totals(), time.monotonic(), time.process_time()
    cpu, waited = cpu_ns(spec.pid), waited_ns(spec.pid)
    load.poll(spec.seconds)
    cpu, waited, seconds = cpu_ns(spec.pid) - cpu, waited_ns(spec.pid) - waited, time.monotonic() - began
    own = time.process_time() - own
    writes, messages, size = (now - then for now, then in zip(load.totals(), before, strict=True))
    latencies, load.clock.latencies = sorted(load.clock.latencies), None
    load.mark()
    load.poll(CLOSING, load.is_marked)
    load.close()
    holes = [_holes(spec, tally, index) for index, tally in enumerate(load.tallies) if len(tally.marks) == 2]
    served = max((each.served for each in load.connections if each.served is not None), default=started) - started
    return Result(
        seconds=seconds,
        cpu=cpu,
        writes=writes,
        ticks=messages * spec.factor,
        bytes=size,
        lost=load.lost,
        holes=sum(holes),
        unchecked=len(load.tallies) - len(holes),
        p50=quantile(latencies, 0.5),
        p99=quantile(latencies, 0.99),
        worst=quantile(latencies, 1),
        served=served,
        client=own / seconds,
        disturbed=waited / 1e9 / seconds,
    )


def _holes(spec: Spec, tally: Tally, index: int) -> int:
    """Return how many messages are missing, or too many, between a stream's two marks."""
    (first, before), (last, after) = tally.marks
    wanted = spec.filters[index] if spec.filters else range(spec.market)
    return abs(expected(first, last, wanted, spec.market) - (after - before))


def expected(first: int, last: int, wanted: Sequence[int], market: int) -> int:
    """Return how many ticks of some symbols lie after one seq up to another, where symbols come by turns.

    >>> expected(0, 10, [0, 3], 4)
    5
    """
    return sum((last - 1 - symbol) // market - (first - 1 - symbol) // market for symbol in wanted)


def main() -> None:
    """Measure what is asked for and print it."""
    raise_file_limit()
    print(json.dumps(msgspec.to_builtins(measure(msgspec.json.decode(sys.argv[1], type=Spec)))))


if __name__ == "__main__":
    main()
