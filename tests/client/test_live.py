"""A subscription against the real server: every transport, cuts, gaps, bars, control, HTTP/2."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx
import pytest

from tests.client.peer import Still, until
from tests.support.live import SYMBOLS, Live, live, numbered
from ticker.bus import MemoryBus
from ticker.client import Bar, ClientError, Gap, Item, Quote, Snapshot, Subscription, Trade, subscribe
from ticker.node import wall_clock

TRANSPORTS: list[Any] = [
    {"transports": ("sse",)},
    {"transports": ("sse",), "batch": False},
    {"transports": ("websocket",)},
    {"transports": ("websocket",), "codec": "msgpack"},
    {"transports": ("poll",)},
]


def follow(server: Live, **options: Any) -> Subscription:
    defaults: dict[str, Any] = {"random": Still(), "cursor": "earliest"}
    return subscribe(server.url, **defaults | options)


async def take(subscription: Subscription, count: int) -> list[Item]:
    async with asyncio.timeout(20):
        return [await anext(subscription) for _ in range(count)]


def numbers(items: list[Item]) -> list[float]:
    """Return the numbers that ``numbered`` ticks bear."""
    return [
        item.size if isinstance(item, Trade) else item.bid_size for item in items if isinstance(item, Trade | Quote)
    ]


async def cut(server: Live, subscription: Subscription, seconds: float = 0) -> None:
    """Abort the subscription's connection as a network would."""
    async with httpx.AsyncClient() as http:
        url = f"{server.url}/v1/sessions/{subscription.session}"
        answer = await http.patch(url, json={"op": "cut", "seconds": seconds})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("options", TRANSPORTS)
async def test_yields_all_ticks_in_order_over_cuts(options: dict[str, Any]) -> None:
    async with live() as server:
        await server.publish_numbered(10)
        async with follow(server, **options) as subscription:
            seen = numbers(await take(subscription, 10))
            for begin in range(11, 111, 10):
                waiting = asyncio.create_task(take(subscription, 10))
                if options["transports"] != ("poll",):
                    await cut(server, subscription)
                _, last = await server.publish_numbered(10, begin)
                seen += numbers(await waiting)

            assert seen == list(range(1, 111))
            counts = subscription.statistics
            assert (counts.received, counts.gaps, counts.violations) == (110, 0, 0)
            assert subscription.cursor == str(last)


@pytest.mark.parametrize("options", TRANSPORTS)
async def test_goes_on_at_another_node_with_the_same_history(options: dict[str, Any]) -> None:
    bus = MemoryBus(wall_clock)
    async with live(bus) as first, live(bus) as second:
        await first.publish_numbered(5)
        async with follow(first, **options, symbols=["AAPL", "MSFT"]) as subscription:
            seen = numbers(await take(subscription, 2))
        await first.publish_numbered(20, 6)
        async with follow(second, **options, symbols=["AAPL", "MSFT"], cursor=subscription.cursor) as subscription:
            seen += numbers(await take(subscription, 8))

        assert seen == [number for number in range(1, 26) if SYMBOLS[number % 5] in ("AAPL", "MSFT")]


@pytest.mark.parametrize("options", TRANSPORTS)
async def test_a_place_that_is_no_longer_kept_is_a_gap_and_a_snapshot(options: dict[str, Any]) -> None:
    async with live(ring_size=100) as server:
        first, _ = await server.publish_numbered(1)
        await server.publish_numbered(300, 2)
        async with follow(server, **options, cursor=str(first), snapshots=True) as subscription:
            gap, snapshot = await take(subscription, 2)
            await server.publish_numbered(1, 302)
            (tick,) = await take(subscription, 1)

        assert isinstance(gap, Gap)
        assert (gap.reason, gap.lost) == ("evicted", 300)
        assert isinstance(snapshot, Snapshot)
        assert snapshot.cursor == gap.to
        assert {quote.symbol for quote in snapshot.quotes} == set(SYMBOLS)
        assert numbers([tick]) == [302]
        assert (subscription.statistics.gaps, subscription.statistics.lost) == (1, 300)


@pytest.mark.parametrize("options", TRANSPORTS)
async def test_bars_come_between_ticks(options: dict[str, Any]) -> None:
    ts = wall_clock() // 1_000_000 * 1_000_000
    async with live() as server:
        await server.publish([numbered(1, ts), numbered(2, ts + 1_000_000)])
        async with follow(server, **options, types=("quote", "bar"), interval="1s") as subscription:
            first, bar, second = await take(subscription, 3)

        assert numbers([first, second]) == [1, 2]
        assert isinstance(bar, Bar)
        assert (bar.symbol, bar.interval, bar.ts) == ("MSFT", "1s", ts)


async def test_transports_change_under_one_cursor() -> None:
    async with live() as server:
        await server.publish_numbered(1)
        async with follow(server, transports=("sse", "websocket", "poll")) as subscription:
            seen, used = numbers(await take(subscription, 1)), []
            for begin in range(2, 62, 10):
                await server.publish_numbered(10, begin)
                seen += numbers(await take(subscription, 10))
                used.append(subscription.transport)
                stream = subscription._stream
                stream._index = (stream._index + 1) % 3
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(subscription), 0.05)

            assert seen == list(range(1, 62))
            assert used == ["sse", "websocket", "poll"] * 2


async def test_a_refused_session_waits_and_resumes() -> None:
    async with live() as server:
        await server.publish_numbered(1)
        async with follow(server, transports=("sse",)) as subscription:
            await take(subscription, 1)
            waiting = asyncio.create_task(take(subscription, 1))
            await cut(server, subscription, seconds=1)
            await server.publish_numbered(1, 2)
            await until(lambda: subscription.state == "refused")

            assert numbers(await waiting) == [2]


async def test_a_paused_session_says_so_and_plays_on() -> None:
    async with live(heartbeat_interval=0.5) as server:
        await server.publish_numbered(1)
        async with follow(server, transports=("sse",)) as subscription, httpx.AsyncClient() as http:
            await take(subscription, 1)
            url = f"{server.url}/v1/sessions/{subscription.session}"
            assert (await http.patch(url, json={"op": "pause"})).status_code == 200
            waiting = asyncio.create_task(take(subscription, 1))
            await server.publish_numbered(1, 2)
            await until(lambda: subscription.state == "paused")
            assert (await http.patch(url, json={"op": "play"})).status_code == 200

            assert numbers(await waiting) == [2]
            assert subscription.state == "live"


async def test_names_that_are_added_begin_at_their_snapshot() -> None:
    async with live() as server:
        await server.publish_numbered(10)
        options: dict[str, Any] = {"symbols": ["AAPL"], "cursor": "latest", "snapshots": True}
        async with follow(server, transports=("sse",), **options) as subscription, httpx.AsyncClient() as http:
            waiting = asyncio.create_task(take(subscription, 1))
            await until(lambda: subscription.state == "live")
            url = f"{server.url}/v1/sessions/{subscription.session}"
            assert (await http.patch(url, json={"op": "subscribe", "symbols": ["MSFT"]})).status_code == 200
            (snapshot,) = await waiting
            await server.publish_numbered(5, 11)

            assert isinstance(snapshot, Snapshot)
            assert (snapshot.scope, [quote.symbol for quote in snapshot.quotes]) == ("added", ["MSFT"])
            assert numbers(await take(subscription, 1)) == [11]


@pytest.mark.parametrize("transport", ["sse", "websocket", "poll"])
async def test_a_request_that_is_wrong_ends_it(transport: Any) -> None:
    async with live() as server, follow(server, symbols=["aapl"], transports=(transport,)) as subscription:
        with pytest.raises(ClientError) as error:
            await take(subscription, 1)

    assert (error.value.code, error.value.field) == ("bad_symbols", "symbols[0]")


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_another_connection_takes_the_session(transport: Any) -> None:
    async with live() as server:
        await server.publish_numbered(1)
        async with follow(server, transports=(transport,)) as first:
            await take(first, 1)
            waiting = asyncio.create_task(take(first, 1))
            async with follow(server, transports=(transport,), session=first.session) as second:
                await take(second, 1)
                with pytest.raises(ClientError, match="replaced"):
                    await waiting


async def test_conflated_frames_have_the_newest_quote_of_each_symbol() -> None:
    async with live() as server, follow(server, transports=("sse",), conflate=200, cursor=None) as subscription:
        waiting = asyncio.create_task(take(subscription, 1))
        await until(lambda: subscription.state == "live")
        await server.publish([numbered(5, wall_clock()), numbered(10, wall_clock()), numbered(15, wall_clock())])

        assert numbers(await waiting) in ([15], [10], [5])
        assert subscription.statistics.violations == 0


@pytest.mark.parametrize("options", TRANSPORTS)
async def test_speaks_tls_and_http_2(options: dict[str, Any]) -> None:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    async with live(tls=True, tls_port=0) as server:
        await server.publish_numbered(3)
        url = f"https://localhost:{server.served.tls_port}"
        async with subscribe(url, cursor="earliest", tls=trust, random=Still(), **options) as subscription:
            assert numbers(await take(subscription, 3)) == [1, 2, 3]
