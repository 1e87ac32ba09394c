"""Ops over sockets: what they leave of a session for every other connection of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from wsproto.events import CloseConnection

from tests.support.fake_clock import FakeClock
from tests.support.live import Live, live
from tests.support.serving import eventually
from tests.support.sockets import JSON, MSGPACK, Socket, opened
from tests.support.streams import streaming
from tests.support.websocket import UPGRADE, WebSocketClient
from ticker.core.tick import Instrument, Quote, Trade
from ticker.web import ops

SESSION = "a-session-of-mine-1"


@pytest.fixture
async def clock() -> FakeClock:
    """Return the clock of ``timed``."""
    return FakeClock()


@pytest.fixture
async def timed(clock: FakeClock) -> AsyncIterator[Live]:
    """Serve by a clock that stands still."""
    async with live(clock=clock) as served:
        yield served


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
@pytest.mark.parametrize("identity", [0, -5, 2**53, "", "a\nb", "7"])
async def test_an_answer_has_the_id_of_its_op(server: Live, protocol: str, identity: object) -> None:
    async with opened(server, protocol=protocol) as socket:
        for op in ("ping", "cut"):
            await socket.send({"op": op, "id": identity})
            answer = await socket.receive()

            assert answer["id"] == identity
            assert type(answer["id"]) is type(identity)


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_an_op_without_an_id_has_an_answer_without_one(server: Live, protocol: str) -> None:
    async with opened(server, protocol=protocol) as socket:
        await socket.send({"op": "conflate", "ms": 5, "more": "is ignored"})
        answer = await socket.receive()

    assert answer == {
        "type": "error",
        "code": "bad_request",
        "message": "conflate is 0 (off) or 20 to 60000 milliseconds",
        "field": "conflate",
    }


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_every_ack_says_the_effective_state(server: Live, protocol: str) -> None:
    _, last = await server.publish_numbered(20)
    async with opened(server, protocol=protocol) as socket:
        acks = [
            await socket.ask("subscribe", symbols=["AAPL", "M*"]),
            await socket.ask("unsubscribe", symbols=["AAPL"], types=["quote"]),
            await socket.ask("unsubscribe", symbols=["MSFT"]),
            await socket.ask("set", symbols=["NEW"], types=["bar", "quote"], interval="5s"),
            await socket.ask("set", types=[]),
        ]

    common = {"type": "ack", "cursor": str(last)}
    assert acks == [
        {**common, "id": 1, "op": "subscribe", "symbols": ["AAPL", "M*"], "types": ["quote", "trade"], "unknown": []},
        {**common, "id": 2, "op": "unsubscribe", "symbols": ["M*"], "types": ["trade"], "unknown": []},
        {**common, "id": 3, "op": "unsubscribe", "symbols": ["M*"], "types": ["trade"], "unknown": []},
        {**common, "id": 4, "op": "set", "symbols": ["NEW"], "types": ["quote", "bar"], "unknown": ["NEW"]},
        {**common, "id": 5, "op": "set", "symbols": ["NEW"], "types": [], "unknown": ["NEW"]},
    ]


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_a_lost_place_is_a_gap_and_a_snapshot(server: Live, protocol: str) -> None:
    _, last = await server.publish([Quote("A", 1, 1, 2, 1, 5)])
    async with opened(server, "symbols=*", protocol) as socket:
        await socket.ask("stream", cursor="7-7")
        hello, gap, snapshot = [await socket.receive() for _ in range(3)]

    assert (hello["follows"], hello["resumed"], hello["replay"]) == ("gap", False, 0)
    assert gap == {"type": "gap", "from": "7-8", "to": str(last), "lost": None, "reason": "restarted"}
    quote = {"type": "quote", "symbol": "A", "bid": 1, "bid_size": 1, "ask": 2, "ask_size": 1, "ts": 5}
    assert snapshot == {
        "type": "snapshot", "cursor": str(last), "scope": "all", "quotes": [{**quote, "cursor": str(last)}],
        "trades": [],
    }  # fmt: skip


async def test_a_bar_has_no_cursor(server: Live) -> None:
    async with opened(server, "symbols=A&types=bar&interval=1s") as socket:
        await socket.ask("stream", cursor="latest")
        await socket.event("hello")
        await server.publish([Trade("A", 1.5, 2, None, 1_000_000), Trade("A", 1, 1, None, 2_000_000)])
        bar = await socket.receive()

    assert bar == {
        "type": "bar", "symbol": "A", "interval": "1s", "open": 1.5, "high": 1.5, "low": 1.5, "close": 1.5,
        "volume": 2, "trades": 1, "ts": 1_000_000,
    }  # fmt: skip


async def test_what_stream_says_wins_over_the_query(server: Live) -> None:
    first, _ = await server.publish_numbered(3)
    async with opened(server, f"symbols=*&batch=1&conflate=60000&cursor={first}") as socket:
        await socket.ask("stream", cursor="earliest", batch=False, conflate=0)
        hello, tick = await socket.receive(), await socket.receive()

    assert (hello["replay"], tick["type"]) == (3, "quote")


async def test_one_tick_has_the_same_bytes_on_every_transport(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish([Quote("A", 189.4, 3, 189.41, 5, 1_763_900_000_123_456)])
    async with opened(server, "symbols=A") as socket, streaming(server, "symbols=A&cursor=earliest") as reader:
        await socket.ask("stream", cursor="earliest")
        await socket.event("hello")
        text = await socket.connection.recv()
        event = await reader.event("quote")
    lines = await client.get("/v1/ticks?cursor=earliest", headers={"Accept": "application/x-ndjson"})

    epoch = server.node.tape.ring.epoch
    assert text == (
        '{"type":"quote","symbol":"A","bid":189.4,"bid_size":3,"ask":189.41,"ask_size":5,'
        f'"ts":1763900000123456,"cursor":"{epoch}-1"}}'
    )
    assert event.lines == ["event: quote", f"data: {text}", f"id: {epoch}-1"]
    assert lines.text.splitlines()[0] == text
    assert f'"ticks":[{text}]' in (await client.get("/v1/poll?cursor=earliest")).text


async def test_an_unknown_session_is_made_and_waits_for_its_stream(server: Live, client: httpx.AsyncClient) -> None:
    async with opened(server) as socket:
        made = await socket.ask("attach", session=SESSION)
        await socket.ask("set", symbols=["NVDA"])
        state = (await client.get(f"/v1/sessions/{SESSION}")).json()
        async with streaming(server, f"session={SESSION}") as reader:
            hello = await reader.event("hello")

    assert (made["symbols"], state["symbols"], state["connected"]) == ([], ["NVDA"], False)
    assert hello.data["symbols"] == ["NVDA"]


async def test_attaching_to_where_it_is_changes_nothing(server: Live) -> None:
    async with opened(server, f"session={SESSION}&symbols=A") as socket:
        for _ in range(10):
            assert (await socket.ask("attach", session=SESSION))["symbols"] == ["A"]
        for _ in range(10):
            assert (await socket.ask("attach", session=SESSION[::-1]))["symbols"] == []
        assert (await socket.ask("attach", session=SESSION))["symbols"] == ["A"]
        # Its own control connection only; the other session has none left.
        assert server.node.sessions.statistics() == {"sessions": 2, "idle": 1, "limit": 20_000}


async def test_a_bug_is_logged_and_closes_the_socket(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(ops, "snapshot", fail)
    async with opened(server) as socket:
        await socket.send({"op": "snapshot"})
        code = await socket.closed()

    assert (code, "secret" in (socket.connection.close_reason or "")) == (1011, False)
    assert any("socket_failed" in line for line in server.served.complaints)
    server.served.complaints.clear()


async def test_an_attached_socket_asks_for_the_others_snapshot(server: Live) -> None:
    await server.publish_numbered(10)
    async with streaming(server, f"session={SESSION}&symbols=MSFT") as reader, opened(server, "symbols=AAPL") as socket:
        await reader.event("hello")
        await socket.ask("attach", session=SESSION)
        theirs = (await socket.ask("snapshot"))["snapshot"]
        await socket.ask("detach")
        ours = (await socket.ask("snapshot"))["snapshot"]

    assert [quote["symbol"] for quote in theirs["quotes"]] == ["MSFT"]
    assert [quote["symbol"] for quote in ours["quotes"]] == ["AAPL"]


async def test_a_place_among_the_four_is_free_again_when_a_socket_leaves(server: Live) -> None:
    query = f"session={SESSION}"
    async with opened(server, query), opened(server, query), opened(server, query), opened(server) as fourth:
        await fourth.ask("attach", session=SESSION)
        async with opened(server) as fifth:
            refused = await fifth.ask("attach", session=SESSION)
            await fourth.ask("detach")
            allowed = await fifth.ask("attach", session=SESSION)
            refused_again = await fourth.ask("attach", session=SESSION)

    assert (refused["code"], refused["field"], refused["retry_after"]) == ("too_many", "session", 1)
    assert (allowed["type"], refused_again["code"]) == ("ack", "too_many")


async def test_each_transport_takes_the_session_over_from_the_one_before(
    server: Live, client: httpx.AsyncClient
) -> None:
    async with opened(server, f"session={SESSION}&symbols=*") as socket:
        await socket.ask("stream")
        async with streaming(server, f"session={SESSION}") as reader:
            bye, code = await socket.event("bye"), await socket.closed()
            poll = asyncio.create_task(client.get(f"/v1/poll?session={SESSION}&cursor=latest"))
            *_, last = await reader.rest()
        async with streaming(server, f"session={SESSION}") as reader:
            await reader.event("hello")
            answer = (await poll).json()

    assert (bye["reason"], bye["reconnect"], bye["retry"], code) == ("replaced", False, 86_400_000, 4509)
    assert (last.data["reason"], last.data["reconnect"]) == ("replaced", False)
    assert (answer["ticks"], answer["gap"], answer["more"]) == ([], None, False)


async def test_a_pause_outlives_a_reconnect(server: Live, client: httpx.AsyncClient) -> None:
    first, _ = await server.publish_numbered(5)
    async with streaming(server, f"session={SESSION}&cursor=earliest") as reader:
        await reader.event("heartbeat")
        await client.patch(f"/v1/sessions/{SESSION}", json={"op": "pause"})
    await server.publish_numbered(5, first=6)
    async with streaming(server, f"session={SESSION}&cursor={first}") as reader, opened(server) as socket:
        hello = await reader.event("hello")
        await socket.ask("attach", session=SESSION)
        await socket.ask("play")
        replayed = [await reader.next() for _ in range(9)]

    assert (hello.data["resumed"], hello.data["replay"], hello.data["cursor"]) == (True, 9, str(first))
    assert [event.id for event in replayed] == [f"{first.epoch}-{seq}" for seq in range(2, 11)]


async def test_a_cut_session_is_refused_on_every_transport_until_its_time_is_over(
    timed: Live, clock: FakeClock
) -> None:
    async with opened(timed, f"session={SESSION}&symbols=*") as socket:
        await socket.ask("stream", cursor="latest")
        ack = await socket.ask("cut", seconds=5)
        code = await socket.closed()
    await eventually(lambda: not timed.node.sockets)
    clock.now += 4_000_000

    async with httpx.AsyncClient(base_url=timed.url) as client, opened(timed, f"session={SESSION}") as again:
        poll = await client.get(f"/v1/poll?session={SESSION}&wait=0")
        async with streaming(timed, f"session={SESSION}") as reader:
            *_, retry, refused = await reader.rest()
        error = await again.ask("stream")
        clock.now += 1_000_000
        allowed = await again.ask("stream", cursor="latest")

    assert (ack["type"], code) == ("ack", 1006)
    assert (poll.status_code, poll.headers["Retry-After"]) == (503, "1")
    assert (poll.json()["error"]["code"], poll.json()["error"]["retry_after"]) == ("cut", 1)
    assert [line.partition(":")[0] for line in refused.lines] == ["event", "data"]
    assert (refused.name, refused.data["code"]) == ("refused", "cut")
    assert 1 <= refused.data["retry_after"] <= 1.5
    assert int(retry.field("retry")) == round(refused.data["retry_after"] * 1000)
    assert (error["type"], error["code"], error["retry_after"]) == ("error", "cut", 1)
    assert allowed["type"] == "ack"


async def test_another_socket_is_cut_without_a_bye(server: Live) -> None:
    async with opened(server, f"session={SESSION}&symbols=*") as streaming_socket, opened(server) as control:
        await streaming_socket.ask("stream", cursor="latest")
        await streaming_socket.event("hello")
        await control.ask("attach", session=SESSION)
        assert (await control.ask("cut"))["type"] == "ack"

        with pytest.raises(ConnectionClosed):
            await streaming_socket.receive()
        assert await streaming_socket.closed() == 1006
        assert (await control.ask("ping"))["type"] == "ack"


async def test_a_socket_is_cut_from_elsewhere_while_it_only_listens(server: Live, client: httpx.AsyncClient) -> None:
    async with opened(server, f"session={SESSION}") as socket:
        await socket.ask("stream", cursor="latest")
        answer = await client.patch(f"/v1/sessions/{SESSION}", json={"op": "cut", "seconds": 0})
        code = await socket.closed()

    assert (answer.status_code, answer.json()["symbols"], code) == (200, [], 1006)


@pytest.mark.parametrize("seconds", [-1, 60.1, float("nan"), float("inf"), "5", None])
async def test_a_cut_has_a_time_within_a_minute(server: Live, seconds: object) -> None:
    async with opened(server, "symbols=*", MSGPACK) as socket:
        await socket.ask("stream", cursor="latest")
        answer = await socket.ask("cut", seconds=seconds)

        assert (answer["type"], answer["code"], answer["field"]) == ("error", "bad_request", "seconds")
        assert (await socket.ask("ping"))["type"] == "ack"


async def test_sectors_and_globs_stand_for_their_symbols(server: Live) -> None:
    await server.node.bus.define([Instrument("XOM", sector="Energy"), Instrument("JPM", sector="Finance")])
    await server.publish([Quote(symbol, 1, 1, 2, 1, 5) for symbol in ("XOM", "JPM", "BTC-USD")])
    async with opened(server, "symbols=sector:Energy,*-USD") as socket:
        await socket.ask("stream", cursor="earliest")
        hello, first, second = [await socket.receive() for _ in range(3)]

    assert (hello["replay"], hello["symbols"]) == (2, ["sector:Energy", "*-USD"])
    assert [first["symbol"], second["symbol"]] == ["XOM", "BTC-USD"]


async def test_a_symbol_that_turns_up_under_a_glob_brings_no_snapshot(server: Live) -> None:
    async with opened(server, "symbols=N*,NEW") as socket:
        ack = await socket.ask("stream", cursor="latest")
        await socket.event("hello")
        await server.publish([Quote("NEW", 1, 1, 2, 1, 5), Quote("NEWER", 1, 1, 2, 1, 5)])
        events = [await socket.receive() for _ in range(2)]
        known = await socket.ask("ping")

    assert (ack["unknown"], known["unknown"]) == (["NEW"], [])
    assert [event["symbol"] for event in events] == ["NEW", "NEWER"]


@pytest.mark.parametrize("frame", [b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"\x81\x81\x00\x00\x00\x00\xc3"])
async def test_text_that_is_not_utf_8_closes_the_socket(server: Live, frame: bytes) -> None:
    client = await WebSocketClient.connect(server.port, UPGRADE.replace(b"/ws", b"/v1/ws"))
    client.writer.write(frame)
    events = await client.events()

    assert [event.code for event in events if isinstance(event, CloseConnection)] == [1007]


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_an_empty_message_is_a_bad_one(server: Live, protocol: str) -> None:
    async with opened(server, protocol=protocol) as socket:
        await socket.connection.send("" if protocol == JSON else b"")

        assert (await socket.receive())["code"] == "bad_request"


async def test_what_a_socket_publishes_its_own_stream_brings(server: Live) -> None:
    async with opened(server, "symbols=A") as socket:
        await socket.ask("stream", cursor="latest")
        ack = await socket.ask("publish", ticks=[{"type": "trade", "symbol": "A", "price": 2, "size": 1, "ts": 7}])
        trade = await socket.event("trade")

    assert (ack["accepted"], ack["first"], ack["last"]) == (1, trade["cursor"], trade["cursor"])
    assert (trade["price"], trade["side"], trade["ts"]) == (2, None, 7)


async def numbers(socket: Socket) -> tuple[int, int]:
    """Return the counts in the next heartbeat, and in the hello before it."""
    hello = await socket.event("hello")
    return hello["replay"], (await socket.event("heartbeat"))["sent"]


async def test_a_heartbeat_ends_a_replay_and_only_a_replay(server: Live) -> None:
    await server.publish_numbered(700)
    async with opened(server, "symbols=AAPL,MSFT&cursor=earliest") as socket:
        await socket.ask("stream")
        replay, sent = await numbers(socket)
        await socket.ask("stream", cursor="latest")
        await socket.event("hello")
        await server.publish_numbered(5, first=701)

        assert (await socket.receive())["type"] == "quote"
    assert replay == sent == 280
