from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.support.live import Live, live
from tests.support.serving import eventually
from tests.support.sockets import JSON, MSGPACK, opened
from ticker.core.tick import Quote, Trade

SESSION = "a-session-of-mine-1"


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_streams_what_is_subscribed(server: Live, protocol: str) -> None:
    await server.publish([Quote("A", 1.5, 1, 2, 1, 5), Quote("B", 1, 1, 2, 1, 5)])
    async with opened(server, protocol=protocol) as socket:
        ack = await socket.ask("subscribe", symbols=["A", "NEW"])
        started = await socket.ask("stream")
        hello, snapshot = await socket.receive(), await socket.receive()
        _, last = await server.publish([Quote("B", 1, 2, 2, 1, 6), Trade("A", 1.5, 2, "buy", 6)])
        tick = await socket.receive()

    epoch = last.epoch
    assert ack == {
        "type": "ack", "op": "subscribe", "id": 1, "symbols": ["A", "NEW"], "types": ["quote", "trade"],
        "unknown": ["NEW"], "cursor": f"{epoch}-2",
    }  # fmt: skip
    assert started["type"] == "ack"
    assert (hello["type"], hello["follows"], hello["symbols"]) == ("hello", "snapshot", ["A", "NEW"])
    assert (snapshot["cursor"], [quote["symbol"] for quote in snapshot["quotes"]]) == (f"{epoch}-2", ["A"])
    assert tick == {
        "type": "trade", "symbol": "A", "price": 1.5, "size": 2, "side": "buy", "ts": 6, "cursor": f"{epoch}-4",
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_batches_name_their_ends(server: Live, protocol: str) -> None:
    first, last = await server.publish_numbered(50)
    async with opened(server, f"symbols=*&batch=1&cursor={first}", protocol) as socket:
        await socket.ask("stream")
        hello, ticks, heartbeat = (
            await socket.event("hello"),
            await socket.event("ticks"),
            await socket.event("heartbeat"),
        )

    assert (hello["resumed"], hello["replay"], hello["cursor"]) == (True, 49, str(first))
    assert (ticks["from"], ticks["to"], ticks["cursor"], len(ticks["ticks"])) == (str(first), str(last), str(last), 49)
    assert (heartbeat["cursor"], heartbeat["newest"], heartbeat["sent"]) == (str(last), str(last), 49)


async def test_nothing_flows_before_stream_and_no_symbols_are_none(server: Live) -> None:
    async with opened(server) as socket:
        await server.publish_numbered(10)
        await socket.ask("ping")
        assert socket.events == []

        await socket.ask("stream", cursor="earliest")
        hello = await socket.event("hello")

    assert (hello["symbols"], hello["replay"]) == ([], 0)


async def test_names_taken_away_send_nothing_after_the_ack(server: Live) -> None:
    async with opened(server, "symbols=A,B") as socket:
        await socket.ask("stream", cursor="latest")
        ack = await socket.ask("unsubscribe", symbols=["A"])
        socket.events.clear()
        await server.publish([Quote("A", 1, 1, 2, 1, 5), Quote("B", 1, 1, 2, 1, 5)])
        changed, tick = await socket.receive(), await socket.receive()

    assert ack["symbols"] == ["B"]
    assert (changed["type"], changed["symbols"], changed["unknown"]) == ("subscription", ["B"], ["B"])
    assert tick["symbol"] == "B"


async def test_names_added_come_with_their_snapshot(server: Live) -> None:
    await server.publish([Quote("A", 1, 1, 2, 1, 5), Quote("B", 1, 7, 2, 1, 5)])
    async with opened(server, "symbols=A") as socket:
        await socket.ask("stream", cursor="latest")
        ack = await socket.ask("set", symbols=["A", "B"])
        changed, added = await socket.event("subscription"), await socket.event("snapshot")

    assert changed["cursor"] == added["cursor"] == ack["cursor"]
    assert (added["scope"], [quote["bid_size"] for quote in added["quotes"]]) == ("added", [7])


async def test_what_was_subscribed_before_the_first_stream_holds_for_its_whole_replay(server: Live) -> None:
    first, _ = await server.publish_numbered(10)
    async with opened(server) as socket:
        await socket.ask("subscribe", symbols=["*"])
        await socket.ask("stream", cursor=str(first), batch=True)
        hello, ticks = await socket.event("hello"), await socket.event("ticks")

    assert (hello["symbols"], hello["replay"], len(ticks["ticks"])) == (["*"], 9, 9)


async def test_a_second_stream_begins_anew(server: Live) -> None:
    first, _ = await server.publish_numbered(10)
    async with opened(server, "symbols=*") as socket:
        await socket.ask("stream", cursor="earliest", batch=True)
        assert (await socket.event("heartbeat"))["sent"] == 10

        await socket.ask("stream", cursor=str(first), batch=True)

        assert (await socket.event("hello"))["replay"] == 9
        assert (await socket.event("heartbeat"))["sent"] == 9


async def test_asks_for_snapshot_instruments_and_time(server: Live) -> None:
    await server.publish_numbered(10)
    async with opened(server, "symbols=AAPL") as socket:
        snapshot = (await socket.ask("snapshot"))["snapshot"]
        instruments = (await socket.ask("list"))["instruments"]
        moment = (await socket.ask("ping"))["ts"]
        auth = await socket.ask("auth", token="any")

    assert {quote["symbol"] for quote in snapshot["quotes"]} == {"AAPL"}
    assert len(instruments) == 5
    assert abs(moment - server.node.clock()) < 10_000_000
    assert auth["type"] == "ack"


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
async def test_publishes(server: Live, protocol: str) -> None:
    trade = {"type": "trade", "symbol": "A", "price": 1, "size": 1, "ts": 5}
    async with opened(server, protocol=protocol) as socket:
        answer = await socket.ask("publish", ticks=[trade, trade])
        wrong = await socket.ask("publish", ticks=[trade, {**trade, "size": -1}])
        untyped = await socket.ask("publish", ticks=[{"type": "trade"}])

    epoch = server.node.tape.ring.epoch
    assert (answer["accepted"], answer["first"], answer["last"]) == (2, f"{epoch}-1", f"{epoch}-2")
    assert (wrong["type"], wrong["code"], wrong["field"]) == ("error", "bad_request", "ticks[1].size")
    assert untyped["field"].startswith("ticks[0]")
    assert server.node.tape.ring.newest == 2


async def test_pauses_and_plays_from_the_same_place(server: Live) -> None:
    async with opened(server, "symbols=*") as socket:
        await socket.ask("stream", cursor="latest", batch=True)
        await socket.ask("pause")
        await server.publish_numbered(20)
        await asyncio.sleep(0.05)
        await socket.ask("ping")
        assert [event["type"] for event in socket.events] == ["hello"]

        await socket.ask("play")

        assert len((await socket.event("ticks"))["ticks"]) == 20


async def test_conflates_when_told_to(server: Live) -> None:
    async with opened(server, "symbols=*") as socket:
        assert (await socket.ask("conflate", ms=1))["code"] == "bad_request"
        await socket.ask("conflate", ms=100)
        await socket.ask("stream", batch=True, cursor="latest")
        await server.publish([Quote("A", 1, size, 2, 1, 5) for size in range(1, 51)])
        ticks = (await socket.event("ticks"))["ticks"]

    assert [tick["bid_size"] for tick in ticks] == [50]


async def test_controls_the_stream_of_another_session(server: Live) -> None:
    url = f"{server.url}/v1/stream?session={SESSION}&symbols=A"
    async with httpx.AsyncClient() as client, client.stream("GET", url) as stream, opened(server) as socket:
        lines = stream.aiter_lines()
        await socket.ask("attach", session=SESSION)
        ack = await socket.ask("subscribe", symbols=["B"])
        found = [line async for line in _until(lines, "event: subscription")]
        detached = await socket.ask("detach")

        assert ack["symbols"] == ["A", "B"]
        assert found
        assert detached["symbols"] == []
        assert socket.events == []
        assert (await socket.ask("attach", session="short"))["code"] == "bad_request"


async def _until(lines: AsyncIterator[str], wanted: str) -> AsyncIterator[str]:
    async with asyncio.timeout(5):
        async for line in lines:
            yield line
            if line == wanted:
                return


async def test_cuts_another_stream_and_refuses_it_meanwhile(server: Live) -> None:
    url = f"{server.url}/v1/stream?session={SESSION}"
    async with httpx.AsyncClient() as client, opened(server) as socket:
        async with client.stream("GET", url) as stream:
            await socket.ask("attach", session=SESSION)
            await socket.ask("cut", seconds=5)
            with pytest.raises(httpx.RemoteProtocolError):
                await stream.aread()
        again = await client.get(url)

    assert "event: refused" in again.text
    assert '"code":"cut"' in again.text


async def test_cuts_itself_after_the_ack(server: Live) -> None:
    async with opened(server, "symbols=*") as socket:
        assert (await socket.ask("cut", seconds=0))["code"] == "not_found"
        await socket.ask("stream")
        assert (await socket.ask("cut", seconds=5))["type"] == "ack"
        assert await socket.closed() == 1006


async def test_a_fifth_control_connection_is_too_many(server: Live) -> None:
    sockets = [opened(server) for _ in range(5)]
    entered = [await each.__aenter__() for each in sockets]
    answers = [await socket.ask("attach", session=SESSION) for socket in entered]
    async with opened(server, f"session={SESSION}") as refused:
        message = await refused.receive()
        code = await refused.closed()
    for each in sockets:
        await each.__aexit__(None, None, None)

    assert [answer["type"] for answer in answers] == ["ack"] * 4 + ["error"]
    assert answers[4]["code"] == "too_many"
    assert (message["type"], message["code"], code) == ("refused", "too_many", 1013)
    await eventually(lambda: server.node.sessions.statistics()["idle"] == len(server.node.sessions))


async def test_a_newer_stream_of_the_session_replaces_it(server: Live) -> None:
    async with opened(server, f"session={SESSION}&symbols=*") as older, opened(server, f"session={SESSION}") as newer:
        await older.ask("stream")
        await newer.ask("stream")
        bye = await older.event("bye")

        assert (bye["reason"], bye["reconnect"], bye["retry"]) == ("replaced", False, 86_400_000)
        assert await older.closed() == 4509


async def test_a_stream_has_a_lifetime_and_its_socket_with_it() -> None:
    async with live(stream_lifetime=1) as server, opened(server, "symbols=*") as socket:
        await socket.ask("stream")
        bye = await socket.event("bye")

        assert (bye["reason"], bye["reconnect"], await socket.closed()) == ("lifetime", True, 1001)


async def test_a_socket_is_logged_when_it_opens_and_when_it_closes(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ticker")
    await server.publish_numbered(10)
    async with opened(server, f"session={SESSION}&symbols=*") as socket:
        await socket.ask("auth", token="a secret")
        await socket.ask("stream", cursor="earliest")
        await socket.event("heartbeat")
    async with opened(server, f"session={SESSION}") as socket:
        for _ in range(10):
            await socket.send([])
        await socket.closed()
    await eventually(lambda: not server.node.sockets)

    records = [record for record in caplog.records if record.name == "ticker.web.websocket"]
    assert [record.message for record in records] == ["socket_opened", "socket_closed"] * 2
    first, second = (vars(record)["facts"] for record in records[1::2])
    assert (first["reason"], first["sent"], first["gaps"]) == ("disconnected", 10, 0)
    assert (second["reason"], second["sent"]) == ("bad_message", 0)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("streams", [True, False])
async def test_says_bye_at_a_drain(server: Live, streams: bool) -> None:
    async with opened(server, "symbols=*") as socket:
        await socket.ask("stream" if streams else "ping")
        draining = asyncio.create_task(server.node.drain())
        bye = await socket.event("bye")
        code = await socket.closed()
        await draining

    assert (bye["reason"], bye["reconnect"], code) == ("shutdown", True, 1001)
    assert 1000 <= bye["retry"] <= 2000


async def test_a_draining_server_refuses_in_band(server: Live) -> None:
    server.node.draining = True
    async with opened(server) as socket:
        refused = await socket.receive()

        assert (refused["type"], refused["code"]) == ("refused", "draining")
        assert 1 <= refused["retry_after"] <= 3
        assert await socket.closed() == 1013


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ("{", "bad_request", None),
        ("[]", "bad_request", None),
        ('{"op":"jump","id":7}', "bad_request", "op"),
        ('{"op":3}', "bad_request", "op"),
        ('{"id":7}', "bad_request", "op"),
        ("[" * 200 + "]" * 200, "bad_request", None),
        ('{"op":"ping","id":[]}', "bad_request", "id"),
        ('{"op":"conflate","ms":"x","id":7}', "bad_request", "ms"),
        ('{"op":"subscribe","symbols":["a"],"id":7}', "bad_symbols", "symbols[0]"),
        ('{"op":"subscribe","symbols":"A","id":7}', "bad_request", "symbols"),
        ('{"op":"subscribe","types":["x"],"id":7}', "bad_request", "types[0]"),
        ('{"op":"set","interval":"2s","id":7}', "bad_request", "interval"),
        ('{"op":"stream","cursor":"x","id":7}', "bad_cursor", "cursor"),
        ('{"op":"stream","conflate":5,"id":7}', "bad_request", "conflate"),
    ],
)
async def test_a_wrong_message_is_an_error_and_changes_nothing(
    server: Live, message: str, code: str, field: str | None
) -> None:
    async with opened(server, "symbols=A") as socket:
        before = await socket.ask("ping")
        await socket.connection.send(message)
        answer = await socket.receive()
        after = await socket.ask("ping")

    assert (answer["type"], answer["code"], answer.get("field")) == ("error", code, field)
    assert (after["symbols"], after["types"]) == (before["symbols"], before["types"])
    assert len(server.node.fanout) == 0


async def test_a_list_over_the_limit_is_refused_whole(server: Live) -> None:
    async with opened(server) as socket:
        assert (await socket.ask("subscribe", symbols=[f"A{number}" for number in range(1000)]))["type"] == "ack"
        assert (await socket.ask("subscribe", symbols=["B"]))["code"] == "bad_symbols"
        assert len((await socket.ask("ping"))["symbols"]) == 1000


async def test_ten_bad_messages_end_it(server: Live) -> None:
    async with opened(server) as socket:
        for _ in range(10):
            await socket.connection.send("nonsense")

        assert await socket.closed() == 4503


async def test_who_asks_on_is_sent_away_all_the_same(server: Live) -> None:
    async with opened(server) as socket:
        for _ in range(10):
            await socket.connection.send("nonsense")
        for _ in range(100):
            await socket.send({"op": "ping"})
        answers = [await socket.receive() for _ in range(10)]

        assert await socket.closed() == 4503
    assert {answer["type"] for answer in answers} == {"error"}


@pytest.mark.parametrize(
    ("protocol", "message", "code"), [(JSON, b"{}", 1003), (MSGPACK, "{}", 1003), (JSON, "x" * 70_000, 1009)]
)
async def test_wrong_frames_close_it(server: Live, protocol: str, message: str | bytes, code: int) -> None:
    async with opened(server, protocol=protocol) as socket:
        await socket.connection.send(message)

        assert await socket.closed() == code


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("types=x", {}, 400),
        ("symbols=a", {}, 400),
        ("session=x", {}, 400),
        ("", {"Origin": "http://evil.example"}, 403),
        (f"session={SESSION}", {}, 403),
    ],
)
async def test_a_wrong_handshake_is_an_http_error(
    server: Live, query: str, headers: dict[str, str], status: int
) -> None:
    server.node.sessions.open(SESSION, "192.0.2.1", server.node.clock())

    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{server.port}/v1/ws?{query}", additional_headers=headers, proxy=None)

    assert refused.value.response.status_code == status


async def test_subprotocols_are_chosen_or_refused(server: Live) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/ws"
    async with connect(url, proxy=None) as without:
        await without.send('{"op":"ping"}')
        assert json.loads(await without.recv())["type"] == "ack"
    async with connect(url, subprotocols=[Subprotocol("x"), Subprotocol(MSGPACK)], proxy=None) as second:
        assert second.subprotocol == MSGPACK

    with pytest.raises(InvalidStatus) as refused:
        await connect(url, subprotocols=[Subprotocol("x")], proxy=None)
    assert refused.value.response.status_code == 400


async def test_a_query_given_to_a_live_session_is_a_set(server: Live) -> None:
    async with opened(server, f"session={SESSION}&symbols=A") as streaming:
        await streaming.ask("stream", cursor="latest")
        async with opened(server, f"session={SESSION}&symbols=B"):
            changed = await streaming.event("subscription")

    assert changed["symbols"] == ["B"]


async def test_a_client_that_leaves_is_forgotten(server: Live) -> None:
    async with opened(server, "symbols=*") as socket:
        await socket.ask("stream")
        socket.connection.transport.abort()

    await eventually(lambda: len(server.node.fanout) == 0 and not server.node.sockets)


async def test_a_client_that_asks_and_does_not_read_waits() -> None:
    async with live() as server, opened(server) as socket:
        await server.publish([Quote(f"A{number}", 1, 1, 2, 1, 5) for number in range(2000)])
        for _ in range(200):
            await socket.connection.send('{"op":"list"}')
        await server.publish_numbered(1)

        answers = [await socket.receive() for _ in range(200)]

    assert {answer["type"] for answer in answers} == {"ack"}
