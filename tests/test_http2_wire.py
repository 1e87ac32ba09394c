"""Streams of HTTP/2 that were taken over: credit, backpressure, and every way to end."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.support.raw_http2 import RawHttp2, http2
from tests.support.serving import eventually, on_both_loops, serving
from tests.support.taking import Keeper, Pump, Taking, small_buffers
from ticker.hypercorn_remedies.http2_wire import Http2Wire

# Pieces of all lengths, 2 MB in all, in which no two stretches are alike.
PIECES = [number.to_bytes(4) * (number * 37 % 2500 + 1) for number in range(400)]
ALL = b"".join(PIECES)

# The credit for one stream that RFC 9113 begins with.
WINDOW = 65535


def credit(client: RawHttp2, size: int, *streams: int) -> None:
    """Let the server send more, on the connection and on streams."""
    client.h2.increment_flow_control_window(size)
    for stream in streams:
        client.h2.increment_flow_control_window(size, stream)
    client.flush()


class CongestedConnection:
    """A connection that takes nothing until the test says so."""

    def __init__(self) -> None:
        self.is_congested = True
        self.sent = b""
        self.ended: list[int] = []

    def send_now(self, stream_id: int, data: bytes) -> bytes:
        """Take all."""
        self.sent += data
        return b""

    def end_now(self, stream_id: int) -> None:
        """Note the stream."""
        self.ended.append(stream_id)


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def full(self) -> None:
        """Note it."""
        self.told.append("full")

    def writable(self) -> None:
        """Note it."""
        self.told.append("writable")


# Writing


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_stream_taken_over_while_its_connection_is_congested_goes_on_afterwards(is_finished: bool) -> None:
    connection, user = CongestedConnection(), Listener()
    wire = Http2Wire(connection, 1, user)  # type: ignore[arg-type]
    wire.write(b"one")
    wire.write(b"two")
    if is_finished:
        wire.finish()
    connection.is_congested = False
    wire.go_on()

    assert connection.sent == b"onetwo"
    assert user.told == (["full"] if is_finished else ["full", "writable"])
    assert connection.ended == ([1] if is_finished else [])


@on_both_loops
async def test_what_is_written_arrives() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        stream = client.request("/")
        user = await taking.user()
        for piece in (b"one", b"two", b""):
            user.wire.write(piece)
        await client.until(lambda: len(client.data[stream]) >= 6)

        assert (client.status[stream], bytes(client.data[stream])) == ("200", b"onetwo")
        assert (user.wire.ready, user.told) == (True, [])


@on_both_loops
async def test_more_than_the_peers_credit_waits_for_it() -> None:
    taking = Taking(Pump)
    async with serving(taking) as served, http2(served, gives_credit=False) as client:
        stream = client.request("/")
        user = await taking.user()
        user.pour(PIECES)
        await client.until(lambda: len(client.data[stream]) == WINDOW)
        for _ in range(3):
            await client.round_trip()
        assert bytes(client.data[stream]) == ALL[:WINDOW]
        assert (user.wire.ready, user.told) == (False, ["full"])
        held = len(ALL) - WINDOW - sum(map(len, user.pieces))
        credit(client, 1000, stream)
        await client.until(lambda: len(client.data[stream]) == WINDOW + 1000)
        credit(client, len(ALL), stream)
        await client.until(lambda: len(client.data[stream]) == len(ALL))

        # It holds the rest of one write.
        assert held <= max(map(len, PIECES))
        assert bytes(client.data[stream]) == ALL
        assert user.wire.ready
        assert (user.told[0], user.told[-1]) == ("full", "writable")


@on_both_loops
async def test_credit_of_the_connection_is_kept_by_all_its_streams() -> None:
    taking = Taking(Pump)
    async with serving(taking) as served, http2(served, gives_credit=False) as client:
        streams = [client.request("/") for _ in range(3)]
        users = [await taking.user() for _ in streams]
        for user in users:
            user.pour(PIECES[:100])
        size = sum(map(len, PIECES[:100]))
        await client.until(lambda: sum(len(client.data[stream]) for stream in streams) == WINDOW)
        await client.round_trip()
        assert sum(len(client.data[stream]) for stream in streams) == WINDOW
        credit(client, 3 * size, *streams)
        await client.until(lambda: all(len(client.data[stream]) == size for stream in streams))

        assert all(bytes(client.data[stream]) == ALL[:size] for stream in streams)


@on_both_loops
async def test_a_larger_window_in_the_settings_is_credit() -> None:
    taking = Taking(Pump)
    async with serving(taking) as served, http2(served, gives_credit=False, window=100) as client:
        stream = client.request("/")
        user = await taking.user()
        user.pour(PIECES[:50])
        await client.until(lambda: len(client.data[stream]) == 100)
        client.h2.update_settings({4: 60000})
        client.flush()
        await client.until(lambda: len(client.data[stream]) == 60000)

        assert bytes(client.data[stream]) == ALL[:60000]


@on_both_loops
async def test_streams_of_one_flush_share_one_write() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        streams = [client.request("/") for _ in range(50)]
        users = [await taking.user() for _ in streams]
        await client.round_trip()
        assert isinstance(users[0].wire, Http2Wire)
        connection, writes = users[0].wire._connection, []
        write = connection._write

        def counted(data: bytes) -> None:
            writes.append(data)
            write(data)

        connection._write = counted
        for user in users:
            user.wire.write(b"tick")
        await client.until(partial(client.has_data_of, streams))

        assert [client.data[stream] for stream in streams] == [b"tick"] * 50
        assert len(writes) == 1


@on_both_loops
async def test_a_peer_that_takes_no_bytes_makes_all_its_streams_wait() -> None:
    async def pour_by_turns(user: Keeper) -> None:
        for piece in PIECES:
            await eventually(lambda: user.wire.ready)
            user.wire.write(piece)
            await asyncio.sleep(0)

    taking = Taking(Keeper)
    with small_buffers():
        async with serving(taking) as served, http2(served, gives_credit=False, window=2**31 - 1) as client:
            streams = [client.request("/") for _ in range(2)]
            users = [await taking.user() for _ in streams]
            await client.round_trip()
            credit(client, 2**30)
            await client.round_trip()
            pouring = [asyncio.create_task(pour_by_turns(user)) for user in users]
            await eventually(lambda: not any(user.wire.ready for user in users))
            were_done = [task.done() for task in pouring]
            await client.until(lambda: all(len(client.data[stream]) == len(ALL) for stream in streams), seconds=20)
            await asyncio.gather(*pouring)
            await client.round_trip()

            assert were_done == [False, False]
            assert [client.data[stream] == ALL for stream in streams] == [True, True]
            assert all("full" in user.told and user.told[-1] == "writable" for user in users)


# Reading


@on_both_loops
async def test_what_comes_is_received_and_gives_credit() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        stream = client.request("/", "POST", end=False)
        user = await taking.user()
        for start in range(0, 200_000, 10_000):
            await client.until(lambda: client.h2.local_flow_control_window(stream) >= 10_000)
            client.send(stream, ALL[start : start + 10_000], end=start == 190_000)
        await eventually(lambda: user.told)
        user.wire.write(b"still here")
        await client.until(lambda: client.data[stream])

        assert bytes(user.data) == ALL[:200_000]
        assert user.told == ["finished"]


@on_both_loops
async def test_what_came_before_the_take_over_is_received_first() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        taking.go.clear()
        stream = client.request(
            "/", "CONNECT", end=False, headers={":protocol": "websocket", "sec-websocket-version": "13"}
        )
        await client.until(lambda: stream in client.status)
        for start in range(0, 30_000, 1000):
            client.send(stream, ALL[start : start + 1000])
        await client.round_trip()
        taking.go.set()
        user = await taking.user()
        client.send(stream, ALL[30_000:40_000])
        await eventually(lambda: len(user.data) == 40_000)

        assert bytes(user.data) == ALL[:40_000]


@on_both_loops
async def test_a_stream_that_is_not_read_from_gets_no_credit() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        stream, other = [client.request("/", "POST", end=False) for _ in range(2)]
        user, neighbour = await taking.user(), await taking.user()
        await client.round_trip()
        user.wire.pause_reading()
        window = client.h2.local_flow_control_window(stream)
        for start in range(0, 60_000, 10_000):
            client.send(stream, ALL[start : start + 10_000])
        await client.round_trip()
        assert client.h2.local_flow_control_window(stream) == window - 60_000
        assert user.data == b""
        client.send(other, b"through")
        await eventually(lambda: neighbour.data)
        user.wire.resume_reading()
        await eventually(lambda: len(user.data) == 60_000)
        await client.until(lambda: client.h2.local_flow_control_window(stream) > window - 30_000)

        assert bytes(user.data) == ALL[:60_000]


# The end


@on_both_loops
async def test_finish_ends_the_stream_when_all_has_left() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served, gives_credit=False) as client:
        stream = client.request("/")
        user = await taking.user()
        user.wire.write(ALL[:200_000])
        user.wire.finish()
        await client.until(lambda: len(client.data[stream]) == WINDOW)
        await client.round_trip()
        assert stream not in client.ended
        credit(client, 10**6, stream)
        await client.until(lambda: stream in client.ended)
        await eventually(lambda: "lost" in user.told)

        assert bytes(client.data[stream]) == ALL[:200_000]
        assert (user.told, client.resets) == (["full", "lost"], {})


@on_both_loops
async def test_finish_of_an_upload_that_goes_on_ends_its_stream_only() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        stream, other = [client.request("/", "POST", end=False) for _ in range(2)]
        user, neighbour = await taking.user(), await taking.user()
        user.wire.write(b"bye")
        user.wire.finish()
        await client.until(lambda: stream in client.ended)
        neighbour.wire.write(b"still here")
        await client.until(lambda: client.data[other])
        await eventually(lambda: "lost" in user.told)

        assert bytes(client.data[stream]) == b"bye"
        assert user.told == ["lost"]
        assert neighbour.told == []


@on_both_loops
async def test_a_stream_that_its_client_resets_is_lost_once_and_others_go_on() -> None:
    taking = Taking(Pump)
    async with serving(taking) as served, http2(served, gives_credit=False) as client:
        stream, other = [client.request("/") for _ in range(2)]
        user, neighbour = await taking.user(), await taking.user()
        user.pour(PIECES)
        await client.until(lambda: len(client.data[stream]) == WINDOW)
        client.reset(stream)
        await eventually(lambda: "lost" in user.told)
        user.wire.write(b"nobody reads it")
        user.wire.finish()
        user.wire.abort()
        credit(client, 10**6)
        neighbour.pour([b"still here"])
        await client.until(lambda: client.data[other])
        await client.round_trip()

        assert (bytes(client.data[other]), client.goaway) == (b"still here", None)
        assert (user.told, user.wire.ready) == (["full", "lost"], False)


@on_both_loops
async def test_abort_resets_the_stream() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        stream, other = [client.request("/") for _ in range(2)]
        user, neighbour = await taking.user(), await taking.user()
        user.wire.abort()
        user.wire.write(b"nobody reads it")
        neighbour.wire.write(b"still here")
        await client.until(lambda: stream in client.resets and client.data[other])
        await eventually(lambda: "lost" in user.told)
        user.wire.abort()
        await client.round_trip()

        assert (bytes(client.data[stream]), user.told, user.wire.ready) == (b"", ["lost"], False)
        assert neighbour.told == []


@pytest.mark.parametrize("is_rude", [False, True])
def test_a_connection_that_ends_is_the_end_of_its_streams(is_rude: bool) -> None:
    @on_both_loops
    async def check() -> None:
        taking = Taking(Pump)
        async with serving(taking) as served, http2(served, gives_credit=False) as client:
            for _ in range(3):
                client.request("/")
            users = [await taking.user() for _ in range(3)]
            users[0].pour(PIECES)
            await client.until(lambda: client.data[1])
            if is_rude:
                client.writer.transport.abort()
            else:
                client.writer.close()
            await eventually(lambda: all("lost" in user.told for user in users))
            for user in users:
                user.wire.write(b"nobody reads it")
                user.wire.abort()
            await asyncio.sleep(0)

            assert [user.told.count("lost") for user in users] == [1, 1, 1]

    for loop in ("asyncio", "uvloop"):
        check(loop)


@on_both_loops
async def test_a_stream_that_has_gone_can_not_be_taken_over() -> None:
    errors: list[ConnectionError] = []

    def begin(take_over: object) -> None:
        try:
            Keeper(take_over)  # type: ignore[arg-type]
        except ConnectionError as error:
            errors.append(error)

    taking = Taking(begin)
    async with serving(taking) as served, http2(served) as client:
        taking.go.clear()
        stream = client.request("/")
        await client.until(lambda: stream in client.status)
        client.reset(stream)
        await client.round_trip()
        taking.go.set()
        await taking.user()

        assert len(errors) == 1


@on_both_loops
async def test_nothing_is_left_of_streams_that_were_taken_over() -> None:
    taking = Taking(Keeper)
    async with serving(taking) as served, http2(served) as client:
        await client.round_trip()
        before = len(asyncio.all_tasks())
        for number in range(30):
            stream = client.request("/")
            user = await taking.user()
            if number % 3 == 0:
                client.reset(stream)
            elif number % 3 == 1:
                user.wire.finish()
            else:
                user.wire.abort()
            await eventually(lambda user=user: "lost" in user.told)  # type: ignore[misc]
            await client.round_trip()
        assert isinstance(user.wire, Http2Wire)
        connection = user.wire._connection

        assert (dict(connection.streams), connection.buffers, connection._answered) == ({}, {}, set())
        await eventually(lambda: len(asyncio.all_tasks()) <= before)


@on_both_loops
async def test_a_draining_server_waits_for_the_streams() -> None:
    taking = Taking(Keeper)
    users: list[Keeper] = []

    async def drain() -> None:
        for user in users:
            user.wire.write(b"bye")
            user.wire.finish()

    async with serving(taking, drain=drain) as served, http2(served) as client:
        streams = [client.request("/") for _ in range(2)]
        users += [await taking.user() for _ in streams]
        await client.round_trip()
        served.shutdown.set()
        await client.until(lambda: client.ended.issuperset(streams))
        await client.end()

        assert [bytes(client.data[stream]) for stream in streams] == [b"bye"] * 2
        assert [user.told for user in users] == [["lost"]] * 2
