from __future__ import annotations

import msgspec
import pytest

from tests.bench.connections import Clock, Connection, EventStream, PackedWebSocket, WebSocket, client_frame
from tests.bench.http2 import Http2, frame
from tests.bench.metronome import symbol_name
from tests.bench.spec import Kind, Spec
from ticker.core.cursor import Cursor
from ticker.core.ring import Entry
from ticker.core.tick import Quote
from ticker.core.wire import JSON, MSGPACK, SSE, Codec, tick_json

COUNT = 5
TS = 1_763_900_000_123_456


def entries() -> list[Entry]:
    """Return quotes as the metronome makes them."""
    quotes = [Quote(symbol_name(0), 189.43, 300, 189.44, 999, TS) for _ in range(COUNT)]
    return [Entry(quote, tick_json(quote, Cursor(7, n)), n, TS, (), None) for n, quote in enumerate(quotes, 1)]


def messages(codec: Codec) -> list[bytes]:
    """Return a message of each quote."""
    return [codec.tick(each) for each in entries()]


def server_frame(opcode: int, content: bytes) -> bytes:
    """Return a frame of a server, with the longer head from 126 bytes on."""
    head = bytes([len(content)]) if len(content) < 126 else b"\x7e" + len(content).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + head + content


def chunk(content: bytes) -> bytes:
    """Return a chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
PING = server_frame(9, b"there?")

# What comes on a connection: before a tick, and one piece for each tick.
EVENTS = [chunk(event) for event in messages(SSE)]
TEXTS = [server_frame(1, text) for text in messages(JSON)]
PACKED = [server_frame(2, packed) for packed in messages(MSGPACK)]
STREAMS = [frame(0, 0, stream, event) for event in messages(SSE) for stream in (1, 3)]
CASES: list[tuple[type[Connection], Kind, bytes, list[bytes]]] = [
    (EventStream, "sse", ANSWER + chunk(b"event: hello\ndata: {}\n\n"), EVENTS),
    (WebSocket, "text", UPGRADE + PING, TEXTS),
    (PackedWebSocket, "msgpack", UPGRADE, PACKED),
    (Http2, "http2", frame(4, 0, 0) + frame(1, 4, 1) + frame(1, 4, 3), STREAMS),
]


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.marks, clock.latencies = 1, []
    return clock


def connect(made: type[Connection], kind: Kind, clock: Clock, sent: list[bytes] | None = None) -> Connection:
    """Return a connection that has sent its request; what it sends from now on goes into a list."""
    connection = made(Spec(kind, 0, 0, "/", 1, streams=2 if kind == "http2" else 1), "/", clock, True)
    connection.socket.close()
    connection.send = ([] if sent is None else sent).append  # type: ignore[method-assign, assignment]  # no peer
    return connection


def streams(connection: Connection) -> int:
    return len(connection.tallies)


def give(connection: Connection, data: bytes) -> None:
    connection.take(bytearray(data + b"what an earlier read has left"), len(data))


@pytest.mark.parametrize(("made", "kind", "start", "pieces"), CASES, ids=[case[1] for case in CASES])
class TestConnection:
    def test_counts_messages_that_come_whole(
        self, made: type[Connection], kind: Kind, start: bytes, pieces: list[bytes], clock: Clock
    ) -> None:
        connection = connect(made, kind, clock)
        give(connection, start)
        for piece in pieces:
            give(connection, piece)

        assert connection.served is not None
        assert [(tally.messages, tally.writes) for tally in connection.tallies] == [(COUNT, COUNT)] * streams(
            connection
        )
        assert [tally.marks for tally in connection.tallies] == [[(1, 1)]] * streams(connection)
        assert clock.latencies is not None
        assert len(clock.latencies) == COUNT

    def test_counts_messages_that_are_cut_anywhere(
        self, made: type[Connection], kind: Kind, start: bytes, pieces: list[bytes], clock: Clock
    ) -> None:
        everything = start + b"".join(pieces)
        for cut in range(1, len(everything)):
            connection = connect(made, kind, clock)
            give(connection, everything[:cut])
            give(connection, everything[cut:])

            assert [tally.messages for tally in connection.tallies] == [COUNT] * streams(connection)
            assert all(seq == count for tally in connection.tallies for seq, count in tally.marks)


def test_a_websocket_answers_a_ping(clock: Clock) -> None:
    sent: list[bytes] = []
    connection = connect(WebSocket, "text", clock, sent)
    give(connection, UPGRADE + PING)

    assert sent == [client_frame(10, b"there?")]


def test_a_websocket_sends_what_it_is_told_first(clock: Clock) -> None:
    sent: list[bytes] = []
    connection = connect(WebSocket, "text", clock, sent)
    connection._spec = msgspec.structs.replace(connection._spec, messages=(b"one".hex(), b"two".hex()))
    give(connection, UPGRADE)

    assert b"".join(sent) == client_frame(1, b"one") + client_frame(1, b"two")


def test_http2_acknowledges_settings(clock: Clock) -> None:
    sent: list[bytes] = []
    connection = connect(Http2, "http2", clock, sent)
    give(connection, frame(4, 0, 0, bytes(6)))

    assert sent == [frame(4, 1, 0)]


def test_a_refusal_is_an_error(clock: Clock) -> None:
    connection = connect(EventStream, "sse", clock)

    with pytest.raises(ConnectionError, match="503"):
        give(connection, b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


def test_a_stream_is_served_when_its_greeting_is_whole(clock: Clock) -> None:
    connection = connect(EventStream, "sse", clock)
    connection._spec = msgspec.structs.replace(connection._spec, greeting="event: hello")
    give(connection, ANSWER + b"20\r\nretry: 1000\n\nevent: he")
    assert connection.served is None
    give(connection, b"llo\ndata: {}\n\n")

    assert connection.served is not None
