"""Connections of HTTP/1.1 that were taken over, on real sockets: both loops, with TLS and without."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from tests.support.serving import LOOPS, Serving, eventually, on_both_loops, run_on, serving, trusting
from tests.support.taking import SMALL, Keeper, Pump, Receive, Send, Taking, answer, live_and_die, small_buffers
from tests.support.websocket import UPGRADE
from ticker.lane import http1

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

# Pieces of all lengths, 2 MB in all, in which no two stretches are alike.
PIECES = [number.to_bytes(4) * (number * 37 % 2500 + 1) for number in range(400)]

Test = Callable[[ssl.SSLContext | None], Coroutine[Any, Any, None]]


def everywhere(test: Test) -> Callable[[str, bool], None]:
    """Make four tests of one: on each loop, with TLS (it is given the client's context) and without."""

    @pytest.mark.parametrize("loop", LOOPS)
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def run(loop: str, tls: bool) -> None:
        run_on(loop, partial(test, _http1_only() if tls else None))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def _http1_only() -> ssl.SSLContext:
    context = trusting()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Client:
    """A raw client; it reads only when it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, served: Serving, tls: ssl.SSLContext | None, request: bytes = GET) -> Client:
        """Send a request."""
        end = socket.create_connection(("127.0.0.1", served.tls_port if tls else served.port))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        end.setblocking(False)
        client = cls(*await asyncio.open_connection(sock=end, ssl=tls, server_hostname="localhost" if tls else None))
        client.writer.write(request)
        return client

    async def head(self) -> bytes:
        """Read the head of the answer."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read(self, count: int = -1) -> bytes:
        """Read so many bytes, or all up to the end."""
        async with asyncio.timeout(20):
            return await (self.reader.read() if count < 0 else self.reader.readexactly(count))

    def abort(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()


# What the peer sends


@everywhere
async def test_bytes_go_in_both_directions(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        client = await Client.connect(served, tls)
        user = await taking.user()
        head = await client.head()
        client.writer.write(b"ping")
        await eventually(lambda: user.data)
        user.wire.write(b"pong")
        pong = await client.read(4)
        client.abort()
        await eventually(lambda: "lost" in user.told)

        assert head.startswith(b"HTTP/1.1 200")
        assert (bytes(user.data), pong) == (b"ping", b"pong")


@everywhere
async def test_what_came_before_the_take_over_is_received_first(tls: ssl.SSLContext | None) -> None:
    sent = b"".join(PIECES[:200])
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        taking.go.clear()
        client = await Client.connect(served, tls, UPGRADE + b"\r\n")
        await client.head()
        client.writer.write(sent[:100_000])
        # It keeps what it has read, and leaves the rest where it is.
        await eventually(lambda: client.writer.transport.get_write_buffer_size() == 0)
        taking.go.set()
        user = await taking.user()
        client.writer.write(sent[100_000:])
        await eventually(lambda: len(user.data) >= len(sent))
        client.abort()

        assert bytes(user.data) == sent


@everywhere
async def test_what_came_behind_the_request_is_received(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        taking.go.clear()
        client = await Client.connect(served, tls)
        await client.head()
        for piece in (b"one", b"two", b"three"):
            client.writer.write(piece)
        await eventually(lambda: taking.waiting)
        taking.go.set()
        user = await taking.user()
        client.writer.write(b"four")
        await eventually(lambda: user.data.endswith(b"four"))
        client.abort()

        assert bytes(user.data) == b"onetwothreefour"


@everywhere
async def test_a_peer_that_is_not_read_from_is_stopped(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    with small_buffers():
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            await client.head()
            user.wire.pause_reading()
            for piece in PIECES:
                client.writer.write(piece)
            drained = asyncio.create_task(client.writer.drain())
            for _ in range(3):
                # The other's turn comes in between.
                user.wire.write(b"tick")
                await client.read(4)
            # A TLS client's own buffers take all this in.
            held, is_stopped = len(user.data), tls is not None or not drained.done()
            user.wire.resume_reading()
            await drained
            await eventually(lambda: len(user.data) == sum(map(len, PIECES)))
            client.abort()

            assert (held, is_stopped) == (0, True)
            assert bytes(user.data) == b"".join(PIECES)


# What is written


@everywhere
async def test_all_bytes_reach_a_slow_reader_in_order(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Pump)
    with small_buffers():
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            user.pour(PIECES)
            left, was_ready = len(user.pieces), user.wire.ready
            await client.head()
            got = await client.read(sum(map(len, PIECES)))
            await eventually(lambda: user.wire.ready)
            client.abort()
            await eventually(lambda: "lost" in user.told)

            assert (left > 100, was_ready) == (True, False)
            assert got == b"".join(PIECES)
            # Each time that it got full it was told so, and once when it was not any more.
            turns = [each for each in user.told if each not in ("finished", "lost")]
            assert turns == ["full", "writable"] * (len(turns) // 2)
            assert len(turns) >= 4


@everywhere
async def test_what_is_written_to_a_full_wire_waits_behind_the_rest(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    with small_buffers():
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            for piece in PIECES:
                user.wire.write(piece)
            was_ready = user.wire.ready
            await client.head()
            got = await client.read(sum(map(len, PIECES)))
            await eventually(lambda: user.wire.ready)
            client.abort()

            assert (got, was_ready) == (b"".join(PIECES), False)
            assert user.told[:2] == ["full", "writable"]


@everywhere
async def test_a_wire_that_is_ready_holds_nothing(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        client = await Client.connect(served, tls)
        user = await taking.user()
        await client.head()
        for _ in range(100):
            user.wire.write(b"tick")
            assert user.wire.ready
        got = await client.read(400)
        client.abort()

        assert (got, user.told) == (b"tick" * 100, [])


# The end


@everywhere
async def test_finish_delivers_all_and_ends(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    with small_buffers():
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            for piece in PIECES[:100]:
                user.wire.write(piece)
            was_ready = user.wire.ready
            user.wire.finish()
            # What still arrives is thrown away, and does not make a reset of the end.
            client.writer.write(b"late")
            await client.head()
            got = await client.read()
            client.writer.close()
            await eventually(lambda: "lost" in user.told)

            assert (got, was_ready) == (b"".join(PIECES[:100]), False)
            assert (user.told, bytes(user.data)) == (["full", "lost"], b"")


@on_both_loops
async def test_a_wire_that_is_finished_waits_for_a_peer_that_reads_slowly() -> None:
    # Without TLS, whose own goodbye has a limit of a second (TLS_SHUTDOWN).
    taking = Taking(Keeper)
    with small_buffers(), patch.object(http1, "LINGER", 0.1):
        async with serving(taking) as served:
            client = await Client.connect(served, None)
            user = await taking.user()
            for piece in PIECES:
                user.wire.write(piece)
            user.wire.finish()
            await client.head()
            got = await client.read(sum(map(len, PIECES)) // 2)
            await asyncio.sleep(0.4)
            got += await client.read()
            client.writer.close()
            await eventually(lambda: "lost" in user.told)

            assert got == b"".join(PIECES)


@everywhere
async def test_a_peer_that_takes_nothing_does_not_keep_a_wire_that_is_finished(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    with small_buffers(), patch.object(http1, "LINGER", 0.1), patch.object(http1, "PATIENCE", 0.2):
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            for piece in PIECES:
                user.wire.write(piece)
            user.wire.finish()
            await eventually(lambda: "lost" in user.told, seconds=3)
            client.abort()

            assert user.told.count("lost") == 1


@everywhere
async def test_abort_cuts_at_once(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        client = await Client.connect(served, tls)
        user = await taking.user()
        await client.head()
        user.wire.abort()
        await eventually(lambda: user.told)
        user.wire.write(b"nobody reads it")
        user.wire.finish()
        user.wire.abort()
        try:
            left = await client.read()
        except ConnectionError:
            left = b""
        client.abort()

        assert (left, user.told, user.wire.ready) == (b"", ["lost"], False)


@everywhere
async def test_a_client_that_goes_is_lost_once(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        polite, rude = [await Client.connect(served, tls) for _ in range(2)]
        users = [await taking.user() for _ in range(2)]
        await polite.head()
        await rude.head()
        polite.writer.close()
        rude.abort()
        await eventually(lambda: all("lost" in user.told for user in users))
        for user in users:
            user.wire.write(b"nobody reads it")
            user.wire.abort()
        await asyncio.sleep(0)

        assert [user.told.count("lost") for user in users] == [1, 1]


@everywhere
async def test_a_client_that_goes_while_its_bytes_wait_is_lost_once(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Pump)
    with small_buffers():
        async with serving(taking, tls=bool(tls)) as served:
            client = await Client.connect(served, tls)
            user = await taking.user()
            user.pour(PIECES)
            client.abort()
            await eventually(lambda: "lost" in user.told)

            assert user.told.count("lost") == 1
            assert user.told[-1] == "lost"


@everywhere
async def test_nothing_is_left_of_connections_that_were_taken_over(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls)) as served:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            client = await Client.connect(served, tls)
            user = await taking.user()
            await client.head()
            client.writer.close()
            await eventually(lambda user=user: "lost" in user.told)  # type: ignore[misc]

        await eventually(lambda: len(asyncio.all_tasks()) == before)


# Connections that can't be taken over


class Late:
    """An app that takes over when it is too late, or again."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.told: list[str] = []

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await live_and_die(receive, send)
            return
        take_over = await answer(scope, receive, send)
        if scope["path"] == "/again":
            self.told = Keeper(take_over).told
        else:
            while (await receive())["type"] != "http.disconnect":
                pass
        try:
            Keeper(take_over)
        except Exception as error:
            self.errors.append(error)


@everywhere
async def test_a_connection_that_has_gone_can_not_be_taken_over(tls: ssl.SSLContext | None) -> None:
    app = Late()
    async with serving(app, tls=bool(tls)) as served:
        client = await Client.connect(served, tls)
        await client.head()
        client.abort()
        await eventually(lambda: app.errors)

        assert isinstance(app.errors[0], ConnectionError)


@everywhere
async def test_a_connection_is_taken_over_once(tls: ssl.SSLContext | None) -> None:
    app = Late()
    async with serving(app, tls=bool(tls)) as served:
        client = await Client.connect(served, tls, GET.replace(b"/", b"/again", 1))
        await client.head()
        await eventually(lambda: app.errors)
        client.abort()
        await eventually(lambda: app.told)

        assert isinstance(app.errors[0], ConnectionError)
        assert app.told.count("lost") == 1


# Draining


@everywhere
async def test_a_draining_server_waits_for_wires(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    users: list[Keeper] = []

    async def drain() -> None:
        for user in users:
            user.wire.write(b"bye")
            user.wire.finish()

    async with serving(taking, tls=bool(tls), drain=drain) as served:
        client = await Client.connect(served, tls)
        users.append(await taking.user())
        await client.head()
        served.shutdown.set()
        left = await client.read()
        client.writer.close()

    assert (left, users[0].told.count("lost")) == (b"bye", 1)


@everywhere
async def test_a_draining_server_cuts_the_wires_that_are_left_at_the_end(tls: ssl.SSLContext | None) -> None:
    taking = Taking(Keeper)
    async with serving(taking, tls=bool(tls), drain_seconds=0.5) as served:
        client = await Client.connect(served, tls)
        user = await taking.user()
        await client.head()
        served.shutdown.set()
        await eventually(lambda: user.told)
        complaints, served.complaints[:] = served.complaints[:], []
        client.abort()

        assert [line.split()[0] for line in complaints] == ["connections_cut"]
        assert user.told == ["lost"]
