"""Each remedy, over real sockets, with peers that misbehave. Without its remedy each test fails."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from functools import partial
from typing import Any
from unittest.mock import patch

from hyperframe.frame import DataFrame, PriorityFrame

from tests.support.raw_http2 import CONNECT, http2
from tests.support.serving import eventually, on_both_loops, serving
from tests.support.taking import Receive, Send, live_and_die
from tests.support.websocket import UPGRADE, WebSocketClient
from ticker.hypercorn_remedies import buffer, peer
from ticker.hypercorn_remedies.http2 import FRAMES, RESETS, Http2
from ticker.hypercorn_remedies.websocket import HELD

BIG = bytes(8 * 1024 * 1024)


class App:
    """A bare ASGI app that counts what it did."""

    def __init__(self) -> None:
        # Bytes that `send` has taken, requests that run, and why WebSockets ended.
        self.offered = 0
        self.running = 0
        self.closed: list[int] = []

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Do what the path names."""
        if scope["type"] == "lifespan":
            await live_and_die(receive, send)
            return
        self.running += 1
        try:
            await getattr(self, scope["path"].strip("/"))(receive, send)
        finally:
            self.running -= 1

    async def hello(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})

    async def flood(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": BIG[:65536], "more_body": True})
            self.offered += 65536
            await asyncio.sleep(0)

    async def endless(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 60000, "more_body": True})

    async def big(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BIG})

    async def small(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
            await asyncio.sleep(0.01)

    async def silent(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b":\n", "more_body": True})
        await asyncio.Event().wait()

    async def mute(self, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def refuse(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def broken(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("half an answer")

    async def upload(self, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            event = await receive()
            size, more = size + len(event["body"]), event["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    async def ws(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.closed.append((await receive())["code"])

    async def late(self, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "websocket.disconnect"
        self.closed.append(0)

    async def pour(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": BIG[:60000]})
            self.offered += 60000

    async def crash(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raise RuntimeError("no more")


async def http1(port: int, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send bytes to the plain port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    return reader, writer


# HTTP/2: backpressure


@on_both_loops
async def test_an_http2_peer_without_credit_stops_the_app() -> None:
    app = App()
    async with serving(app) as served, http2(served, gives_credit=False) as client:
        stream = client.request("/flood")
        for _ in range(100):
            await client.round_trip()

        assert len(client.data[stream]) == 65535
        assert app.offered <= 65535 + buffer.HIGH + buffer.PIECE + 65536


@on_both_loops
async def test_an_http2_stream_goes_on_when_credit_comes() -> None:
    app = App()
    async with serving(app) as served, http2(served, gives_credit=False) as client:
        stream = client.request("/flood")
        await client.until(lambda: len(client.data[stream]) == 65535)
        client.h2.increment_flow_control_window(10**9)
        client.h2.increment_flow_control_window(10**9, stream)
        client.flush()
        await client.until(lambda: app.offered == 1024 * 65536, seconds=30)

        assert app.offered == 64 * 1024 * 1024


@on_both_loops
async def test_a_body_in_one_piece_is_not_kept_for_each_http2_stream() -> None:
    async with serving(App()) as served, http2(served, gives_credit=False) as client:
        tracemalloc.start()
        for _ in range(20):
            client.request("/big")
        await client.round_trip()
        await client.round_trip()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert kept < len(BIG) / 2


@on_both_loops
async def test_an_http2_stream_that_takes_nothing_is_reset() -> None:
    app = App()
    with patch.object(buffer, "STALL", 0.1):
        async with serving(app) as served, http2(served, window=0) as client:
            streams = [client.request("/flood"), client.request("/small")]
            await client.until(lambda: len(client.resets) == 2)
            await eventually(lambda: app.running == 0)

            assert client.resets == dict.fromkeys(streams, 8)


@on_both_loops
async def test_an_http2_stream_that_takes_little_is_not_reset() -> None:
    with patch.object(buffer, "STALL", 0.1):
        async with serving(App()) as served, http2(served, window=0) as client:
            stream = client.request("/flood")
            await client.until(lambda: stream in client.status)
            for _ in range(10):
                await asyncio.sleep(0.05)
                client.h2.increment_flow_control_window(100, stream)
                client.flush()
                await client.round_trip()

            assert client.resets == {}


# HTTP/2: one stream's mistake is not its neighbours'


@on_both_loops
async def test_a_body_that_goes_on_after_its_answer_ends_its_stream_only() -> None:
    async with serving(App()) as served, http2(served) as client:
        neighbour = client.request("/stream")
        stream = client.request("/refuse", "POST", end=False)
        await client.until(lambda: stream in client.resets)
        client.writer.write(DataFrame(stream, b"late").serialize())
        before = len(client.data[neighbour])
        await client.until(lambda: len(client.data[neighbour]) > before)

        assert (client.status[stream], client.resets[stream], stream in client.ended) == ("413", 0, True)


@on_both_loops
async def test_a_wrong_target_ends_its_stream_only() -> None:
    async with serving(App()) as served, http2(served) as client:
        neighbour = client.request("/stream")
        streams = [client.request(path, "POST", end=False) for path in ("/caf\xe9", "/with space")]
        await client.until(lambda: client.ended.issuperset(streams))
        for stream in streams:
            client.send(stream, b"late", end=True)
        before = len(client.data[neighbour])
        await client.until(lambda: len(client.data[neighbour]) > before)

        assert [client.status[stream] for stream in streams] == ["400", "400"]


@on_both_loops
async def test_priorities_are_ignored() -> None:
    async with serving(App()) as served, http2(served) as client:
        for stream in range(1001, 4001, 2):
            client.writer.write(PriorityFrame(stream, depends_on=0, stream_weight=1).serialize())
        answered = client.request("/hello")
        await client.until(lambda: answered in client.ended)

        assert bytes(client.data[answered]) == b"hello"


@on_both_loops
async def test_an_answer_that_breaks_off_resets_its_stream() -> None:
    async with serving(App()) as served, http2(served) as client:
        stream = client.request("/broken")
        await client.until(lambda: stream in client.resets)
        served.complaints.clear()

        assert client.resets[stream] == 2


@on_both_loops
async def test_an_upload_larger_than_the_window_arrives() -> None:
    async with serving(App()) as served, http2(served) as client:
        stream = client.request("/upload", "POST", end=False)
        for _ in range(20):
            await client.until(lambda: client.h2.local_flow_control_window(stream) >= 16384)
            client.send(stream, bytes(16384))
        client.send(stream, b"", end=True)
        await client.until(lambda: stream in client.ended)

        assert bytes(client.data[stream]) == b"327680"


# HTTP/2: many requests, floods


@on_both_loops
async def test_two_thousand_requests_do_not_end_a_stream_beside_them() -> None:
    async with serving(App()) as served, http2(served) as client:
        stream = client.request("/stream")
        for _ in range(40):
            asked = {client.request("/hello") for _ in range(50)}
            await client.until(partial(asked.issubset, client.ended))
        before = len(client.data[stream])
        await client.until(lambda: len(client.data[stream]) > before + 50)

        assert (client.goaway, len(client.ended)) == (None, 2000)


@on_both_loops
async def test_rapid_reset_ends_the_connection_and_leaves_nothing() -> None:
    app = App()
    async with serving(app) as served:
        before = len(asyncio.all_tasks())
        async with http2(served) as client:
            for _ in range(RESETS + 1):
                stream = client.h2.get_next_available_stream_id()
                head = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/mute")]
                client.h2.send_headers(stream, head)
                client.h2.reset_stream(stream)
            client.flush()
            await client.end()

            assert client.goaway == 11
        await eventually(lambda: len(asyncio.all_tasks()) == before, seconds=1)

        assert app.running == 0


@on_both_loops
async def test_a_flood_of_pings_ends_the_connection() -> None:
    async with serving(App()) as served, http2(served) as client:
        for _ in range(2 * FRAMES + 1):
            client.h2.ping(b"12345678")
        client.flush()
        await client.end()

        assert client.goaway == 11


@on_both_loops
async def test_a_client_that_says_goaway_is_let_go() -> None:
    async with serving(App()) as served, http2(served) as client:
        client.h2.close_connection()
        client.flush()
        await client.end()

        assert client.is_eof


# Orphans


@on_both_loops
async def test_what_ignores_the_end_of_its_connection_is_cancelled_within_a_second() -> None:
    app = App()
    async with serving(app) as served:
        before = len(asyncio.all_tasks())
        reader, writer = await http1(served.port, b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b":\n")
        async with http2(served) as client:
            stream = client.request("/silent")
            await client.until(lambda: client.data[stream])
        writer.close()
        await eventually(lambda: app.running == 0, seconds=1)
        await eventually(lambda: len(asyncio.all_tasks()) == before, seconds=1)

        assert len(asyncio.all_tasks()) == before


@on_both_loops
async def test_an_app_that_sends_in_a_loop_to_nobody_lets_others_run() -> None:
    app = App()
    async with serving(app) as served, http2(served) as client:
        stream = client.request("/endless")
        sock = client.request("/pour", "CONNECT", end=False, headers=CONNECT)
        _, writer = await http1(served.port, b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.until(lambda: client.data[stream] and client.data[sock] and app.running == 3)
        client.reset(stream)
        client.reset(sock)
        writer.transport.abort()
        for _ in range(10):
            await client.round_trip()
        await client.close()
        await eventually(lambda: app.running == 0)

        assert app.running == 0


@on_both_loops
async def test_a_bug_in_the_protocol_ends_its_connection_with_one_entry() -> None:
    async with serving(App()) as served, http2(served) as client:
        with patch.object(Http2, "_data", side_effect=RuntimeError("a bug")):
            client.send(client.request("/upload", "POST", end=False), b"x")
            await client.end()
        complaints, served.complaints[:] = served.complaints[:], []

        assert [line.splitlines()[0] for line in complaints] == ["connection_failed"]


@on_both_loops
async def test_a_connection_lost_while_the_app_takes_no_body_is_noticed() -> None:
    app = App()
    async with serving(app) as served:
        _, writer = await http1(served.port, b"POST /mute HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            writer.write(b"1\r\nx\r\n")
        await eventually(lambda: app.running == 1)
        writer.transport.abort()
        await eventually(lambda: app.running == 0, seconds=1)

        assert app.running == 0


@on_both_loops
async def test_bytes_that_come_after_the_last_answer_do_not_reset_the_connection() -> None:
    def talk(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n" + BIG[:65536])
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            # On loopback a reset has arrived when the call that provokes it returns.
            for _ in range(3):
                client.send(BIG[:65536])
            return answer

    async with serving(App()) as served:
        answer = await asyncio.to_thread(talk, served.port)

        assert answer.startswith(b"HTTP/1.1 413")


@on_both_loops
async def test_an_app_that_ends_without_reading_does_not_stop_its_neighbours() -> None:
    async with serving(App()) as served, http2(served) as client:
        stream = client.request("/refuse", "POST", end=False)
        for _ in range(30):
            client.h2.send_data(stream, b"x")
        client.flush()
        await client.until(lambda: stream in client.ended)
        neighbour = client.request("/hello")
        await client.until(lambda: neighbour in client.ended)

        assert (client.status[stream], bytes(client.data[neighbour])) == ("413", b"hello")


@on_both_loops
async def test_a_timeout_of_the_network_is_no_error_of_the_app() -> None:
    app = App()
    async with serving(app) as served:
        with patch.object(asyncio.StreamWriter, "drain", side_effect=TimeoutError(110, "Connection timed out")):
            _, writer = await http1(served.port, b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await eventually(lambda: app.running == 1)
            writer.close()
            await eventually(lambda: app.running == 0)

        assert served.complaints == []


# WebSocket


@on_both_loops
async def test_compression_is_not_agreed_to() -> None:
    async with serving(App()) as served:
        client = await WebSocketClient.connect(
            served.port, UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        )
        client.writer.close()

        assert client.head.startswith(b"HTTP/1.1 101")
        assert b"extensions" not in client.head.lower()


@on_both_loops
async def test_a_refused_handshake_closes_the_connection() -> None:
    async with serving(App()) as served:
        reader, writer = await http1(
            served.port,
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()

        assert answer.startswith(b"HTTP/1.1 400")


@on_both_loops
async def test_bytes_before_the_acceptance_close_the_websocket() -> None:
    app = App()
    async with serving(app) as served:
        reader, writer = await http1(served.port, UPGRADE.replace(b"/ws", b"/late") + b"\r\nearly")
        left = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await eventually(lambda: app.running == 0)

        assert (left, app.closed) == (b"", [0])


@on_both_loops
async def test_bytes_before_the_acceptance_end_their_http2_stream_only() -> None:
    app = App()
    async with serving(app) as served, http2(served) as client:
        neighbour = client.request("/stream")
        stream = client.request("/late", "CONNECT", end=False, headers=CONNECT)
        client.send(stream, b"early")
        await client.until(lambda: stream in client.resets or stream in client.ended)
        await eventually(lambda: app.closed)
        before = len(client.data[neighbour])
        await client.until(lambda: len(client.data[neighbour]) > before)

        assert bytes(client.data[stream]) == b""


@on_both_loops
async def test_what_nobody_takes_over_may_send_a_megabyte() -> None:
    app = App()
    async with serving(app) as served, http2(served) as client:
        stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        _, writer = await http1(served.port, UPGRADE + b"\r\n")
        await eventually(lambda: app.running == 2)
        writer.write(bytes(HELD + 1))
        size = 0
        while size <= HELD:
            await client.until(lambda: client.h2.local_flow_control_window(stream) >= 16384)
            client.send(stream, bytes(16384))
            size += 16384
        await client.until(lambda: stream in client.ended)
        await eventually(lambda: app.running == 0)
        writer.close()

        assert app.closed == [1006, 1006]


@on_both_loops
async def test_a_websocket_whose_stream_ends_before_anyone_takes_it_over_ends() -> None:
    app = App()
    async with serving(app) as served, http2(served) as client:
        stream = client.request("/ws", "CONNECT", end=False, headers=CONNECT)
        await client.until(lambda: stream in client.status)
        client.send(stream, b"", end=True)
        await client.until(lambda: stream in client.ended)

        assert (client.status[stream], app.closed) == ("200", [1006])


@on_both_loops
async def test_a_websocket_over_http2_that_breaks_off_says_so() -> None:
    async with serving(App()) as served, http2(served) as client:
        stream = client.request("/crash", "CONNECT", end=False, headers=CONNECT)
        await client.until(lambda: stream in client.ended)
        served.complaints.clear()

        assert bytes(client.data[stream]) == b"\x88\x02\x03\xf3"


# HTTP/1.1


@on_both_loops
async def test_an_upgrade_to_h2c_is_ignored() -> None:
    async with serving(App()) as served:
        reader, writer = await http1(
            served.port,
            b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: !\r\n\r\n",
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()

        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"hello")


@on_both_loops
async def test_the_server_does_not_say_what_it_is() -> None:
    async with serving(App()) as served:
        reader, writer = await http1(served.port, b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.close()

        assert b"\r\nserver:" not in head
        assert b"\r\ndate:" in head


@on_both_loops
async def test_a_slow_head_is_cut_and_an_open_stream_is_not() -> None:
    with patch.object(peer, "HEAD_TIMEOUT", 0.2):
        async with serving(App()) as served:
            reader, writer = await http1(served.port, b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            slow, slow_writer = await http1(served.port, b"GET /hello HTT")
            cut = await asyncio.wait_for(slow.read(), 5)
            got = await reader.readuntil(b"tick\n")
            writer.close()
            slow_writer.close()

            assert (cut, got.endswith(b"tick\n")) == (b"", True)
