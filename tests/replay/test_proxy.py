"""The proxy of the tests does what it says: a network that never cuts would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.proxy import Block, Cut, Direction, How, Proxy, proxy

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]

REQUEST = b"GET /v1/%s?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def echo(cut: Cut | None = None) -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect through a proxy to a server that sends back what it gets, and ``over`` at the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
            writer.write(b"over")
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, proxy(server.sockets[0].getsockname()[1], lambda: cut) as between:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        try:
            yield between, reader, writer
        finally:
            writer.close()


async def read_all(reader: asyncio.StreamReader) -> tuple[bytes, How]:
    """Return what comes, and how it ends."""
    data = b""
    async with asyncio.timeout(5):
        try:
            while piece := await reader.read(1):
                data += piece
        except ConnectionError:
            return data, "rst"
    return data, "fin"


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", [1, 5, 9])
async def test_a_cut_lets_so_many_bytes_through(direction: Direction, at: int) -> None:
    async with echo(Cut(direction, at, "fin")) as (between, reader, writer):
        writer.write(b"123456789")

        data, how = await read_all(reader)
        assert data == (b"123456789"[:at] if direction == "down" else b"")
        assert (how, between.cut) == ("fin", 1)


async def test_a_reset_is_seen_as_one() -> None:
    async with echo() as (between, reader, writer):
        writer.write(b"12")
        assert await reader.readexactly(2) == b"12"
        between.cut_all("rst")

        assert await read_all(reader) == (b"", "rst")


async def test_what_was_frozen_comes_after_the_thaw() -> None:
    async with echo() as (between, reader, writer):
        between.freeze()
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        between.thaw()

        assert await reader.readexactly(4) == b"late"


async def test_a_rate_bounds_the_bytes_of_a_second() -> None:
    async with echo() as (between, reader, writer):
        between.rate = 20_000
        start = asyncio.get_running_loop().time()
        writer.write(bytes(4000))
        await reader.readexactly(4000)

        # Up and down at the same time, but for the first piece.
        assert asyncio.get_running_loop().time() - start >= 0.2


async def test_one_half_is_closed_and_the_other_goes_on() -> None:
    async with echo() as (between, reader, writer):
        writer.write(b"first")
        assert await reader.readexactly(5) == b"first"
        between.half_close("up")
        writer.write(b"lost")

        assert await read_all(reader) == (b"over", "fin")


@pytest.mark.parametrize(("how", "expected"), [("cut", (b"", "rst")), ("refuse", (b"HTTP/1.1 403", "fin"))])
async def test_a_blocked_path_does_not_get_through(how: Block, expected: tuple[bytes, How]) -> None:
    async with echo() as (between, reader, writer):
        between.block("/v1/stream", how)
        writer.write(REQUEST % b"poll")
        assert await reader.readuntil(b"\r\n\r\n") == REQUEST % b"poll"
        writer.write(REQUEST % b"stream")

        data, end = await read_all(reader)
        assert (data[:12], end) == expected


async def test_a_request_that_hangs_leaves_others_alone() -> None:
    async with echo() as (between, reader, writer):
        between.block("/v1/ws", "hang")
        writer.write(REQUEST % b"ws")
        other, its_writer = await asyncio.open_connection("127.0.0.1", between.port)
        its_writer.write(REQUEST % b"stream")

        assert await other.readuntil(b"\r\n\r\n") == REQUEST % b"stream"
        between.unblock("/v1/ws")
        its_writer.write(REQUEST % b"ws")
        assert await other.readuntil(b"\r\n\r\n") == REQUEST % b"ws"
        its_writer.close()
        assert not reader._buffer  # type: ignore[attr-defined]
