"""Hundreds of clients that come back at once, in a process of their own, and what a bystander feels of it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.checkout import ROOT
from tests.support.live import numbered
from tests.support.process import server_process
from ticker.core.wire import to_json

# Ticks that a client has missed.
MISSED = 1000

_NUMBER = re.compile(rb'"(?:bid_size|size)":(\d+)')


class Return(NamedTuple):
    """How a herd came back; times in seconds."""

    # Clients that got each tick that they had missed, once and in order.
    complete: int
    # From the first connection to the last client's last tick.
    seconds: float
    # The longest time between two events of the bystander, before the herd came and while it was served.
    undisturbed: float
    disturbed: float


async def measure(state: Path, clients: int) -> Return:
    """Serve a market of 1,000 ticks a second, let a herd come back, and watch one stream meanwhile."""
    with server_process(state) as server:
        server.publish_numbered(MISSED)
        epoch = await _epoch(server.port)
        server.publish_numbered(MISSED, MISSED + 1)
        pauses = _Pauses()
        tasks = [asyncio.create_task(job) for job in (_publish(server.port), pauses.watch(server.port))]
        herd = await _start_herd(server.port, epoch, clients)
        try:
            await asyncio.sleep(2)
            undisturbed = pauses.take()
            complete, seconds = await _let_go(herd)
            return Return(complete, seconds, undisturbed, pauses.take())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Pauses:
    """A stream whose longest pause is watched."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._last = time.monotonic()

    async def watch(self, port: int) -> None:
        """Read a stream for ever."""
        reader, writer = await _ask(port, "/v1/stream?batch=1")
        try:
            while await reader.read(1 << 20):
                now = time.monotonic()
                self._longest, self._last = max(self._longest, now - self._last), now
            raise EOFError("the bystander was cut")
        finally:
            writer.close()

    def take(self) -> float:
        """Return the longest pause since the last call, one that lasts included."""
        longest = max(self._longest, time.monotonic() - self._last)
        self._longest = 0.0
        return longest


async def _ask(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return reader, writer


async def _epoch(port: int) -> str:
    reader, writer = await _ask(port, "/v1/poll")
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    answer = json.loads(await reader.readexactly(size))
    writer.close()
    return str(answer["cursor"]).partition("-")[0]


async def _publish(port: int) -> None:
    """Publish ten ticks every ten milliseconds, over one connection."""
    body = to_json([numbered(number, 1_000_000) for number in range(10)])
    head = "POST /v1/ticks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await reader.readuntil(b"}")
            await asyncio.sleep(0.01)
    finally:
        writer.close()


async def _start_herd(port: int, epoch: str, clients: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.support.herd", str(port), epoch, str(clients)]
    pipe = asyncio.subprocess.PIPE
    herd = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert herd.stdout is not None
    assert await herd.stdout.readline() == b"ready\n"
    return herd


async def _let_go(herd: asyncio.subprocess.Process) -> tuple[int, float]:
    async with asyncio.timeout(60):
        answer, _ = await herd.communicate(b"go\n")
    complete, seconds = json.loads(answer)
    return int(complete), float(seconds)


async def _come_back(port: int, epoch: str, index: int) -> bool:
    """Resume 1,000 ticks back, and a few more so that not all read the same; return whether all came."""
    first = MISSED - index % 10
    query = f"cursor={epoch}-{first}&batch={index % 2}"
    reader, writer = await _ask(port, f"/v1/stream?{query}")
    # Only looked for as bytes while others are served: parsing would take this machine's time from the server.
    pieces, tail, last = [], b"", f'"cursor":"{epoch}-{2 * MISSED}"'.encode()
    try:
        while last not in tail:
            piece = await reader.read(1 << 20)
            if not piece:
                return False
            pieces.append(piece)
            tail = tail[-len(last) :] + piece
    finally:
        writer.close()
    numbers = [int(text) for text in _NUMBER.findall(_unchunk(b"".join(pieces)))]
    return numbers[: 2 * MISSED - first] == list(range(first + 1, 2 * MISSED + 1))


def _unchunk(answer: bytes) -> bytes:
    """Return the body of a chunked answer, its last chunk perhaps not whole."""
    rest = answer.partition(b"\r\n\r\n")[2]
    body = []
    with suppress(ValueError):
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
    return b"".join(body)


async def _herd(port: int, epoch: str, clients: int) -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started = time.monotonic()
    async with asyncio.timeout(50):
        done = await asyncio.gather(*(_come_back(port, epoch, index) for index in range(clients)))
    print(json.dumps([sum(done), time.monotonic() - started]))


if __name__ == "__main__":
    asyncio.run(_herd(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
