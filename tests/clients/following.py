"""Clients that exist, each made to follow a market and to come back after every cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from httpx_sse import aconnect_sse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.serving import eventually

HERE = Path(__file__).parent


class Told(NamedTuple):
    """An event as a client hands it to its user."""

    name: str
    data: dict[str, Any]


Follow = Callable[[str], AsyncIterator[Told]]
"""Follows a market for ever, given the server's ``host:port`` with the session's query."""


async def npm_eventsource(target: str) -> AsyncIterator[Told]:
    """Follow with npm's eventsource."""
    async for told in _node("eventsource.js", f"http://{_stream(target)}"):
        yield told


async def npm_ws(target: str) -> AsyncIterator[Told]:
    """Follow with npm's ws."""
    async for told in _node("ws.js", f"ws://{_socket(target)}"):
        yield told


async def httpx_sse(target: str) -> AsyncIterator[Told]:
    """Follow with httpx-sse, as its README shows how to resume."""
    headers, wait, retry = {"Accept": "text/event-stream"}, 0.05, 0
    async with httpx.AsyncClient(timeout=30) as http:
        while True:
            with suppress(httpx.TransportError):
                async with aconnect_sse(http, "GET", f"http://{_stream(target)}", headers=headers) as source:
                    async for event in source.aiter_sse():
                        # A bare `retry:` line arrives as an event without data.
                        if event.data:
                            yield Told(event.event, json.loads(event.data))
                        if event.id:
                            headers["Last-Event-ID"] = event.id
                        retry = event.retry or retry
                        wait = retry / 1000 if event.event == "refused" else 0.05
            await asyncio.sleep(wait)


async def websockets(target: str) -> AsyncIterator[Told]:
    """Follow with the library websockets."""
    cursor, wait = None, 0.05
    while True:
        with suppress(ConnectionClosed, InvalidHandshake, OSError):
            async with connect(f"ws://{_socket(target)}") as socket:
                await socket.send(json.dumps({"op": "stream", "cursor": cursor}))
                async for text in socket:
                    data = json.loads(text)
                    name = data.pop("type")
                    yield Told(name, data)
                    if name == "error":
                        wait = data["retry_after"]
                        break
                    if name != "ack" and not data.get("follows"):
                        cursor, wait = data.get("cursor", cursor), 0.05
        await asyncio.sleep(wait)


def _stream(target: str) -> str:
    address, _, query = target.partition("?")
    return f"{address}/v1/stream?{query}"


def _socket(target: str) -> str:
    address, _, query = target.partition("?")
    return f"{address}/v1/ws?{query}&symbols=*"


async def _node(script: str, url: str) -> AsyncIterator[Told]:
    process = await asyncio.create_subprocess_exec("node", HERE / script, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        # A snapshot of five symbols is the longest line.
        async for line in process.stdout:
            yield Told(**json.loads(line))
        raise AssertionError(f"{script} has ended with code {await process.wait()}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


class Followed:
    """What a client has told so far."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def all(self, name: str) -> list[dict[str, Any]]:
        """Return the data of the events of a name."""
        return [told.data for told in self.told if told.name == name]

    def numbers(self) -> list[int]:
        """Return the numbers of the ticks, in order."""
        ticks = [told.data for told in self.told if told.name in ("quote", "trade")]
        return [tick.get("bid_size") or tick["size"] for tick in ticks]

    async def until(self, check: Callable[[], object]) -> None:
        """Wait until a check of what was told holds."""
        await eventually(check, seconds=15)

    async def take_all(self, events: AsyncIterator[Told]) -> None:
        """Write down all events."""
        async for told in events:
            self.told.append(told)


@asynccontextmanager
async def following(follow: Follow, target: str) -> AsyncIterator[Followed]:
    """Run a client for a while; begins when it has its first place to resume from."""
    followed = Followed()
    async with aclosing(follow(target)) as events:  # type: ignore[type-var]
        task = asyncio.create_task(followed.take_all(events), name="client")
        try:
            await followed.until(lambda: followed.all("snapshot") or task.done())
            yield followed
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
