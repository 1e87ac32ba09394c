from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from tests.support.fake_clock import FakeClock
from tests.support.live import Live, live
from tests.support.serving import eventually
from tests.support.streams import streaming
from ticker.bus import MemoryBus
from ticker.core.tick import Quote, Trade
from ticker.node import wall_clock

SESSION = "a-session-of-mine-1"


async def test_begins_with_retry_hello_and_snapshot(server: Live) -> None:
    _, last = await server.publish([Quote("A", 1.5, 1, 2, 1, 5), Trade("A", 1.5, 1, None, 6)])
    async with streaming(server, "symbols=A&types=trade") as reader:
        retry, hello, snapshot = await reader.next(), await reader.next(), await reader.next()

    assert 1000 <= int(retry.field("retry")) <= 2000
    assert [line.partition(":")[0] for line in hello.lines] == ["event", "data"]
    data = hello.data
    assert {**data, "session": "", "node": "", "version": ""} == {
        "session": "", "cursor": str(last), "oldest": f"{last.epoch}-0", "newest": str(last), "resumed": False,
        "replay": 0, "follows": "snapshot", "heartbeat": 15, "symbols": ["A"], "types": ["trade"], "node": "",
        "version": "",
    }  # fmt: skip
    assert [line.partition(":")[0] for line in snapshot.lines] == ["event", "data", "id"]
    assert snapshot.id == snapshot.data["cursor"] == str(last)
    assert (snapshot.data["quotes"], len(snapshot.data["trades"])) == ([], 1)


async def test_headers_keep_caches_and_proxies_away(server: Live) -> None:
    async with streaming(server) as reader:
        headers = reader.answer.headers

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in headers


async def test_a_head_is_the_headers_alone(server: Live, client: httpx.AsyncClient) -> None:
    answer = await client.head("/v1/stream")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert len(server.node.sessions) == 0


async def test_replays_from_the_cursor_and_goes_on_live(server: Live) -> None:
    first, last = await server.publish_numbered(30)
    async with streaming(server, "", **{"Last-Event-ID": str(first)}) as reader:
        hello = await reader.event("hello")
        replayed = [await reader.next() for _ in range(29)]
        heartbeat = await reader.next()
        await server.publish_numbered(1, first=31)
        live_tick = await reader.next()

    assert (hello.data["resumed"], hello.data["replay"], hello.data["follows"], hello.id) == (
        True,
        29,
        None,
        str(first),
    )
    assert [event.id for event in replayed] == [f"{first.epoch}-{seq}" for seq in range(2, 31)]
    assert all(event.id == event.data["cursor"] and event.name == event.data["type"] for event in replayed)
    assert (heartbeat.name, heartbeat.data["sent"], heartbeat.id) == ("heartbeat", 29, str(last))
    assert live_tick.id == f"{first.epoch}-31"


async def test_the_header_wins_over_the_query(server: Live) -> None:
    first, last = await server.publish_numbered(30)
    for header, query, cursor in [(str(last), f"cursor={first}", last), ("", f"lastEventId={first}", first)]:
        async with streaming(server, query, **{"Last-Event-ID": header}) as reader:
            assert (await reader.event("hello")).data["cursor"] == str(cursor)
    async with streaming(server, "cursor=nonsense", **{"Last-Event-ID": str(last)}) as reader:
        assert (await reader.event("hello")).data["resumed"] is True


async def test_a_header_that_is_no_cursor_is_a_gap(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(3)
    async with streaming(server, "", **{"Last-Event-ID": "nonsense"}) as reader:
        hello, gap, snapshot = await reader.event("hello"), await reader.next(), await reader.next()
    both_wrong = await client.get("/v1/stream?cursor=nonsense", headers={"Last-Event-ID": "nonsense"})

    assert hello.data["follows"] == "gap"
    assert gap.data == {"from": None, "to": str(last), "lost": None, "reason": "unknown"}
    assert gap.id == ""
    assert (snapshot.name, snapshot.data["scope"]) == ("snapshot", "all")
    assert both_wrong.status_code == 400


async def test_reserved_words_are_places(server: Live) -> None:
    _, last = await server.publish_numbered(3)
    async with streaming(server, "cursor=earliest") as reader:
        earliest = (await reader.event("hello")).data
    async with streaming(server, "cursor=latest") as reader:
        latest = (await reader.event("hello")).data
        await server.publish_numbered(1, first=4)
        assert (await reader.next()).id == f"{last.epoch}-4"

    assert (earliest["resumed"], earliest["replay"], earliest["cursor"]) == (False, 3, f"{last.epoch}-0")
    assert (latest["resumed"], latest["replay"], latest["follows"], latest["cursor"]) == (False, 0, None, str(last))


async def test_only_retry_goes_out_while_a_future_cursor_is_waited_for(server: Live) -> None:
    first, _ = await server.publish_numbered(3)
    async with streaming(server, f"cursor={first.epoch}-5") as reader:
        await reader.next()
        early = asyncio.create_task(reader.next())
        await asyncio.wait([early], timeout=0.3)
        assert not early.done()
        await server.publish_numbered(2, first=4)

        assert (await early).data["resumed"] is True


async def test_a_future_cursor_is_waited_for_two_seconds_and_no_longer() -> None:
    clock = FakeClock()
    async with live(clock=clock) as server:
        first, last = await server.publish_numbered(3)
        async with streaming(server, f"cursor={first.epoch}-9") as reader:
            await reader.next()
            early = asyncio.create_task(reader.next())
            clock.now += 1_999_999
            flushes = server.node.fanout.flushes
            await eventually(lambda: server.node.fanout.flushes > flushes + 1)
            assert not early.done()
            clock.now += 1

            hello, gap = await early, await reader.next()
            snapshot = await reader.next()

    assert (hello.data["follows"], hello.data["resumed"], hello.id) == ("gap", False, "")
    assert gap.data == {"from": None, "to": str(last), "lost": None, "reason": "future"}
    assert (snapshot.name, snapshot.id) == ("snapshot", str(last))


async def test_a_cursor_of_an_epoch_to_come_is_not_waited_for() -> None:
    clock = FakeClock()
    async with live(clock=clock) as server, streaming(server, "cursor=9007199254740991-1") as reader:
        assert (await reader.event("gap")).data["reason"] == "future"


async def test_clients_are_told_to_come_back_at_different_times(server: Live) -> None:
    waits = set()
    for _ in range(10):
        async with streaming(server) as reader:
            waits.add((await reader.next()).lines[0])

    assert len(waits) > 5


async def test_a_stream_is_logged_when_it_opens_and_when_it_closes(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ticker")
    first, _ = await server.publish_numbered(10)
    async with streaming(server, f"session={SESSION}&cursor={first}") as reader:
        await reader.event("heartbeat")
    await eventually(lambda: len(server.node.fanout) == 0)

    opened, closed = [record for record in caplog.records if record.name == "ticker.web.sse"]
    facts = vars(closed)["facts"]
    assert (opened.message, vars(opened)["facts"]) == (
        "stream_opened",
        {"client": "127.0.0.1", "session": SESSION, "http": "1.1"},
    )
    assert closed.message == "stream_closed"
    assert facts.pop("seconds") >= 0
    assert facts == {"client": "127.0.0.1", "session": SESSION, "reason": "disconnected", "sent": 9, "gaps": 0}


async def test_bars_close_before_the_tick_that_closes_them(server: Live) -> None:
    async with streaming(server, "types=trade,bar&interval=1s&cursor=latest&batch=1") as reader:
        await reader.event("hello")
        await server.publish([Trade("A", 1, 1, None, moment * 500_000) for moment in (2, 3, 4)])
        before, bar, after = await reader.next(), await reader.next(), await reader.next()

    assert (before.name, before.id[-2:], len(before.data["ticks"])) == ("ticks", "-2", 2)
    assert (bar.name, bar.id, bar.data["trades"], bar.data["ts"]) == ("bar", "", 2, 1_000_000)
    assert (after.data["from"], len(after.data["ticks"])) == (before.id, 1)


async def test_a_slow_ring_says_what_it_lost() -> None:
    async with live(ring_size=100) as server, streaming(server, f"session={SESSION}&cursor=latest") as reader:
        await reader.event("hello")
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.patch(f"/v1/sessions/{SESSION}", json={"op": "pause"})
            first, last = await server.publish_numbered(500)
            await asyncio.sleep(0.05)
            await client.patch(f"/v1/sessions/{SESSION}", json={"op": "play"})
        gap, snapshot = await reader.next(), await reader.next()

    assert gap.data == {"from": str(first), "to": str(last), "lost": 500, "reason": "evicted"}
    assert snapshot.id == str(last)


async def test_heartbeats_come_in_silence() -> None:
    async with live(heartbeat_interval=0.2) as server, streaming(server, "cursor=latest") as reader:
        hello = await reader.event("hello")
        heartbeat = await reader.next()

    assert hello.data["heartbeat"] == 0.2
    assert list(heartbeat.data) == ["cursor", "newest", "sent", "ts"]


async def test_a_stream_has_a_lifetime() -> None:
    async with live(stream_lifetime=1) as server, streaming(server, "cursor=latest") as reader:
        *_, retry, bye = await reader.rest()

    assert (bye.data["reason"], bye.data["reconnect"]) == ("lifetime", True)
    assert int(retry.field("retry")) == bye.data["retry"]


async def test_a_newer_stream_replaces_the_older(server: Live) -> None:
    async with streaming(server, f"session={SESSION}") as older:
        await older.event("hello")
        async with streaming(server, f"session={SESSION}") as newer:
            *_, bye = await older.rest()
            await newer.event("hello")
            assert len(server.node.fanout) == 1

    assert (bye.data["reason"], bye.data["reconnect"], bye.data["retry"]) == ("replaced", False, 86_400_000)


async def test_the_session_keeps_what_was_added(server: Live, client: httpx.AsyncClient) -> None:
    first, _ = await server.publish([Quote("A", 1, 1, 2, 1, 5), Quote("B", 1, 1, 2, 1, 5)])
    query = f"session={SESSION}&symbols=A&cursor={first}"
    async with streaming(server, query) as reader:
        await reader.event("hello")
        await client.patch(f"/v1/sessions/{SESSION}", json={"op": "subscribe", "symbols": ["B"]})
        changed = await reader.event("subscription")
    async with streaming(server, query) as reader:
        again = await reader.event("subscription")
        added = await reader.next()
    async with streaming(server, f"session={SESSION}&symbols=C") as reader:
        replaced = await reader.event("hello")

    assert changed.data == again.data
    assert (added.name, added.data["scope"]) == ("snapshot", "added")
    assert replaced.data["symbols"] == ["C"]


async def test_says_bye_at_a_drain_and_resumes_at_another_node() -> None:
    bus = MemoryBus(wall_clock)
    async with live(bus) as one, live(bus) as two:
        async with streaming(one, "cursor=latest") as reader:
            await reader.event("hello")
            await one.publish_numbered(5)
            draining = asyncio.create_task(one.node.drain())
            *_, bye = await reader.rest()
            await draining
        await two.publish_numbered(5, first=6)
        async with streaming(one) as refused:
            said = await refused.rest()
        async with streaming(two, "", **{"Last-Event-ID": bye.id}) as reader:
            hello = await reader.event("hello")

    assert (bye.data["reason"], bye.data["reconnect"]) == ("shutdown", True)
    assert said[-1].data["code"] == "draining"
    assert (hello.data["resumed"], hello.data["replay"]) == (True, 5)


async def test_the_first_bytes_leave_at_once(server: Live) -> None:
    started = time.monotonic()
    async with streaming(server) as reader:
        await reader.next()

    # A bound against waiting for something, such as a flush; the figure itself is a benchmark's.
    assert time.monotonic() - started < 1


async def test_who_does_not_take_event_streams_gets_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/stream", headers={"Accept": "application/json"})).status_code == 406


@pytest.mark.parametrize("conflate", [50, 1000])
async def test_conflated_frames_are_whole_windows(server: Live, conflate: int) -> None:
    async with streaming(server, f"conflate={conflate}&batch=1&cursor=latest") as reader:
        await reader.event("hello")
        await server.publish([Quote("A", 1, size, 2, 1, 5) for size in range(1, 51)])
        frame = await reader.event("ticks")

    assert [tick["bid_size"] for tick in frame.data["ticks"]] == [50]


async def test_the_older_stream_hears_at_once_that_it_was_replaced(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With no deadline looked at and no tick published, only the takeover itself can wake the fan-out.
    monkeypatch.setattr("ticker.fanout.loop.CHECK_INTERVAL", 60)
    async with streaming(server, f"session={SESSION}") as older:
        await older.event("hello")
        async with streaming(server, f"session={SESSION}"):
            assert (await older.event("bye")).data["reason"] == "replaced"
