"""Measure what an idle connection takes in the server's memory, beside the peers.

``python -m tests.bench.bench_memory``: 2,000 connections, nothing is published. The kernel's share is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from tests.bench.machine import resident
from tests.bench.report import Options, Report, parse_options, progress
from tests.bench.rounds import Shape, client, peer_spec, ticker_spec
from tests.bench.servers import PEERS, Missing, Server, ticker
from tests.bench.spec import Kind, Spec

CONNECTIONS = 2000
# Connections that come and go before, so that what is made once is there already.
FIRST = 20
# KiB for each connection.
LIMIT = 6
# Seconds until memory has settled.
REST = 3
KINDS: dict[Kind, str] = {"sse": "SSE", "text": "WebSocket"}


def main() -> None:
    """Print a row for each kind of connection."""
    options = parse_options("memory of idle connections", rounds=1, seconds=REST)
    report = Report(f"Memory of {CONNECTIONS:,} idle connections", options)
    for kind, name in KINDS.items():
        title = f"{name}, idle, per connection"
        if options.wants(title):
            with report.row(title):
                progress(f"{title}: ticker")
                with ticker() as server:
                    ours = _connection_size(server, ticker_spec(server, _shape(kind), 0), options)
                report.most(title, ours, LIMIT, _peers(kind, options), " KiB")
    report.finish()


def _shape(kind: Kind) -> Shape:
    return Shape("idle", kind, CONNECTIONS)


def _peers(kind: Kind, options: Options) -> str:
    """Say what the peers take."""
    found = []
    for name in ("floor", *(("picows", "node ws") if kind == "text" else ())):
        progress(f"{KINDS[kind]}, idle: {name}")
        with ExitStack() as stack:
            try:
                server = stack.enter_context(PEERS[name]())
            except Missing as reason:
                found.append(f"{name}: {reason}")
                continue
            size = _connection_size(server, peer_spec(server, _shape(kind), 0, 0), options)
            found.append(f"{name} {size:.1f}")
    return ", ".join(found) + " KiB"


def _connection_size(server: Server, spec: Spec, options: Options) -> float:
    """Return the memory of a connection in KiB."""
    with _held(msgspec.structs.replace(spec, connections=FIRST)):
        time.sleep(0.5)
    time.sleep(0.5)
    before = resident(server.pid)
    with _held(spec):
        time.sleep(options.seconds)
        return (resident(server.pid) - before) / spec.connections / 1024


@contextmanager
def _held(spec: Spec) -> Iterator[None]:
    """Hold connections open for a while."""
    with client("tests.bench.idle", spec) as held:
        assert held.stdout is not None
        if held.stdout.readline() != "ready\n":
            raise RuntimeError("the connections were not all served")
        yield


if __name__ == "__main__":
    main()
