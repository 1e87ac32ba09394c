from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from random import Random

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from feeds import FeedContext
from feeds.binance import BINANCE, ENDPOINT, STABLE, Binance
from tests.support.capture import capture_lines, capture_ticks
from tests.support.fake_clock import FakeClock
from tests.support.fake_exchange import STALL, Act, FakeExchange, break_protocol, cut, send, stay
from ticker.core.codes import FeedError, StartError
from ticker.core.tick import Instrument, Tick

# Seconds: far more than the loopback needs, so that only a connection that is meant to be silent is found so.
SILENCE = 1.5
FRAMES = [line.partition(b" ")[2].decode() for line in capture_lines()]


class Longest(Random):
    """Draws the upper end, so that the waits show how the backoff stands."""

    def uniform(self, a: float, b: float) -> float:
        return b


def feed_of(exchange: FakeExchange, clock: FakeClock, symbols: Sequence[str] = ("btcusdt",)) -> Binance:
    return Binance(symbols, FeedContext(clock), exchange.endpoint, random=Longest(), sleep=clock.sleep, silence=SILENCE)


async def take(batches: AsyncIterator[list[Tick]], count: int) -> list[Tick]:
    ticks: list[Tick] = []
    async with asyncio.timeout(30):
        while len(ticks) < count:
            ticks += await anext(batches)
    return ticks


async def close(batches: AsyncIterator[list[Tick]]) -> None:
    await batches.aclose()  # type: ignore[attr-defined]


def ticks_of(frames: list[str], ts: int) -> list[Tick]:
    """Return the ticks of frames from the capture's beginning, as received at one time."""
    count = sum("@depth" not in frame for frame in frames)
    return [msgspec.structs.replace(tick, ts=ts) for tick in capture_ticks()[:count]]


async def test_frames_are_ticks_received_now() -> None:
    clock = FakeClock()
    async with FakeExchange([send(*FRAMES[:300], then=stay)]).serve() as exchange:
        feed = feed_of(exchange, clock)
        batches = feed.batches()
        expected = ticks_of(FRAMES[:300], clock.now)

        assert await take(batches, len(expected)) == expected
        await close(batches)

    assert exchange.targets == ["/stream?streams=btcusdt@bookTicker/btcusdt@trade"]
    assert feed.statistics()["damaged"] == 0
    assert list(feed.history()) == []


async def test_whatever_the_exchange_does_what_it_sent_is_what_the_feed_yields() -> None:
    pieces = [FRAMES[start : start + 200] for start in range(0, 2000, 200)]
    whole = [frame for piece in pieces for frame in piece]
    garbage: list[str | bytes] = ["garbage", b"\x00\xff", "", "[]", b'{"stream":"a@trade","data":{"s":"\xff"}}']
    closes_at_once = send()
    acts: list[Act | HTTPStatus] = [
        send(*pieces[0]),
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.TOO_MANY_REQUESTS,
        send(*pieces[1], then=cut),
        *[closes_at_once] * 5,
        send(*pieces[2], *garbage, *pieces[3]),
        STALL,
        send(*pieces[4], then=stay),
        send(*pieces[5], then=break_protocol),
        send(*pieces[6], "x" * 100_000),
        send(*pieces[7], *garbage, then=cut),
        send(*pieces[8], *pieces[9], then=stay),
    ]
    clock = FakeClock()
    async with FakeExchange(acts).serve() as exchange:
        feed = feed_of(exchange, clock)
        batches = feed.batches()
        expected = ticks_of(whole, 0)
        got = await take(batches, len(expected))
        await close(batches)

    assert [msgspec.structs.replace(tick, ts=0) for tick in got] == expected
    assert len(exchange.targets) == len(acts)
    assert feed.statistics() == {
        "frames": len(whole) + 2 * len(garbage),
        "damaged": 2 * len(garbage),
        "skipped": len(whole) - len(expected),
        "connections": len(acts) - 3,
    }


async def test_it_waits_longer_each_time_and_shortly_again_after_a_stable_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()

    async def lasts_a_minute(connection: ServerConnection) -> None:
        clock.now += STABLE

    acts: list[Act | HTTPStatus] = [*[HTTPStatus.BAD_GATEWAY] * 6, lasts_a_minute, send(), send(FRAMES[1], then=stay)]
    async with FakeExchange(acts).serve() as exchange:
        batches = feed_of(exchange, clock).batches()
        await take(batches, 1)
        await close(batches)

    assert clock.waits == [1, 2, 4, 8, 16, 30, 1, 2]
    assert "HTTP 502" in caplog.messages[0]
    assert caplog.messages[0].endswith("connecting again in 1.0 s")


async def test_a_connection_is_closed_when_the_feed_is() -> None:
    async with FakeExchange([send(FRAMES[1], then=stay)]).serve() as exchange:
        batches = feed_of(exchange, FakeClock()).batches()
        await take(batches, 1)
        await close(batches)
        async with asyncio.timeout(5):
            await exchange.left.wait()

    assert len(exchange.targets) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 451])
async def test_a_refusal_for_good_is_a_feed_error(status: int) -> None:
    async with FakeExchange([HTTPStatus(status)]).serve() as exchange:
        feed = feed_of(exchange, FakeClock())
        with pytest.raises(FeedError, match=f"refuses with HTTP status {status}"):
            await anext(feed.batches())

    assert feed.statistics()["connections"] == 0


async def test_an_exchange_that_is_not_there_is_tried_again() -> None:
    class Enough(Exception):
        pass

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Enough

    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"ws://127.0.0.1:{taken.getsockname()[1]}"
    feed = Binance(["btcusdt"], FeedContext(FakeClock()), endpoint, random=Longest(), sleep=sleep)
    with pytest.raises(Enough):
        await anext(feed.batches())

    assert waits == [1, 2, 4]


async def test_a_symbol_that_was_not_asked_for_is_damage(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    foreign = FRAMES[1].replace("BTCUSDT", "X\\nERROR forged")
    async with FakeExchange([send(foreign, foreign, FRAMES[1], then=stay)]).serve() as exchange:
        feed = feed_of(exchange, clock)
        batches = feed.batches()
        with caplog.at_level(logging.WARNING, "feeds.binance"):
            ticks = await take(batches, 1)
        await close(batches)

    assert ticks == ticks_of(FRAMES[1:2], clock.now)
    assert feed.statistics()["damaged"] == 2
    assert caplog.messages == [
        "binance:btcusdt: a damaged frame is skipped, more are only counted: 'a symbol that was not asked for'"
    ]


async def test_instruments_are_listed_at_once_and_refined_by_what_comes() -> None:
    async with FakeExchange([send(FRAMES[1], then=stay)]).serve() as exchange:
        feed = feed_of(exchange, FakeClock(), ["btcusdt", "ethbtc"])
        before = feed.instruments
        batches = feed.batches()
        await take(batches, 1)
        await close(batches)

    ether = Instrument("ETHBTC", "ETH/BTC", "Crypto", "BTC", tick_size=1.0, lot_size=1.0)
    assert [one.symbol for one in before] == ["BTCUSDT", "ETHBTC"]
    assert feed.instruments == (Instrument("BTCUSDT", "BTC/USDT", "Crypto", "USDT", 0.01, 1e-05), ether)


async def test_the_feed_type_opens_with_its_options() -> None:
    async with FakeExchange([send(FRAMES[1], then=stay)]).serve() as exchange:
        query = {"url": f"{exchange.endpoint}/", "streams": "bookTicker"}
        feed = BINANCE.open("BTCUSDT,ethusdt,btcusdt", query, FeedContext(FakeClock()))
        batches = feed.batches()
        await take(batches, 1)
        await close(batches)

    assert exchange.targets == ["/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker"]
    assert feed.name == "binance:btcusdt,ethusdt"


def test_the_name_keeps_a_secret_in_the_endpoint() -> None:
    feed = BINANCE.open("btcusdt", {"url": "wss://user:secret@127.0.0.1"}, FeedContext(FakeClock()))

    assert "secret" not in feed.name


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("", {}, "'' is no symbol"),
        ("btcusdt,", {}, "'' is no symbol"),
        ("btc/usdt", {}, "'btc/usdt' is no symbol"),
        ("btcusdt@trade", {}, "is no symbol"),
        ("btc usdt", {}, "is no symbol"),
        ("b" * 21, {}, "is no symbol"),
        ("btcusdt", {"streams": "depth"}, "unknown stream 'depth': there are bookTicker, trade"),
        ("btcusdt", {"streams": ""}, "unknown stream ''"),
        ("btcusdt", {"url": "http://127.0.0.1"}, f"url is a WebSocket endpoint such as {ENDPOINT}"),
        ("btcusdt", {"url": "127.0.0.1"}, "url is a WebSocket endpoint"),
        (",".join(f"s{number}" for number in range(513)), {}, "1026 streams are too many: 1024 is the limit"),
    ],
)
def test_a_wrong_url_is_a_start_error(path: str, query: dict[str, str], text: str) -> None:
    with pytest.raises(StartError, match=f"^binance: .*{text}"):
        BINANCE.open(path, query, FeedContext(FakeClock()))
