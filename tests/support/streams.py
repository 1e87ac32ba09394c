"""A client of ``/v1/stream`` that shows the lines as they stood on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.support.live import Live


class Event(NamedTuple):
    """One event as it stood on the wire."""

    lines: list[str]

    @property
    def name(self) -> str:
        """Its type."""
        return self.field("event")

    @property
    def id(self) -> str:
        """Its id, empty where it has none."""
        return self.field("id")

    @property
    def data(self) -> Any:
        """Its data."""
        return json.loads(self.field("data"))

    def field(self, name: str) -> str:
        """Return the value of a line."""
        return next((line.partition(": ")[2] for line in self.lines if line.startswith(f"{name}: ")), "")


class Reader:
    """The events of one stream, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        """Return the next block of lines."""
        lines: list[str] = []
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line == "":
                    return Event(lines)
                lines.append(line)
        raise EOFError

    async def event(self, name: str) -> Event:
        """Return the next event of a type; all before it are dropped."""
        while (event := await self.next()).name != name:
            pass
        return event

    async def rest(self) -> list[Event]:
        """Return all events up to the end."""
        events = []
        try:
            while True:
                events.append(await self.next())
        except EOFError:
            return events


@asynccontextmanager
async def streaming(server: Live, query: str = "", **headers: str) -> AsyncIterator[Reader]:
    """Open a stream."""
    url = f"{server.url}/v1/stream?{query}"
    async with httpx.AsyncClient() as client, client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        yield Reader(answer)
