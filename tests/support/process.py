"""``ticker serve`` as a process of its own, told and asked over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import httpx

from tests.support.checkout import ROOT
from tests.support.live import numbered
from ticker.core.tick import Tick
from ticker.core.wire import to_json

COMMAND = (sys.executable, "-m", "ticker", "serve")
# Seconds in which a process must have started, and ended.
LIMIT = 20


def environment(state: Path, **variables: str) -> dict[str, str]:
    """Return this process's environment without the settings that a developer may have in it."""
    inherited = {name: value for name, value in os.environ.items() if name != "PORT" and not name.startswith("TICKER_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(state), **variables}


class ServerProcess:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self._process, self._log = process, log
        # What it printed when it was ready.
        self.greeting = list(self._greeting())
        self.urls = [line.split()[1].rstrip("/") for line in self.greeting if "page " in line]

    def _greeting(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")
            if "Ctrl-C" in line:
                return
        raise AssertionError(f"the server has ended: {self.log()}")

    @property
    def port(self) -> int:
        """The port without TLS."""
        return int(self.urls[0].rpartition(":")[2])

    def log(self) -> str:
        """Return what it has logged."""
        self._log.seek(0)
        return self._log.read()

    def publish_numbered(self, count: int, first: int = 1) -> None:
        """Publish ``count`` ticks; each bears its number, counted on from ``first``, as its size."""
        self.publish([numbered(number, 1_000_000) for number in range(first, first + count)])

    def publish(self, ticks: Sequence[Tick]) -> None:
        """Publish ticks."""
        self._ask("POST", "/v1/ticks", to_json(ticks))

    def session(self, session: str, **command: object) -> Any:
        """Do an op to a session."""
        return self._ask("PATCH", f"/v1/sessions/{session}", json.dumps(command).encode())

    def subscription(self, session: str) -> list[str]:
        """Return the names that a session has subscribed, sorted."""
        answer = httpx.get(f"{self.urls[0]}/v1/sessions/{session}")

        assert answer.status_code == 200, answer.text
        return sorted(answer.json()["symbols"])

    def _ask(self, method: str, path: str, body: bytes) -> Any:
        answer = httpx.request(method, self.urls[0] + path, content=body, headers={"Content-Type": "application/json"})

        assert answer.status_code == 200, answer.text
        return answer.json()

    def connections(self, url: str) -> int:
        """Count the TCP connections that are established on the port of one of its URLs."""
        local = f"0100007F:{int(url.rpartition(':')[2]):04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1] == local and row[3] == "01" for row in rows)

    def logged(self, event: str, **facts: str) -> int:
        """Count the log lines of an event with these facts."""
        return sum(facts.items() <= line.items() for line in self.lines(event))

    def lines(self, event: str) -> list[dict[str, str]]:
        """Return the facts of each log line of an event."""
        lines = [line for line in self.log().splitlines() if re.search(rf"\b{event}\b", line)]
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def clients(self, transport: str) -> int:
        """Return how many connections of a transport are open, by the server's own metrics."""
        text = httpx.get(f"{self.urls[0]}/metrics").text
        match = re.search(rf'^ticker_clients{{transport="{transport}"}} (\d+)', text, re.MULTILINE)

        assert match, text
        return int(match[1])

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(signum)

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        return self._process.wait(LIMIT)


@contextmanager
def server_process(state: Path, *arguments: str, **variables: str) -> Iterator[ServerProcess]:
    """Run ``ticker serve`` on free ports for a while, without a feed: its market is what the test publishes.

    Args:
        state: the user's state folder, where the development certificate goes.
        arguments: more options; a later one wins, and ``--feed`` gives it one.
        variables: more of the environment.
    """
    feed = () if "--feed" in arguments else ("--no-feed",)
    options = (*feed, "--port", "0", "--tls-port", "0", *arguments)
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*COMMAND, *options], env=environment(state, **variables), stdout=subprocess.PIPE, stderr=log, text=True
        )
        server = None
        try:
            server = ServerProcess(process, log)
            yield server
        finally:
            if process.poll() is None and server is not None:
                assert server.stop() == 0, server.log()
            process.kill()
            process.communicate()
