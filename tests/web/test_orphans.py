"""Quart apps on a real server whose clients come and go: nothing is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from quart import Quart, Response, request, websocket

from tests.support.raw_http2 import CONNECT, RawHttp2
from tests.support.serving import eventually, on_both_loops, run_on, serving
from tests.support.websocket import WebSocketClient
from ticker.web import orphans

ROUNDS, AT_ONCE = 10, 50


class Streams:
    """A Quart app with an endless stream and an endless WebSocket; counts what runs."""

    def __init__(self) -> None:
        self.app = Quart(__name__)
        self.app.asgi_http_class = orphans.HTTPConnection
        self.app.asgi_websocket_class = orphans.WebSocketConnection
        self.app.add_url_rule("/stream", view_func=self.stream)
        self.app.add_url_rule("/body", view_func=self.body, methods=["POST"])
        self.app.add_url_rule("/broken", view_func=self.broken)
        self.app.add_websocket("/ws", view_func=self.listen)
        self.running = 0

    async def stream(self) -> Response:
        response = Response(self.generate(), content_type="text/event-stream")
        response.timeout = None
        return response

    async def generate(self) -> AsyncIterator[bytes]:
        self.running += 1
        try:
            yield b":\n"
            await asyncio.Event().wait()
        finally:
            self.running -= 1

    async def body(self) -> str:
        return str(len(await request.get_data()))

    async def broken(self) -> Response:
        async def fail() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("no more")

        return Response(fail())

    async def listen(self) -> None:
        await websocket.accept()
        self.running += 1
        try:
            await websocket.send("here")
            await asyncio.Event().wait()
        finally:
            self.running -= 1


async def cut_http1(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b":\n")
    writer.transport.abort()


async def cut_http2(port: int) -> None:
    client = await RawHttp2.connect(port)
    stream = client.request("/stream")
    await client.until(lambda: client.data[stream])
    client.writer.transport.abort()


async def cut_websocket(port: int) -> None:
    client = await WebSocketClient.connect(port)
    await client.read()
    client.writer.transport.abort()


async def cut_websocket_over_http2(port: int) -> None:
    client = await RawHttp2.connect(port)
    stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
    await client.until(lambda: client.data[stream])
    client.writer.transport.abort()


@pytest.mark.parametrize("cut", [cut_http1, cut_http2, cut_websocket, cut_websocket_over_http2])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_five_hundred_connects_and_cuts_leave_nothing(loop: str, cut: Callable[[int], Awaitable[None]]) -> None:
    async def check() -> None:
        streams = Streams()
        async with serving(streams.app) as served:
            before = len(asyncio.all_tasks())
            for _ in range(ROUNDS):
                await asyncio.gather(*(cut(served.port) for _ in range(AT_ONCE)))
            await eventually(lambda: streams.running == 0, seconds=1)
            await eventually(lambda: len(asyncio.all_tasks()) <= before)

    run_on(loop, check)


@on_both_loops
async def test_streams_that_are_reset_end_within_a_second() -> None:
    streams = Streams()
    async with serving(streams.app) as served:
        client = await RawHttp2.connect(served.port)
        before = len(asyncio.all_tasks())
        for _ in range(10):
            opened = [client.request("/stream") for _ in range(50)]
            await client.until(partial(client.has_data_of, opened))
            for stream in opened:
                client.reset(stream)
            await eventually(lambda: streams.running == 0, seconds=1)
        await client.round_trip()
        await eventually(lambda: len(asyncio.all_tasks()) == before)
        await client.close()


@on_both_loops
async def test_streams_that_are_reset_before_they_began_leave_nothing() -> None:
    streams = Streams()
    async with serving(streams.app) as served:
        before = len(asyncio.all_tasks())
        client = await RawHttp2.connect(served.port)
        for _ in range(150):
            client.reset(client.request("/stream"))
        await client.round_trip()
        client.writer.transport.abort()
        await eventually(lambda: len(asyncio.all_tasks()) == before)

        assert streams.running == 0


@on_both_loops
async def test_tasks_of_a_cancelled_request_are_cancelled() -> None:
    streams = Streams()
    connection = orphans.HTTPConnection(streams.app, http_scope("/stream"))
    before = len(asyncio.all_tasks())
    task = asyncio.create_task(connection(never, ignore))
    await eventually(lambda: streams.running == 1)
    task.cancel()
    await asyncio.wait([task])

    assert (task.cancelled(), streams.running, len(asyncio.all_tasks())) == (True, 0, before)


async def never() -> None:
    """Receive nothing."""
    await asyncio.Event().wait()


async def ignore(event: object) -> None:
    """Send to nobody."""


def http_scope(path: str) -> Any:
    """Return the ASGI scope of a GET."""
    fixed = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "query_string": b""}
    return {**fixed, "path": path, "root_path": "", "headers": [(b"host", b"localhost")], "client": None}


@on_both_loops
async def test_an_answer_that_fails_is_logged_and_cut() -> None:
    async with serving(Streams().app) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        writer.close()
        complaints, served.complaints[:] = served.complaints[:], []

        assert answer.endswith(b"4\r\nhalf\r\n")
        assert ["no more" in line for line in complaints] == [True]
