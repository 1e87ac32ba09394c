"""A subscription against a fake server: what it yields, where it resumes, what ends it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from tests.client.peer import (
    Peer,
    Play,
    Still,
    answer,
    batch,
    event,
    hello,
    page,
    quote,
    refuse,
    snapshot,
    sse,
    trade,
    until,
    websocket,
)
from ticker.client import ClientError, Gap, Item, Quote, Snapshot, Subscription, Trade, subscribe
from ticker.core.codes import BadCursor, BadRequest


def follow(peer: Peer, **options: Any) -> Subscription:
    defaults: dict[str, Any] = {"random": Still(), "transports": ("sse",)}
    return subscribe(peer.url, **defaults | options)


async def take(subscription: Subscription, count: int) -> list[Item]:
    async with asyncio.timeout(3):
        return [await anext(subscription) for _ in range(count)]


async def take_all(subscription: Subscription) -> list[Item]:
    return [item async for item in subscription]


def times(items: list[Item]) -> list[int | str]:
    return [item.ts if isinstance(item, Quote | Trade) else type(item).__name__ for item in items]


async def test_yields_ticks_and_moves_its_cursor_along_with_them() -> None:
    stream = sse(hello("1-0"), quote("1-1"), batch("1-1", "1-5", trade("1-3"), quote("1-4")), end="hold")
    async with Peer(stream) as peer, follow(peer, cursor="1-0") as subscription:
        assert subscription.state == "connecting"
        items, cursors = [], []
        async for item in subscription:
            items.append(item)
            cursors.append(subscription.cursor)
            if len(items) == 3:
                break

        assert [
            Quote("A", 1.0, 1.0, 1.5, 2.0, 1),
            Trade("A", 1.25, 1.0, "buy", 3),
            Quote("A", 1.0, 1.0, 1.5, 2.0, 4),
        ] == items
        assert cursors == ["1-1", "1-3", "1-4"]
        assert (subscription.transport, subscription.state) == ("sse", "live")


async def test_asks_for_what_it_was_told_to_ask_for() -> None:
    options: dict[str, Any] = {"symbols": ["A", "B/C*"], "types": ("trade", "bar"), "interval": "5s", "conflate": 250}
    async with (
        Peer(sse(hello("1-0"), quote("1-1"))) as peer,
        follow(peer, **options, cursor="1-0", token="secret", session="x" * 16) as subscription,
    ):
        await take(subscription, 1)

        assert peer.asked[0].query == {
            "symbols": "A,B/C*",
            "types": "trade,bar",
            "interval": "5s",
            "conflate": "250",
            "batch": "1",
            "session": "x" * 16,
            "cursor": "1-0",
        }
        assert peer.asked[0].path == "/v1/stream"
        assert peer.asked[0].headers["authorization"] == "Bearer secret"


async def test_resumes_over_cuts_from_the_last_whole_event() -> None:
    plays = [
        sse(hello("1-0"), quote("1-1"), quote("1-2"), cut=1),
        sse(hello("1-1", "1-3"), quote("1-2"), quote("1-3"), quote("1-4")),
        sse(hello("1-4"), quote("1-5")),
    ]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0") as subscription:
        items = await take(subscription, 5)

        assert times(items) == [1, 2, 3, 4, 5]
        assert [asked.query["cursor"] for asked in peer.asked] == ["1-0", "1-1", "1-4"]
        assert len({asked.query["session"] for asked in peer.asked}) == 1
        statistics = subscription.statistics
        assert (statistics.received, statistics.reconnects, statistics.duplicates) == (5, 2, 0)


async def test_one_cursor_goes_over_all_transports() -> None:
    plays = [
        sse(hello("1-0"), quote("1-1")),
        Play(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        Play(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        websocket({"type": "ack"}, hello("1-1"), quote("1-2")),
        Play(b""),
        Play(b""),
        page("1-3", [quote("1-3")]),
        page("1-9", [], more=True),
        answer_garbage(),
        answer_garbage(),
        answer_garbage(),
        sse(hello("1-9"), quote("1-10")),
    ]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0", transports=("sse", "websocket", "poll")) as stream:
        assert times(await take(stream, 4)) == [1, 2, 3, 10]
        assert [(asked.path, asked.query["cursor"]) for asked in peer.asked] == [
            ("/v1/stream", "1-0"),
            ("/v1/stream", "1-1"),
            ("/v1/stream", "1-1"),
            ("/v1/ws", "1-1"),
            ("/v1/ws", "1-2"),
            ("/v1/ws", "1-2"),
            ("/v1/poll", "1-2"),
            ("/v1/poll", "1-3"),
            ("/v1/poll", "1-9"),
            ("/v1/poll", "1-9"),
            ("/v1/poll", "1-9"),
            ("/v1/stream", "1-9"),
        ]


def answer_garbage() -> Play:
    return Play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_streams_over_a_websocket(codec: Any) -> None:
    messages = [{"type": "ack"}, hello("1-0"), {"type": "news"}, batch("1-0", "1-2", quote("1-1"), trade("1-2"))]
    play = websocket(*messages, codec=codec, end="hold")
    async with Peer(play) as peer, follow(peer, transports=("websocket",), codec=codec, cursor="1-0") as subscription:
        assert times(await take(subscription, 2)) == [1, 2]
        assert f"ticker.v1.{codec}" == peer.asked[0].headers["sec-websocket-protocol"]
        assert peer.asked[0].query["symbols"] == "*"


async def test_polls_at_once_and_then_waits() -> None:
    async with (
        Peer(page("1-5", [], snapshot=snapshot("1-4")), page("1-7", [quote("1-7")])) as peer,
        follow(peer, transports=("poll",), snapshots=True) as subscription,
    ):
        items = await take(subscription, 2)

        assert times(items) == ["Snapshot", 7]
        assert [(asked.query["wait"], asked.query.get("cursor")) for asked in peer.asked] == [
            ("0", None),
            ("25", "1-5"),
        ]


async def test_yields_a_gap_and_the_snapshot_that_follows() -> None:
    gap = {"type": "gap", "from": "1-2", "to": "1-9", "lost": 8, "reason": "evicted"}
    play = sse(hello("1-9", follows="gap"), gap, snapshot("1-9"), quote("1-10"))
    async with Peer(play) as peer, follow(peer, cursor="1-1", snapshots=True) as subscription:
        items = await take(subscription, 3)

        assert Gap("1-2", "1-9", 8, "evicted") == items[0]
        assert isinstance(items[1], Snapshot)
        assert (items[1].cursor, items[1].quotes) == ("1-9", [Quote("A", 1.0, 1.0, 1.5, 2.0, 9)])
        assert (subscription.statistics.gaps, subscription.statistics.lost) == (1, 8)


@pytest.mark.parametrize("farewell", [{"type": "bye", "reason": "shutdown", "reconnect": True, "retry": 30}])
async def test_comes_back_after_a_farewell(farewell: dict[str, Any]) -> None:
    async with (
        Peer(sse(hello("1-0"), quote("1-1"), farewell, end="hold"), sse(hello("1-1"), quote("1-2"))) as peer,
        follow(peer, cursor="1-0") as subscription,
    ):
        assert times(await take(subscription, 2)) == [1, 2]
        assert peer.left == 1


async def test_waits_as_long_as_a_refusal_asks_for() -> None:
    async with (
        Peer(sse({"type": "refused", "code": "cut", "retry_after": 0.2}), sse(hello("1-0"), quote("1-1"))) as peer,
        follow(peer, cursor="1-0") as subscription,
    ):
        begin = asyncio.get_running_loop().time()
        first = asyncio.create_task(take(subscription, 1))
        await until(lambda: subscription.state == "refused")
        await first

        assert asyncio.get_running_loop().time() - begin >= 0.19
        assert len(peer.asked) == 2


async def test_comes_back_after_an_answer_that_passes() -> None:
    plays = [
        refuse(429, "rate_limited", "too many", "Retry-After: 0"),
        refuse(503, "not_ready", "no feed"),
        page("1-1", [quote("1-1")]),
    ]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0", transports=("poll",)) as subscription:
        assert times(await take(subscription, 1)) == [1]
        assert len(peer.asked) == 3


FINAL = {
    "sse": refuse(400, "bad_symbols", "a name is in capitals", field="symbols"),
    "poll": refuse(400, "bad_symbols", "a name is in capitals", field="symbols"),
    "websocket": refuse(400, "bad_symbols", "a name is in capitals", field="symbols"),
}


@pytest.mark.parametrize("transport", FINAL)
async def test_a_final_answer_ends_it_with_the_servers_reason(transport: str) -> None:
    async with Peer(FINAL[transport]) as peer, follow(peer, symbols="aapl", transports=(transport,)) as subscription:
        with pytest.raises(ClientError, match=r"bad_symbols: a name is in capitals \(symbols\)") as error:
            await take(subscription, 1)

        assert (error.value.code, error.value.field) == ("bad_symbols", "symbols")
        assert subscription.state == "closed"
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (websocket({"type": "error", "code": "bad_cursor", "message": "no"}), "bad_cursor"),
        (websocket(close=4509), "replaced"),
        (websocket(close=4001), "unauthorized"),
        (websocket(close=1009), "too_large"),
    ],
)
async def test_a_websocket_that_is_closed_for_good_ends_it(play: Play, code: str) -> None:
    async with Peer(play) as peer, follow(peer, transports=("websocket",)) as subscription:
        with pytest.raises(ClientError) as error:
            await take(subscription, 1)

        assert code == error.value.code


async def test_a_session_that_is_taken_over_ends_it() -> None:
    farewell = {"type": "bye", "reason": "replaced", "reconnect": False, "retry": 86400000}
    async with Peer(sse(hello("1-0"), farewell)) as peer, follow(peer) as subscription:
        with pytest.raises(ClientError, match="replaced: another connection has taken this session"):
            await take(subscription, 1)


@pytest.mark.parametrize(
    "play",
    [
        websocket(close=4029, reason="later"),
        websocket({"type": "error", "code": "rate_limited", "message": "later", "retry_after": 0.01}),
        websocket(close=1001),
        websocket({"type": "refused", "code": "draining", "retry_after": 0.01}, close=1013),
        Play(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_a_websocket_that_is_closed_for_now_comes_back(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticker.client.websocket.RATE_LIMITED_WAIT", 0.01)
    async with (
        Peer(play, websocket(hello("1-0"), quote("1-1"))) as peer,
        follow(peer, cursor="1-0", transports=("websocket",)) as subscription,
    ):
        assert times(await take(subscription, 1)) == [1]


async def test_a_transport_that_does_not_open_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticker.client.stream.OPEN_TIMEOUT", 0.2)
    plays = [sse(end="hold"), Play(b"", "hold"), page("1-1", [quote("1-1")])]
    async with (
        Peer(*plays) as peer,
        follow(peer, cursor="1-0", transports=("sse", "websocket", "poll")) as subscription,
    ):
        assert times(await take(subscription, 1)) == [1]
        assert [asked.path for asked in peer.asked] == ["/v1/stream", "/v1/ws", "/v1/poll"]
        await peer.wait_left(2)


async def test_a_page_in_the_place_of_a_stream_is_passed_over() -> None:
    page_of_a_proxy = answer(200, b"<html>", "Content-Type: text/html", end="close")
    async with (
        Peer(page_of_a_proxy, page_of_a_proxy, page("1-1", [quote("1-1")])) as peer,
        follow(peer, cursor="1-0", transports=("sse", "poll")) as subscription,
    ):
        assert times(await take(subscription, 1)) == [1]


async def test_a_stream_that_breaks_in_the_middle_is_resumed() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n"
    broken = Play(head + event(hello("1-0")) + event(quote("1-1")))
    async with Peer(broken, sse(hello("1-1"), quote("1-2"))) as peer, follow(peer, cursor="1-0") as subscription:
        assert times(await take(subscription, 2)) == [1, 2]


async def test_a_websocket_without_a_server_waits_on_its_transport() -> None:
    async with Peer() as peer:
        url = peer.url
    async with subscribe(url, random=Still(), transports=("websocket", "sse")) as subscription:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.3)

        assert (subscription.transport, subscription.state) == ("websocket", "reconnecting")


async def test_a_silent_connection_counts_as_dead_after_two_heartbeats() -> None:
    plays = [sse(hello("1-0", heartbeat=0.05), quote("1-1"), end="hold"), sse(hello("1-1"), quote("1-2"))]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0") as subscription:
        assert times(await take(subscription, 2)) == [1, 2]
        assert peer.left == 1


async def test_loss_without_a_word_is_counted_and_resumed_from_the_position() -> None:
    plays = [
        sse(hello("1-0"), quote("1-1"), batch("1-2", "1-3", quote("1-3"))),
        sse(hello("1-1"), quote("1-2"), quote("1-3")),
    ]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0") as subscription:
        assert times(await take(subscription, 3)) == [1, 2, 3]
        assert peer.asked[1].query["cursor"] == "1-1"
        assert subscription.statistics.violations == 1


async def test_an_endless_event_is_a_violation_not_a_memory_leak() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "
    plays = [Play(head + b"x" * 5 * 2**20), sse(hello("1-0"), quote("1-1"))]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0") as subscription:
        assert times(await take(subscription, 1)) == [1]
        assert subscription.statistics.violations == 1


async def test_closing_wakes_the_consumer_and_closes_the_socket() -> None:
    before = asyncio.all_tasks()
    async with Peer(sse(hello("1-0"), quote("1-1"), end="hold")) as peer:
        subscription = follow(peer, cursor="1-0")
        await take(subscription, 1)
        waiting = asyncio.create_task(take_all(subscription))
        await until(lambda: subscription._consumer is waiting)
        await subscription.aclose()

        assert await waiting == []
        await peer.wait_left(1)
        assert subscription.state == "closed"
        await subscription.aclose()
    assert before == asyncio.all_tasks()


async def test_a_cancelled_wait_closes_the_socket_and_the_next_one_resumes() -> None:
    plays = [sse(hello("1-0"), quote("1-1"), end="hold"), sse(hello("1-1"), quote("1-2"))]
    async with Peer(*plays) as peer, follow(peer, cursor="1-0") as subscription:
        await take(subscription, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.1)
        await peer.wait_left(1)

        assert times(await take(subscription, 1)) == [2]


async def test_a_dropped_subscription_closes_its_socket() -> None:
    async with Peer(sse(hello("1-0"), quote("1-1"), end="hold")) as peer:
        async for _ in follow(peer, cursor="1-0"):
            break
        await peer.wait_left(1)


async def test_reads_nothing_ahead_of_its_consumer() -> None:
    play = sse(hello("1-0"), quote("1-1"), *[{"type": "news", "text": "x" * 2**20}] * 40, quote("1-2"), end="hold")
    async with Peer(play) as peer, follow(peer, cursor="1-0") as subscription:
        await take(subscription, 1)
        seen = [-1]
        while seen[-1] != peer.pending():
            seen.append(peer.pending())
            await asyncio.sleep(0.1)

        assert seen[-1] > 20 * 2**20
        assert times(await take(subscription, 1)) == [2]


async def test_waits_for_a_server_that_is_not_there_on_the_same_transport() -> None:
    async with Peer() as peer:
        url = peer.url
    subscription = subscribe(url, random=Still())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(subscription), 0.5)

    assert (subscription.transport, subscription.state) == ("sse", "reconnecting")
    await subscription.aclose()


def test_refuses_what_it_can_tell_by_itself() -> None:
    with pytest.raises(BadCursor):
        subscribe("http://localhost", cursor="yesterday")
    with pytest.raises(BadRequest, match="sse, websocket, poll"):
        subscribe("http://localhost", transports=("pigeon",))  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="http://"):
        subscribe("localhost:8000")


def test_importing_the_client_imports_no_server() -> None:
    code = "import sys, ticker.client; print(sorted({'quart', 'hypercorn', 'feeds'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
