"""Servers: the processes that are measured, on a core of their own, stopped while others have their turn."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, NamedTuple

from tests.bench.machine import SERVER_CORE, on_core, raise_file_limit
from tests.support.checkout import ROOT
from tests.support.process import COMMAND, environment

HERE = Path(__file__).parent


class Server(NamedTuple):
    """A server that runs."""

    name: str
    pid: int
    port: int

    def stop(self) -> None:
        """Let it rest: it takes no processor time, and its connections stay."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        os.kill(self.pid, signal.SIGCONT)


class Missing(Exception):
    """What a peer needs is not on this machine."""


@contextmanager
def ticker(feed: str | None = None, *arguments: str) -> Iterator[Server]:
    """Run ``ticker serve`` for a while, with a metronome (the query of its URL) or without a feed."""
    feeds = ["--no-feed"] if feed is None else ["--feed", f"metronome:?{feed}"]
    with TemporaryDirectory() as folder:
        state = Path(folder)
        _install_metronome(state)
        variables = environment(state, PYTHONPATH=f"{ROOT}{os.pathsep}{state}")
        command = [*COMMAND, *feeds, "--port", "0", *arguments]
        with _process("ticker", command, _greeted_port, variables) as server:
            yield server


def _install_metronome(folder: Path) -> None:
    """Put a distribution with the feed's entry point into a folder, as a third party's package would be installed."""
    info = folder / "ticker_metronome-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ticker-metronome\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ticker.feeds]\nmetronome = tests.bench.metronome:METRONOME\n")


def _greeted_port(output: IO[str]) -> int:
    """Return the port of the first URL in what a server prints when it is ready."""
    port = 0
    for line in output:
        if "page " in line and not port:
            port = int(line.rstrip("/\n").rpartition(":")[2])
        if "Ctrl-C" in line:
            return port
    raise EOFError


def _printed_port(output: IO[str]) -> int:
    line = output.readline()
    if not line:
        raise EOFError
    return int(line)


@contextmanager
def floor() -> Iterator[Server]:
    """Build and run the floor in C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("no C compiler")
    with TemporaryDirectory() as folder:
        program = Path(folder) / "floor"
        subprocess.run([compiler, "-O2", "-o", program, HERE / "floor.c"], check=True)
        with _process("floor", [str(program)], _printed_port) as server:
            yield server


@contextmanager
def picows() -> Iterator[Server]:
    """Run the peer of picows."""
    try:
        import picows  # noqa: F401
    except ImportError:
        raise Missing("picows is not installed") from None
    with _process("picows", [sys.executable, "-m", "tests.bench.picows_peer"], _printed_port) as server:
        yield server


@contextmanager
def node_ws() -> Iterator[Server]:
    """Run the peer of Node and ws."""
    node = shutil.which("node")
    if node is None:
        raise Missing("no Node")
    if not (ROOT / "tests/node_modules/ws").is_dir():
        raise Missing("Node's ws is not installed")
    with _process("node ws", [node, str(HERE / "ws_peer.js")], _printed_port) as server:
        yield server


@contextmanager
def hypercorn() -> Iterator[Server]:
    """Run a plain ASGI app on Hypercorn."""
    with _process("hypercorn", [sys.executable, "-m", "tests.bench.hypercorn_peer"], _printed_port) as server:
        yield server


@contextmanager
def _process(
    name: str, command: list[str], port: Callable[[IO[str]], int], variables: dict[str, str] | None = None
) -> Iterator[Server]:
    raise_file_limit()
    with TemporaryFile("w+") as log:
        with on_core(SERVER_CORE):
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            try:
                server = Server(name, process.pid, port(process.stdout))
            except EOFError:
                log.seek(0)
                raise RuntimeError(f"{name} has ended: {log.read()[-2000:]}") from None
            yield server
        finally:
            process.kill()
            process.communicate()


class Field(NamedTuple):
    """Servers that take turns: one runs, the others are stopped."""

    # ``ticker`` is the first.
    servers: list[Server]
    # Why a peer is not there, by its name.
    missing: dict[str, str]

    @contextmanager
    def turn(self, server: Server) -> Iterator[Server]:
        """Let one server run for a while."""
        server.go_on()
        try:
            yield server
        finally:
            server.stop()


PEERS = {"floor": floor, "picows": picows, "node ws": node_ws, "hypercorn": hypercorn}


@contextmanager
def field(feed: str, names: list[str]) -> Iterator[Field]:
    """Start ``ticker`` with a metronome and the peers that this machine can run, all of them stopped."""
    servers, missing = [], {}
    with ExitStack() as stack:
        servers.append(stack.enter_context(ticker(feed)))
        for name in names:
            try:
                servers.append(stack.enter_context(PEERS[name]()))
            except Missing as reason:
                missing[name] = str(reason)
        for server in servers:
            server.stop()
        yield Field(servers, missing)
