"""A load's client against a fake server that keeps its promise, or breaks it on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.peer import (
    Peer,
    Play,
    answer,
    batch,
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
from ticker.tools.load import client as client_module
from ticker.tools.load import load as load_module
from ticker.tools.load.load import Load, running
from ticker.tools.load.meter import Result
from ticker.tools.load.plan import Plan, Way

STREAMS = [Way.sse, Way.websocket, Way.msgpack]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a client come back at once after a connection was lost, and nobody wait for one that got nothing."""
    monkeypatch.setattr(client_module, "BACKOFF", (0.01, 1.0, 0.01))
    monkeypatch.setattr(load_module, "OPEN_TIMEOUT", 0.1)


HOLD = Play(b"", "hold")


def stream(way: Way, *messages: dict[str, Any], **options: Any) -> Play:
    if way is Way.sse:
        return sse(*messages, **options)
    return websocket(*messages, codec="msgpack" if way is Way.msgpack else "json", **options)


async def run(
    way: Way,
    *plays: Play,
    done: Callable[[Load], bool] = lambda _: True,
    cut: Callable[[Load], bool] | None = None,
    **options: Any,
) -> tuple[Result, Peer]:
    """Run one client until something holds and all was asked for; ``cut`` says when its connection is cut before."""
    async with Peer(*plays) as peer, running(Plan(peer.url, way, 1, away=0.0, interval=0.02, **options)) as load:
        load.begin()
        if cut is not None:
            await until(lambda: cut(load))
            assert load.clients[0].cut(0.0)
        await until(lambda: done(load) and len(peer.asked) >= len(plays))
        return await load.settle(load.end()), peer


def received(count: int) -> Callable[[Load], bool]:
    return lambda load: load.meter.counts.received >= count


def ended(reason: str) -> Callable[[Load], bool]:
    return lambda load: reason in load.meter.endings


TICKS = [hello("1-0"), batch("1-0", "1-2", quote("1-1"), trade("1-2")), batch("1-2", "1-3", quote("1-3"))]


@pytest.mark.parametrize("way", STREAMS)
async def test_counts_what_comes_of_a_server_that_keeps_its_promise(way: Way) -> None:
    result, peer = await run(way, stream(way, *TICKS, end="hold"), done=received(3))
    total = result.total

    assert (total.received, total.messages) == (3, 2)
    assert (total.missing, total.duplicates, total.breaks, result.endings) == (0, 0, 0, {})
    assert peer.asked[0].query["cursor"] == "latest"
    assert peer.asked[0].query["symbols"] == "*"


@pytest.mark.parametrize("way", STREAMS)
async def test_a_server_that_loses_a_tick_or_sends_one_twice_is_found_out(way: Way) -> None:
    faulty = [
        hello("1-0"),
        batch("1-0", "1-3", quote("1-1"), quote("1-3")),
        batch("1-3", "1-4", *map(quote, ["1-3", "1-4"])),
    ]
    result, _ = await run(way, stream(way, *faulty, end="hold"), done=received(3))

    assert (result.total.missing, result.total.duplicates) == (1, 1)


@pytest.mark.parametrize("way", STREAMS)
async def test_a_cut_client_comes_back_with_its_cursor_and_counts_what_it_was_owed(way: Way) -> None:
    again = [hello("1-3", "1-6", replay=3), batch("1-2", "1-6", *map(quote, ["1-3", "1-4", "1-6"]))]
    plays = [stream(way, *TICKS, end="hold"), stream(way, *again, end="hold")]
    result, peer = await run(way, *plays, cut=received(3), done=received(5))

    assert peer.asked[1].query["cursor"] == "1-3"
    assert peer.asked[0].query["session"] == peer.asked[1].query["session"]
    assert (result.cuts, result.unrecovered) == (1, 0)
    assert (result.total.duplicates, result.total.missing, result.total.replayed) == (1, 1, 2)
    assert (sum(result.first_tick), sum(result.live_again)) == (1, 1)


async def test_a_client_without_its_cursor_says_what_it_passed_over() -> None:
    again = [hello("1-9"), batch("1-9", "1-10", quote("1-10"))]
    plays = [sse(*TICKS, end="hold"), sse(*again, end="hold")]
    result, peer = await run(Way.sse, *plays, cut=received(3), done=received(4), forgets=True)

    assert peer.asked[1].query["cursor"] == "latest"
    assert (result.total.skipped, result.total.missing, result.total.breaks) == (6, 0, 0)


async def test_an_announced_gap_is_counted_as_such() -> None:
    gap = {"type": "gap", "from": "1-4", "to": "1-9", "lost": 6, "reason": "slow"}
    result, _ = await run(
        Way.sse, sse(*TICKS, gap, snapshot("1-9"), quote("1-10"), end="hold"), done=received(4)
    )  # fmt: skip

    assert (result.total.gaps, result.total.gap_ticks, result.total.missing) == (1, 6, 0)


async def test_polls_on_its_own_clock_and_counts_empty_answers() -> None:
    plays = [
        page("1-5"),
        page("1-5"),
        page("1-7", [quote("1-6"), quote("1-7")], more=True),
        page("1-8", [quote("1-8")]),
        HOLD,
    ]
    result, peer = await run(Way.poll, *plays, done=received(3))

    assert [asked.query["cursor"] for asked in peer.asked[:4]] == ["latest", "1-5", "1-5", "1-7"]
    assert {asked.query["wait"] for asked in peer.asked} == {"0"}
    assert (result.total.empty, result.total.messages, result.total.missing) == (2, 2, 0)


async def test_long_polls_wait_after_the_first() -> None:
    lost = {"type": "gap", "from": "1-7", "to": "1-9", "lost": 3, "reason": "evicted"}
    plays = [page("1-5"), page("1-6", [quote("1-6")]), page("1-9", gap=lost, snapshot=snapshot("1-9")), HOLD]
    result, peer = await run(Way.long_poll, *plays, done=lambda load: load.meter.counts.gaps == 1)

    assert [asked.query["wait"] for asked in peer.asked[:3]] == ["0", "25", "25"]
    assert (result.total.received, result.total.gap_ticks, result.total.missing) == (1, 3, 0)


async def test_a_cut_between_polls_is_made_good_by_the_next() -> None:
    plays = [page("1-5"), page("1-7", [quote("1-6"), quote("1-7")]), HOLD]
    result, peer = await run(
        Way.poll, *plays, cut=lambda load: load.meter.counts.empty == 1, done=received(2)
    )  # fmt: skip

    assert peer.asked[1].query["cursor"] == "1-5"
    assert (result.cuts, result.total.replayed, sum(result.live_again)) == (1, 2, 1)


@pytest.mark.parametrize(
    ("way", "play", "reason"),
    [
        (Way.sse, sse({"type": "refused", "code": "too_many", "retry_after": 0}), "refused: too_many"),
        (Way.sse, refuse(503, "draining", "bye", "Retry-After: 0"), "refused: draining"),
        (Way.sse, sse(hello("1-0"), {"type": "bye", "reason": "shutdown", "retry": 0}), "bye: shutdown"),
        (Way.sse, sse(hello("1-0"), quote("1-1")), "closed"),
        (Way.sse, Play(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "the answer is no event stream"),
        (Way.sse, Play(b"SSH-2.0\r\n\r\n"), "violation: the answer is no HTTP/1.1"),
        (Way.sse, sse({"type": "ticks", "from": 1}), "violation: a bad event ticks"),
        (Way.sse, sse(quote("noon-1")), "violation: a cursor is <epoch>-<seq>"),
        (Way.websocket, websocket(close=1013, reason="try_again_later"), "closed: 1013 try_again_later"),
        (Way.websocket, websocket(close=1001, reason=""), "closed: 1001"),
        (Way.websocket, Play(b"\x88\x01x", upgrade=True), "closed with a bad code"),
        (Way.poll, answer(200, b"[]"), "violation: a bad answer to a poll"),
    ],
)  # fmt: skip
async def test_why_connections_end_is_counted_and_the_client_comes_back(way: Way, play: Play, reason: str) -> None:
    result, _ = await run(way, play, HOLD)
    ((ending, count),) = result.endings.items()

    assert ending.startswith(reason)
    assert (count, result.final) == (1, None)


@pytest.mark.parametrize(
    ("way", "play", "sentence"),
    [
        (Way.sse, refuse(401, "unauthorized", "no token"), "unauthorized: no token"),
        (Way.websocket, refuse(400, "bad_request", "no", field="conflate"), "bad_request: no (conflate)"),
        (Way.websocket, websocket(close=4509, reason="replaced"), "closed: 4509 replaced"),
        (Way.websocket, websocket({"type": "error", "code": "forbidden", "message": "no"}), "forbidden: no"),
        (Way.poll, refuse(403, "forbidden", "not yours"), "forbidden: not yours"),
    ],
)
async def test_a_final_refusal_ends_the_client_and_is_kept(way: Way, play: Play, sentence: str) -> None:
    result, peer = await run(way, play, done=ended(sentence))

    assert (result.final, result.endings, result.connected) == (sentence, {sentence: 1}, 0)
    assert len(peer.asked) == 1


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with Peer() as peer:
        url = peer.url
    async with running(Plan(url, Way.sse, 1)) as load:
        result = await load.settle(load.end())

    assert result.connected == 0
    assert {reason.partition(":")[0] for reason in result.endings} == {"unreachable"}


async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "OPEN_TIMEOUT", 0.05)
    result, _ = await run(Way.sse, HOLD, HOLD, done=ended("silent: no message in 0.1 s"))

    assert result.connected == 0


async def test_a_handshake_that_is_not_ours_is_no_websocket() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: eA==\r\n\r\n"
    reason = "violation: a handshake without the right Sec-WebSocket-Accept"
    result, _ = await run(Way.websocket, Play(switch, "hold"), HOLD, done=ended(reason))

    assert result.total.received == 0


async def test_pings_are_answered() -> None:
    unknown = {"type": "xy"}
    ping = Play(b"\x89\x02hi" + websocket(unknown, hello("1-0")).data, "hold", upgrade=True)
    async with Peer(ping) as peer, running(Plan(peer.url, Way.websocket, 1)) as load:
        await until(lambda: b"\x8a\x82" in peer.received)

    assert load.meter.endings == {}


async def test_leaving_closes_every_connection() -> None:
    before = asyncio.all_tasks()
    async with Peer(*[sse(hello("1-0"), end="hold")] * 3) as peer:
        async with running(Plan(peer.url, Way.sse, 3, connect_rate=1000)) as load:
            assert load.connected == 3
        await peer.wait_left(3)

    assert asyncio.all_tasks() == before
