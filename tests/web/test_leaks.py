"""What is left of clients that were cut: nothing."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable

import pytest
from wsproto.events import TextMessage

from tests.support.fake_clock import FakeClock
from tests.support.live import Live, live
from tests.support.raw_http2 import RawHttp2
from tests.support.serving import eventually
from tests.support.websocket import UPGRADE, frames

# Connections that are open at a time, and streams of one HTTP/2 connection.
AT_ONCE, STREAMS = 50, 10

# Tells the sessions of polls apart: nothing arrives that would say that one is being served.
numbers = itertools.count()

STREAM = frames(TextMessage('{"op":"stream"}'))

Visit = Callable[[Live], Awaitable[None]]
"""Connects a client, sees it served, and cuts it."""


async def visit_http1(server: Live) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /v1/stream?symbols=A* HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"event: snapshot")
    writer.transport.abort()


async def visit_http2(server: Live) -> None:
    """Open ten streams; take half of them back, and cut the connection under the others."""
    client = await RawHttp2.connect(server.port)
    streams = [client.request("/v1/stream?symbols=A*&batch=1") for _ in range(STREAMS)]
    await client.until(lambda: all(b"event: snapshot" in client.data[stream] for stream in streams))
    for stream in streams[::2]:
        client.reset(stream)
    client.writer.transport.abort()


async def visit_websocket(server: Live) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(UPGRADE.replace(b"/ws", b"/v1/ws?symbols=A*") + b"\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(STREAM)
    await reader.readuntil(b'"type":"snapshot"')
    writer.transport.abort()


async def visit_poll(server: Live) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    session = f"session-of-poll-{next(numbers)}"
    path = f"/v1/poll?symbols=A*&cursor=latest&session={session}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await eventually(lambda: server.node.sessions.get(session, "127.0.0.1"), seconds=10)
    writer.transport.abort()


def kept(server: Live) -> tuple[int, ...]:
    """Return the numbers of tasks, open files (a transport is one), views, members, sockets and clients."""
    node = server.node
    files = len(os.listdir("/proc/self/fd"))
    counted = len(node.tape.views), len(node.fanout), len(node.sockets), sum(node.clients.values())
    return (len(asyncio.all_tasks()), files, *counted)


@pytest.mark.parametrize(
    ("visit", "visits"),
    [(visit_http1, 2000), (visit_http2, 2000 // STREAMS), (visit_websocket, 2000), (visit_poll, 2000)],
)
async def test_two_thousand_connects_and_cuts_leave_nothing(visit: Visit, visits: int) -> None:
    clock = FakeClock()
    async with live(clock=clock) as server:
        await server.publish_numbered(20)
        before = kept(server)

        for _ in range(visits // AT_ONCE):
            await asyncio.gather(*(visit(server) for _ in range(AT_ONCE)))

        await eventually(lambda: kept(server) <= before and server.node.sessions.statistics()["idle"] == 2000, 10)
        assert kept(server) == before
        clock.now += 119_000_000
        server.node.sessions.expire(clock())
        assert len(server.node.sessions) == 2000
        clock.now += 1_000_000
        server.node.sessions.expire(clock())
        assert len(server.node.sessions) == 0


@pytest.mark.parametrize("visit", [visit_http1, visit_http2, visit_websocket, visit_poll])
async def test_who_leaves_is_noticed_within_a_second(visit: Visit) -> None:
    async with live() as server:
        await server.publish_numbered(20)
        await visit(server)

        await eventually(lambda: len(server.node.fanout) == 0 and not any(server.node.clients.values()), seconds=1)
        assert not server.node.sockets
