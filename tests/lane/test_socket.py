"""WebSockets that were taken over: on a wire that the test moves by hand, and on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from tests.support.raw_http2 import CONNECT, http2
from tests.support.serving import eventually, on_both_loops, run_on, serving
from tests.support.taking import Crash, Echo, Pour, Taking, small_buffers
from tests.support.virtual_clock import on_virtual_clock
from tests.support.websocket import WebSocketClient, frames
from ticker.core.codes import Close
from ticker.lane import WireUser
from ticker.lane.socket import INBOX, ends_whole

# What a client sends in one read.
READ = 16 * 1024


class HandWire:
    """A wire that the test moves by hand: it takes what it is written and is ready as the test says."""

    def __init__(self) -> None:
        self.user: WireUser
        self.ready = True
        self.written = b""
        self.is_reading = True
        self.is_finished = self.is_aborted = False

    def take_over(self, user: WireUser) -> HandWire:
        """Give the wire a user."""
        self.user = user
        return self

    def send(self, data: bytes) -> int:
        """Take bytes if ready."""
        if not self.ready:
            return 0
        self.written += data
        return len(data)

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        self.written += data

    keep = write

    def pause_reading(self) -> None:
        """Note it."""
        self.is_reading = False

    def resume_reading(self) -> None:
        """Note it."""
        self.is_reading = True

    def finish(self) -> None:
        """Note it."""
        self.is_finished = True

    def abort(self) -> None:
        """Note it."""
        self.is_aborted = True

    def fill(self) -> None:
        """Be full."""
        self.ready = False
        self.user.full()

    def drain(self) -> None:
        """Be ready again."""
        self.ready = True
        self.user.writable()

    def events(self) -> list[Event]:
        """Return what was written, as a client reads it."""
        client = Connection(ConnectionType.CLIENT)
        client.receive_data(self.written)
        return list(client.events())


async def turns(count: int = 10) -> None:
    """Let others run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def feed(wire: HandWire, data: bytes) -> int:
    """Send bytes as a client does whose peer may stop reading; return how many were taken."""
    for start in range(0, len(data), READ):
        if not wire.is_reading:
            return start
        wire.user.received(data[start : start + READ])
        await asyncio.sleep(0)
    return len(data)


def codes(events: list[Event]) -> list[int]:
    """Return the codes of the close frames."""
    return [event.code for event in events if isinstance(event, CloseConnection)]


# Messages


@given(
    st.lists(
        st.one_of(st.text(max_size=200).map(TextMessage), st.binary(max_size=200).map(BytesMessage), st.just(Ping())),
        max_size=6,
    ),
    st.lists(st.integers(0, 400), max_size=12),
)
@settings(max_examples=40)
def test_messages_arrive_however_their_bytes_are_cut(events: list[Event], cuts: list[int]) -> None:
    async def check() -> None:
        wire = HandWire()
        user = Echo(wire.take_over)
        data = frames(*events)
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in pairwise(edges):
            wire.user.received(data[start:end])
        await turns(30)

        messages = [event.data for event in events if isinstance(event, TextMessage | BytesMessage)]
        assert user.taken == messages
        assert [type(event) for event in wire.events()].count(Pong) == events.count(Ping())
        assert (wire.is_reading, wire.is_finished) == (True, False)
        wire.user.lost()

    asyncio.run(check())


@on_both_loops
async def test_messages_and_pings_are_answered() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        user = await taking.user()
        client.send(BytesMessage(data=b"", message_finished=False))
        client.send(BytesMessage(data=b"one"))
        client.send(TextMessage(data="x" * 65536))
        client.send(Ping(payload=b"here"))
        while sum(len(event.data) for event in client.received if isinstance(event, TextMessage)) < 65536:
            await client.read()
        client.send(CloseConnection(code=1000, reason="enough"))
        events = await client.events()
        await eventually(lambda: user.losses)

        assert BytesMessage(data=bytearray(b"one")) in events
        assert Pong(payload=b"here") in events
        assert sum(len(event.data) for event in events if isinstance(event, TextMessage)) == 65536
        assert events[-1] == CloseConnection(code=1000, reason="enough")
        assert user.losses == 1


@on_both_loops
async def test_an_empty_message_arrives_as_what_it_is() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        user = await taking.user()
        for message in (BytesMessage(data=b""), TextMessage(data=""), TextMessage(data="end")):
            client.send(message)
        while len(client.received) < 3:
            await client.read()
        client.writer.close()

        assert user.taken == [b"", "", "end"]


@on_both_loops
async def test_what_was_asked_before_a_close_frame_is_answered() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        for number in range(20):
            client.send(TextMessage(data=str(number)))
        client.send(CloseConnection(code=1000))
        events = await client.events()

        assert [event.data for event in events if isinstance(event, TextMessage)] == [str(each) for each in range(20)]
        assert codes(events) == [1000]


# Mistakes


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frames(TextMessage(data="x" * 65537)), CloseReason.MESSAGE_TOO_BIG),
        (frames(BytesMessage(data=b"x" * 40000, message_finished=False)) * 2, CloseReason.PROTOCOL_ERROR),
        (b"\x81\x82\0\0\0\0\xff\xff", CloseReason.INVALID_FRAME_PAYLOAD_DATA),
        (b"\xf1\x80\0\0\0\0", CloseReason.PROTOCOL_ERROR),
        (b"\x81\x01x", CloseReason.PROTOCOL_ERROR),
    ],
    ids=["too big", "two beginnings", "no UTF-8", "reserved bits", "no mask"],
)
def test_a_wrong_frame_is_answered_with_its_code(sent: bytes, code: int) -> None:
    async def check() -> None:
        taking = Taking(Echo)
        async with serving(taking) as served:
            client = await WebSocketClient.connect(served.port)
            user = await taking.user()
            client.writer.write(sent + frames(TextMessage(data="afterwards")))
            events = await client.events()
            await eventually(lambda: user.losses)

            assert codes(events) == [code]
            assert [type(event) for event in events] == [CloseConnection]
            assert (user.taken, user.losses) == ([], 1)

    run_on("asyncio", check)


@on_both_loops
async def test_a_message_in_parts_is_too_big_when_their_sum_is() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        for _ in range(3):
            client.send(BytesMessage(data=bytes(30000), message_finished=False))
        events = await client.events()

        assert codes(events) == [CloseReason.MESSAGE_TOO_BIG]


@on_both_loops
async def test_a_bug_closes_with_1011() -> None:
    taking = Taking(Crash)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        user = await taking.user()
        client.send(TextMessage(data="now"))
        events = await client.events()
        async with http2(served) as other:
            stream = other.request("/ws", "CONNECT", end=False, headers=CONNECT)
            await taking.user()
            other.send(stream, frames(TextMessage(data="now")))
            await other.until(lambda: stream in other.ended)
        complaints, served.complaints[:] = served.complaints[:], []

        assert events == [CloseConnection(code=1011, reason="internal_error")]
        assert bytes(other.data[stream]) == b"\x88\x10\x03\xf3internal_error"
        assert [line.splitlines()[0] for line in complaints] == ["socket_failed"] * 2
        assert user.losses == 1


# The end


@on_both_loops
async def test_nothing_is_taken_or_sent_after_our_close_frame() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        user = await taking.user()
        user.socket.close(Close.REPLACED, "replaced")
        user.socket.write(b"\x81\x01x")
        client.send(TextMessage(data="still there?"))
        client.send(Ping())
        events = await client.events()
        user.socket.close(Close.GOING_AWAY, "again")
        user.socket.abort()

        assert events == [CloseConnection(code=4509, reason="replaced")]
        assert (user.taken, user.losses, user.socket.ready) == ([], 1, False)


@on_both_loops
async def test_the_end_of_the_peers_bytes_is_the_end() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served:
        client = await WebSocketClient.connect(served.port)
        user = await taking.user()
        client.writer.write(frames(TextMessage(data="half"))[:-1])
        client.writer.write_eof()
        events = await client.events()
        await eventually(lambda: user.losses)

        assert (events, user.taken, user.losses) == ([], [], 1)


@on_both_loops
async def test_a_websocket_that_says_nothing_is_closed_and_one_that_pongs_is_not() -> None:
    taking = Taking(partial(Echo, ping_interval=0.1))
    async with serving(taking) as served:
        lively = await WebSocketClient.connect(served.port)
        silent = await WebSocketClient.connect(served.port)
        answering = asyncio.create_task(lively.answer_pings(8))
        events = await silent.events()
        await answering
        lively.send(CloseConnection(code=1000))
        left = await lively.events()

        assert codes(events) == [4009]
        assert codes(left) == [1000]


@on_virtual_clock
async def test_pings_come_every_interval_and_silence_of_35_s_is_the_end() -> None:
    wire = HandWire()
    user = Echo(wire.take_over)
    await asyncio.sleep(30.1)
    assert wire.events() == [Ping(), Ping()]
    wire.user.received(frames(Pong()))
    await asyncio.sleep(34.8)
    assert codes(wire.events()) == []
    await asyncio.sleep(2)

    assert wire.events()[-1] == CloseConnection(code=4009, reason="heartbeat_timeout")
    assert (wire.is_finished, user.losses) == (True, 1)


@on_virtual_clock
async def test_a_full_wire_gets_no_pings() -> None:
    wire = HandWire()
    Echo(wire.take_over)
    wire.fill()
    await asyncio.sleep(20)

    assert wire.written == b""


# Floods


@on_virtual_clock
async def test_a_flood_of_messages_is_not_read_while_they_wait() -> None:
    wire = HandWire()
    user = Echo(wire.take_over)
    flood = frames(*[TextMessage(data="x" * 100)] * 5_000)
    wire.fill()
    taken = await feed(wire, flood)
    assert taken <= READ
    wire.drain()
    while taken < len(flood):
        most = await feed(wire, flood[taken:])
        assert most <= INBOX + 2 * READ or wire.is_reading
        taken += most
        await turns(2)
    while len(user.taken) < 5_000:
        await turns()

    assert len([event for event in wire.events() if isinstance(event, TextMessage)]) == 5_000
    assert wire.is_reading


@on_virtual_clock
async def test_a_message_that_takes_long_holds_back_what_follows() -> None:
    class Slow(Echo):
        def __init__(self, take_over: Callable[[WireUser], HandWire]) -> None:
            super().__init__(take_over)
            self.may_go = asyncio.Event()

        async def take(self, message: str | bytes) -> None:
            await self.may_go.wait()
            await super().take(message)

    wire = HandWire()
    user = Slow(wire.take_over)
    flood = frames(*[TextMessage(data="x" * 1000)] * 1000)
    taken = await feed(wire, flood)
    assert INBOX <= taken <= INBOX + 2 * READ
    user.may_go.set()
    await turns(1000)
    assert wire.is_reading
    while taken < len(flood):
        taken += await feed(wire, flood[taken:])
        await turns(1000)

    assert len(user.taken) == 1000


@on_virtual_clock
async def test_pings_are_not_read_while_their_answers_wait() -> None:
    wire = HandWire()
    Echo(wire.take_over)
    wire.user.received(frames(Ping()))
    assert wire.is_reading
    wire.fill()
    wire.user.received(frames(Ping()))
    assert not wire.is_reading
    wire.drain()

    assert wire.is_reading
    assert wire.events() == [Pong(), Pong()]


Flood = Callable[[bool], Coroutine[Any, Any, None]]


def flooded(test: Flood) -> Callable[[str, str], None]:
    """Make four tests of one: on each loop, with a flood of messages (True) and of pings."""

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize("kind", ["messages", "pings"])
    def run(loop: str, kind: str) -> None:
        run_on(loop, partial(test, kind == "messages"))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


# Bytes of each frame's payload.
SIZE = 100


def flood_of(count: int, is_messages: bool) -> bytes:
    """Return the frames of a flood; each has its number in it."""
    numbers = [f"{number:0{SIZE}}" for number in range(count)]
    return frames(*[TextMessage(each) if is_messages else Ping(each.encode()) for each in numbers])


def payload(event: Event) -> bytes:
    """Return what an answer, or a part of one, says."""
    if isinstance(event, TextMessage):
        return event.data.encode()
    if isinstance(event, Ping):
        # The server's own.
        return b""
    assert isinstance(event, Pong)
    return bytes(event.payload)


@flooded
async def test_a_flood_is_answered_when_its_client_reads(is_messages: bool) -> None:
    count = 5000
    flood = flood_of(count, is_messages)
    taking = Taking(Echo)
    with small_buffers():
        async with serving(taking) as served:
            client = await WebSocketClient.connect(served.port)
            user = await taking.user()
            client.writer.write(flood)
            await eventually(lambda: not user.socket.ready)
            # More than the kernel took has not been answered, since nobody reads.
            assert len(user.taken) < count
            async with asyncio.timeout(20):
                while sum(len(payload(event)) for event in client.received) < count * SIZE:
                    await client.read()
            client.writer.close()
            await eventually(lambda: user.losses)

            kind = TextMessage if is_messages else Pong
            answers = b"".join([payload(event) for event in client.received])
            assert all(isinstance(event, kind) for event in client.received)
            assert answers == b"".join([b"%0*d" % (SIZE, number) for number in range(count)])


@flooded
async def test_a_client_that_goes_amid_its_flood_leaves_nothing(is_messages: bool) -> None:
    taking = Taking(Echo)
    with small_buffers():
        async with serving(taking) as served:
            before = len(asyncio.all_tasks())
            client = await WebSocketClient.connect(served.port)
            user = await taking.user()
            client.writer.write(flood_of(5000, is_messages))
            await eventually(lambda: not user.socket.ready)
            client.writer.transport.abort()
            # What is on its way is not seen as an end while it is not read; what is written is.
            await eventually(lambda: user.losses)
            await eventually(lambda: len(asyncio.all_tasks()) == before)

            assert user.losses == 1


# Over HTTP/2


@on_both_loops
async def test_a_websocket_over_http2_works_and_ends_with_its_stream() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served, http2(served) as client:
        stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        user = await taking.user()
        client.send(stream, frames(TextMessage(data="hello")))
        await client.until(lambda: client.data[stream])
        client.send(stream, b"", end=True)
        await client.until(lambda: stream in client.ended)
        neighbour = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        await client.until(lambda: neighbour in client.status)

        assert (client.status[stream], bytes(client.data[stream])) == ("200", b"\x81\x05hello")
        assert user.losses == 1


@on_both_loops
async def test_a_close_frame_over_http2_ends_the_stream() -> None:
    taking = Taking(Echo)
    async with serving(taking) as served, http2(served) as client:
        stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        user = await taking.user()
        client.send(stream, frames(CloseConnection(code=1000)))
        await client.until(lambda: stream in client.ended)

        assert bytes(client.data[stream]) == b"\x88\x02\x03\xe8"
        assert user.losses == 1


@on_both_loops
async def test_a_ping_on_a_full_http2_websocket_does_not_stop_the_connection() -> None:
    taking = Taking(Pour)
    async with serving(taking) as served, http2(served, gives_credit=False) as client:
        stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        user = await taking.user()
        await client.until(lambda: len(client.data[stream]) == 65535)
        for _ in range(10):
            client.send(stream, frames(Ping()))
        await client.round_trip()
        offered = user.offered
        client.h2.increment_flow_control_window(10**6)
        client.h2.increment_flow_control_window(10**6, stream)
        client.flush()
        await client.until(lambda: len(client.data[stream]) > 500_000)

        assert offered <= 120_000
        assert user.offered > 400_000


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), min_size=1, max_size=4),
    st.sampled_from([0, 1, 2, 5, 200]),
)
def test_bytes_end_whole_exactly_where_a_message_does(parts: list[tuple[bool, bytes]], cut: int) -> None:
    client = Connection(ConnectionType.CLIENT)
    data, is_final = b"", True
    for is_ping, content in parts:
        if is_ping:
            data += client.send(Ping(payload=content[:125]))
        else:
            is_final = len(content) % 2 == 0
            data += client.send(BytesMessage(data=content, message_finished=is_final))
    cut = min(cut, len(data) - 1)

    assert ends_whole(data) is is_final
    if 0 < cut < 6:
        assert not ends_whole(data[:-cut]), "no frame of a client is shorter than its mask and its head"
