"""Rounds: servers measured in turns with the same load, so that the drift of the machine meets all of them alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from tests.bench.figures import median, ratio
from tests.bench.machine import CLIENT_CORE, on_core
from tests.bench.report import Options, Report, progress
from tests.bench.servers import Field, Server
from tests.bench.spec import Kind, Result, Spec
from tests.support.checkout import ROOT
from ticker.core.wire import MSGPACK, to_json

# Share of its core from which on the client is suspect.
BUSY = 0.9
# Share of the time that the server's core may be someone else's.
DISTURBED = 0.05
# What a client of a WebSocket sends first.
OPS: tuple[dict[str, object], ...] = ({"op": "subscribe", "symbols": ["*"], "id": 1}, {"op": "stream", "id": 2})


class Shape(NamedTuple):
    """A load that every server gets."""

    title: str
    kind: Kind
    connections: int
    streams: int = 1
    # Ticks that a peer's frame stands for.
    batch: int = 1


def ticker_spec(server: Server, shape: Shape, seconds: float) -> Spec:
    """Return the load of ``ticker``."""
    spec = Spec(shape.kind, server.port, server.pid, "/v1/stream", shape.connections, shape.streams, seconds)
    match shape.kind:
        case "sse":
            return msgspec.structs.replace(spec, greeting="event: hello")
        case "http2":
            return spec
    encode = MSGPACK.answer if shape.kind == "msgpack" else to_json
    messages = tuple(bytes(encode(op)).hex() for op in OPS)
    protocol = "ticker.v1.msgpack" if shape.kind == "msgpack" else "ticker.v1.json"
    return msgspec.structs.replace(spec, path="/v1/ws", protocol=protocol, messages=messages, greeting="hello")


def peer_spec(server: Server, shape: Shape, seconds: float, size: int) -> Spec:
    """Return the load of a peer whose writes take ``size`` bytes on the wire each.

    picows and ws speak WebSocket only: there a frame as long as our event stands against it.
    """
    kind, path = shape.kind, "/sse"
    if kind == "msgpack" or (kind == "sse" and server.name != "floor"):
        kind = "text"
    if kind == "text":
        path = f"/ws?binary={int(shape.kind == 'msgpack')}&"
    path = f"{path.rstrip('&')}{'&' if '?' in path else '?'}bytes={size}"
    return Spec(kind, server.port, server.pid, path, shape.connections, shape.streams, seconds, factor=shape.batch)


def run_load(spec: Spec) -> Result:
    """Run a load client on its core and return what it measured.

    Raises:
        RuntimeError: it failed; what it said.
    """
    return msgspec.json.decode(run_program("tests.bench.load", spec), type=Result)


def run_program(module: str, spec: Spec, *arguments: str) -> str:
    """Run a client program on the clients' core and return what it printed.

    Raises:
        RuntimeError: it failed; what it said.
    """
    with on_core(CLIENT_CORE):
        done = subprocess.run(
            _command(module, spec, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr[-2000:]}")
    return done.stdout


def _command(module: str, spec: Spec, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, json.dumps(msgspec.to_builtins(spec)), *arguments]


@contextmanager
def client(module: str, spec: Spec) -> Iterator[subprocess.Popen[str]]:
    """Run a client program on the clients' core; its input ends with the context.

    Raises:
        RuntimeError: it failed.
    """
    with on_core(CLIENT_CORE):
        program = subprocess.Popen(
            _command(module, spec), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    try:
        yield program
        assert program.stdin is not None
        program.stdin.close()
        if program.wait(30):
            raise RuntimeError(f"{module} failed")
    finally:
        program.kill()
        program.wait()
        for pipe in (program.stdin, program.stdout):
            if pipe is not None:
                pipe.close()


def faults(results: list[Result]) -> list[str]:
    """Say what makes results doubtful."""
    found = []
    if not all(result.is_whole for result in results):
        lost, holes, unchecked = (
            sum(getattr(result, name) for result in results) for name in ("lost", "holes", "unchecked")
        )
        found.append(f"{lost} connections lost, {holes:,} ticks missing, {unchecked} streams unchecked")
    busy, disturbed = (max(getattr(result, name) for result in results) for name in ("client", "disturbed"))
    if busy > BUSY:
        found.append(f"the client took {busy:.0%} of its core: it may be what is measured")
    if disturbed > DISTURBED:
        found.append(f"something else held the server's core for {disturbed:.0%} of the time")
    return found


class Rounds:
    """The results of each server, round by round."""

    def __init__(self, field: Field, shape: Shape, options: Options) -> None:
        """Measure every server in every round; peers send as many bytes as ``ticker`` did in the same round."""
        self.shape = shape
        self.results: dict[str, list[Result]] = {server.name: [] for server in field.servers}
        for number in range(options.rounds):
            for server in field.servers:
                progress(f"{shape.title}, round {number + 1} of {options.rounds}: {server.name}")
                with field.turn(server):
                    self.results[server.name].append(run_load(self._spec(server, options.seconds)))

    def _spec(self, server: Server, seconds: float) -> Spec:
        if server.name == "ticker":
            return ticker_spec(server, self.shape, seconds)
        ours = self.results["ticker"][-1]
        size = round(self.shape.batch * ours.bytes / ours.ticks) if self.shape.batch > 1 else ours.write_bytes
        return peer_spec(server, self.shape, seconds, size)

    def cost(self, name: str, field: str = "write_cost") -> float:
        """Return a server's median cost in microseconds."""
        return median(self._costs(name, field))

    def ratio(self, name: str, field: str = "write_cost") -> float:
        """Return how much of a peer's cost ours is: the median of the rounds."""
        return ratio(self._costs("ticker", field), self._costs(name, field))

    def _costs(self, name: str, field: str) -> list[float]:
        return [getattr(result, field) for result in self.results[name]]

    @property
    def ours(self) -> list[Result]:
        """The results of ``ticker``."""
        return self.results["ticker"]

    def describe(self, report: Report) -> None:
        """Print what was sent, and what did not arrive."""
        ours = self.ours[-1]
        others = ", ".join(
            f"{name} {self.results[name][-1].write_bytes:,}" for name in self.results if name != "ticker"
        )
        quotes = ours.ticks / max(1, ours.writes)
        report.note(f"{self.shape.title}: {ours.write_bytes:,} bytes a write ({quotes:.2f} quotes); {others}")
        for name, results in self.results.items():
            for fault in faults(results):
                report.note(f"{name}: {fault}")
