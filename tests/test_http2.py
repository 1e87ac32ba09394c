"""HTTP/2 against the whole server: prior knowledge on the plain port, ALPN on the one with TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage

from tests.support.live import Live, live
from tests.support.raw_http2 import RawHttp2
from tests.support.serving import eventually, on_both_loops, trusting
from ticker.core.eventstream import EventStreamParser, ServerEvent

CONNECT = {":protocol": "websocket", "sec-websocket-version": "13", "sec-websocket-protocol": "ticker.v1.json"}
JSON = {"content-type": "application/json"}
SESSION = "a-session-of-its-own"


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the development certificate out of the user's own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@asynccontextmanager
async def connected(port: int, **options: Any) -> AsyncIterator[RawHttp2]:
    """Connect to a port, without TLS by prior knowledge."""
    client = await RawHttp2.connect(port, **options)
    try:
        yield client
    finally:
        await client.close()


def events(client: RawHttp2, stream: int) -> list[ServerEvent]:
    """Return the events that have come on a stream."""
    parser = EventStreamParser()
    parser.feed(bytes(client.data[stream]))
    return list(parser.events())


def names(client: RawHttp2, stream: int) -> list[str]:
    """Return the names of the events that have come."""
    return [event.name for event in events(client, stream)]


def numbers(client: RawHttp2, stream: int) -> list[int]:
    """Return the numbers of the ticks that have come, in order."""
    return [
        data.get("bid_size") or data["size"]
        for event in events(client, stream)
        if event.name in ("quote", "trade")
        for data in [json.loads(event.data)]
    ]


def wait(client: RawHttp2, stream: int) -> int:
    """Return the newest ``retry:`` of a stream, in milliseconds."""
    return int(bytes(client.data[stream]).rpartition(b"retry: ")[2].partition(b"\n")[0])


def has(client: RawHttp2, stream: int, name: str) -> bool:
    """Say whether an event of this name has come."""
    return name in names(client, stream)


async def opened(client: RawHttp2, path: str = "/v1/stream", **headers: str) -> int:
    """Open an event stream and wait for its hello."""
    stream = client.request(path, headers=headers)
    await client.until(lambda: has(client, stream, "hello"))
    return stream


async def patch(client: RawHttp2, session: str, command: dict[str, object]) -> None:
    """Send an op for a session as a request of the same connection."""
    request = client.request(f"/v1/sessions/{session}", "PATCH", end=False, headers=JSON)
    client.send(request, json.dumps(command).encode(), end=True)
    await client.until(lambda: request in client.ended)

    assert client.status[request] == "200"


class Http2Socket:
    """A WebSocket on one stream of an HTTP/2 connection (RFC 8441)."""

    def __init__(self, client: RawHttp2, stream: int) -> None:
        self._client, self._stream = client, stream
        self._wsproto = Connection(ConnectionType.CLIENT)
        self._read = 0
        # The messages that have come, and the code with which the server closed.
        self.messages: list[dict[str, Any]] = []
        self.code: int | None = None

    @classmethod
    async def open(cls, client: RawHttp2, path: str = "/v1/ws") -> Http2Socket:
        """Shake hands."""
        stream = client.request(path, "CONNECT", end=False, headers=CONNECT)
        await client.until(lambda: stream in client.status)

        assert client.status[stream] == "200"
        return cls(client, stream)

    def send(self, **command: object) -> None:
        """Send an op."""
        self._client.send(self._stream, self._wsproto.send(TextMessage(data=json.dumps(command))))

    async def until(self, kind: str, count: int = 1) -> None:
        """Read until so many messages of a type have come."""
        await self._client.until(lambda: sum(each["type"] == kind for each in self._take()) >= count)

    async def end(self) -> None:
        """Read until the server closes."""
        await self._client.until(lambda: self._take() is not None and self.code is not None)

    def _take(self) -> list[dict[str, Any]]:
        data = bytes(self._client.data[self._stream])
        self._wsproto.receive_data(data[self._read :])
        self._read = len(data)
        for event in self._wsproto.events():
            if isinstance(event, TextMessage):
                self.messages.append(json.loads(event.data))
            elif isinstance(event, CloseConnection):
                self.code = event.code
        return self.messages


# Streams and requests on one connection


@on_both_loops
async def test_two_thousand_requests_leave_the_stream_beside_them_open() -> None:
    async with live() as server, connected(server.port) as client:
        stream = await opened(client)
        for _ in range(40):
            asked = {client.request("/healthz") for _ in range(50)}
            await client.until(partial(asked.issubset, client.ended))
        await server.publish_numbered(10)
        await client.until(lambda: len(numbers(client, stream)) >= 10)

        assert numbers(client, stream) == list(range(1, 11))
        assert (client.goaway, len(client.ended)) == (None, 2000)


@on_both_loops
async def test_event_streams_leave_room_for_requests() -> None:
    async with live() as server, connected(server.port) as client:
        streams = [client.request("/v1/stream") for _ in range(95)]
        await client.until(lambda: all(names(client, stream) for stream in streams))
        first = [names(client, stream)[0] for stream in streams]
        refused = streams[first.index("refused")]
        answer = client.request("/healthz")
        await client.until(lambda: answer in client.ended)
        data = json.loads(events(client, refused)[0].data)

        assert (first.count("hello"), first.count("refused")) == (90, 5)
        assert (client.status[refused], data["code"], refused in client.ended) == ("200", "overloaded", True)
        assert client.status[answer] == "200"

        client.reset(streams[first.index("hello")])
        await client.round_trip()
        await opened(client)


@on_both_loops
async def test_refused_streams_come_back_at_different_times() -> None:
    async with live(h2_max_concurrent_streams=20) as server, connected(server.port) as client:
        streams = [client.request("/v1/stream") for _ in range(19)]
        await client.until(lambda: all(names(client, stream) for stream in streams))
        waits = [wait(client, stream) for stream in streams if has(client, stream, "refused")]

        assert (len(waits), len(set(waits))) == (9, 9)
        assert 5000 <= min(waits) <= max(waits) <= 7500


@on_both_loops
async def test_a_stream_that_is_taken_back_is_noticed_within_a_second() -> None:
    async with live() as server, connected(server.port) as client:
        stream = await opened(client, f"/v1/stream?session={SESSION}")
        gone, stays = stream, await opened(client)
        client.reset(gone)
        begin = time.monotonic()
        await eventually(lambda: len(server.node.fanout) == 1, seconds=1)
        print(f"RST_STREAM noticed after {1000 * (time.monotonic() - begin):.1f} ms")
        session = server.node.sessions.get(SESSION, "127.0.0.1")
        await server.publish_numbered(1)
        await client.until(lambda: numbers(client, stays))

        assert session is not None
        assert not session.connected
        assert numbers(client, stays) == [1]


@on_both_loops
async def test_a_cut_ends_its_stream_only_and_the_stream_resumes() -> None:
    async with live() as server, connected(server.port) as client:
        stays = await opened(client)
        path, last = f"/v1/stream?session={SESSION}", ""
        got: list[int] = []
        for first in range(1, 41, 10):
            stream = await opened(client, path, **({"last-event-id": last} if last else {}))
            await server.publish_numbered(5, first)
            await client.until(lambda: first + 4 in numbers(client, stream))  # noqa: B023
            await patch(client, SESSION, {"op": "cut"})
            await client.until(lambda: stream in client.resets)  # noqa: B023
            await server.publish_numbered(5, first + 5)
            got, last = got + numbers(client, stream), events(client, stream)[-1].id
        stream = await opened(client, path, **{"last-event-id": last})
        await client.until(lambda: 40 in numbers(client, stream) and 40 in numbers(client, stays))

        assert got + numbers(client, stream) == list(range(1, 41))
        assert numbers(client, stays) == list(range(1, 41))


@on_both_loops
async def test_a_poll_that_is_cut_has_no_answer() -> None:
    async with live() as server, connected(server.port) as client, httpx.AsyncClient(base_url=server.url) as http:
        path = f"/v1/poll?session={SESSION}&cursor=latest"
        over_http2 = client.request(path)
        await eventually(lambda: len(server.node.fanout) == 1)
        await patch(client, SESSION, {"op": "cut"})
        await client.until(lambda: over_http2 in client.resets)
        over_http1 = asyncio.create_task(http.get(path))
        await eventually(lambda: len(server.node.fanout) == 1)
        await patch(client, SESSION, {"op": "cut"})
        with pytest.raises(httpx.TransportError):
            await over_http1

        assert over_http2 not in client.status


@on_both_loops
async def test_a_reader_without_credit_is_told_what_it_missed_and_holds_up_nobody() -> None:
    async with live(ring_size=1000) as server, connected(server.port) as other:
        beside = await opened(other)
        async with connected(server.port, gives_credit=False) as slow:
            stream = await opened(slow)
            await slow.until(lambda: has(slow, stream, "snapshot"))
            for first in range(1, 4001, 800):
                await server.publish_numbered(800, first)
                await other.until(lambda: first + 799 in numbers(other, beside)[-1:])  # noqa: B023
            await slow.until(lambda: slow.h2.remote_flow_control_window(stream) <= 0)
            arrived = len(slow.data[stream])
            slow.h2.increment_flow_control_window(10_000_000)
            slow.h2.increment_flow_control_window(10_000_000, stream)
            slow.flush()
            await slow.until(lambda: has(slow, stream, "gap") and names(slow, stream)[-1] == "snapshot")
            gap = next(json.loads(event.data) for event in events(slow, stream) if event.name == "gap")
            before = numbers(slow, stream)

        assert arrived <= 65_535
        assert before == list(range(1, len(before) + 1))
        assert (gap["reason"], gap["lost"]) == ("slow", 4000 - len(before))
        assert numbers(other, beside) == list(range(1, 4001))


@on_both_loops
async def test_a_drain_says_bye_and_then_goaway() -> None:
    async with live() as server, connected(server.port) as client:
        stream = await opened(client)
        server.served.shutdown.set()
        await client.end()
        bye = events(client, stream)[-1]

        assert (bye.name, json.loads(bye.data)["reason"]) == ("bye", "shutdown")
        assert (stream in client.ended, client.resets, client.goaway) == (True, {}, 0)


# WebSocket over HTTP/2


@on_both_loops
async def test_a_websocket_subscribes_streams_and_is_closed_in_a_drain() -> None:
    async with live() as server, connected(server.port) as client:
        socket = await Http2Socket.open(client)
        socket.send(op="subscribe", symbols=["AAPL", "MSFT"], id=1)
        socket.send(op="stream", id=2)
        await socket.until("snapshot")
        await server.publish_numbered(100)
        await socket.until("quote", 34)
        server.served.shutdown.set()
        await socket.end()
        ticks = [each for each in socket.messages if each["type"] in ("quote", "trade")]

        assert [each["id"] for each in socket.messages if each["type"] == "ack"] == [1, 2]
        assert [each.get("bid_size") or each["size"] for each in ticks] == [n for n in range(1, 101) if n % 5 in (0, 1)]
        assert (socket.messages[-1]["type"], socket.code) == ("bye", 1001)


@on_both_loops
async def test_sockets_resume_on_one_connection() -> None:
    async with live() as server, connected(server.port) as client:
        cursor = "latest"
        got: list[int] = []
        for first in range(1, 31, 10):
            socket = await Http2Socket.open(client, f"/v1/ws?session={SESSION}&symbols=*")
            socket.send(op="stream", cursor=cursor)
            await socket.until("hello")
            await server.publish_numbered(5, first)
            await client.until(lambda: first + 4 in _numbers(socket))  # noqa: B023
            socket.send(op="cut")
            await client.until(lambda: client.resets)
            client.resets.clear()
            await server.publish_numbered(5, first + 5)
            got, cursor = got + _numbers(socket), socket.messages[-2]["cursor"]
        socket = await Http2Socket.open(client, f"/v1/ws?session={SESSION}&symbols=*")
        socket.send(op="stream", cursor=cursor)
        await client.until(lambda: 30 in _numbers(socket))

        assert got + _numbers(socket) == list(range(1, 31))


def _numbers(socket: Http2Socket) -> list[int]:
    found = [each for each in socket._take() if each["type"] in ("quote", "trade")]
    return [each.get("bid_size") or each["size"] for each in found]


# TLS


@on_both_loops
async def test_the_port_with_tls_speaks_http2_and_http1() -> None:
    async with live(tls=True) as server:
        async with connected(server.served.tls_port, tls=trusting()) as client:
            stream = await opened(client)
            await server.publish_numbered(10)
            await client.until(lambda: 10 in numbers(client, stream))
        context = trusting()
        context.set_alpn_protocols(["http/1.1"])
        async with httpx.AsyncClient(verify=context) as old, httpx.AsyncClient(verify=trusting(), http2=True) as new:
            answers = [await http.get(f"{server.served.urls[1]}/healthz") for http in (old, new)]

        assert numbers(client, stream) == list(range(1, 11))
        assert [answer.http_version for answer in answers] == ["HTTP/1.1", "HTTP/2"]


@on_both_loops
async def test_old_versions_of_tls_are_refused() -> None:
    async with live(tls=True) as server:
        context = trusting()
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(verify=context) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"{server.served.urls[1]}/healthz")


# Measured


@on_both_loops
async def test_the_first_event_comes_soon_whatever_carries_it() -> None:
    async with live(tls=True) as server:
        plain, secure = server.served.urls
        waits = {
            "HTTP/1.1": await first_events(plain),
            "HTTP/1.1 and TLS": await first_events(secure),
            "HTTP/2 and TLS": await first_events(secure, http2=True),
            "HTTP/2": await first_events(plain, http1=False, http2=True),
        }
        for name, seconds in waits.items():
            print(f"first event over {name}: median {1000 * median(seconds):.1f} ms, most {1000 * max(seconds):.1f} ms")

        assert await _hellos(server) == 80


async def first_events(url: str, **versions: bool) -> list[float]:
    """Measure twenty times how long a stream's first event takes, the connection's making included."""
    waits = []
    for _ in range(20):
        async with httpx.AsyncClient(verify=trusting(), **versions) as http:  # type: ignore[arg-type]
            begin = time.monotonic()
            async with http.stream("GET", f"{url}/v1/stream") as answer:
                async for line in answer.aiter_lines():
                    if line == "event: hello":
                        break
                waits.append(time.monotonic() - begin)
    return waits


async def _hellos(server: Live) -> int:
    """Count the sessions that the streams have left behind, one each."""
    await eventually(lambda: len(server.node.fanout) == 0)
    return len(server.node.sessions)
