from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from tests.support.live import SYMBOLS, Live
from ticker.core.tick import Instrument, Quote, Trade

SECOND = 1_000_000
START = 1_700_000_040 * SECOND


async def publish_minute(server: Live, symbol: str = "EUR/USD") -> None:
    """Publish a trade a second for a minute and one beyond."""
    await server.publish([Trade(symbol, 1.5, 2, "buy", START + second * SECOND) for second in range(61)])


async def test_symbols_are_listed_with_numbers_in_their_shortest_form(server: Live, client: httpx.AsyncClient) -> None:
    await server.node.bus.define([Instrument("ACME", "Acme plc", "Energy", "EUR", 1.0, 10.0, 5.0, True)])

    answer = await client.get("/v1/symbols")

    assert answer.text == (
        '{"instruments":[{"symbol":"ACME","name":"Acme plc","sector":"Energy","currency":"EUR","tick_size":1,'
        '"lot_size":10,"reference":5,"synthetic":true}]}'
    )


async def test_a_snapshot_holds_the_newest_of_each_symbol(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish(
        [
            Quote("AAPL", 1, 1, 2, 1, 5),
            Quote("AAPL", 1, 9, 2, 9, 6),
            Trade("MSFT", 3, 1, None, 7),
            Quote("X", 1, 1, 2, 1, 8),
        ]
    )

    answer = (await client.get("/v1/snapshot", params={"symbols": "AAPL,MSFT"})).json()

    assert answer["scope"] == "all"
    assert answer["cursor"].endswith("-4")
    assert [(quote["symbol"], quote["bid_size"]) for quote in answer["quotes"]] == [("AAPL", 9)]
    assert [trade["symbol"] for trade in answer["trades"]] == ["MSFT"]


@pytest.mark.parametrize(("symbols", "count"), [("", 0), ("*", len(SYMBOLS))])
async def test_no_symbols_are_none(server: Live, client: httpx.AsyncClient, symbols: str, count: int) -> None:
    await server.publish([Quote(symbol, 1, 1, 2, 1, 5) for symbol in SYMBOLS])

    assert len((await client.get(f"/v1/snapshot?symbols={symbols}")).json()["quotes"]) == count


@pytest.mark.parametrize("path", ["EUR/USD", quote("EUR/USD", safe="")])
async def test_bars_are_found_under_a_symbol_with_a_slash(server: Live, client: httpx.AsyncClient, path: str) -> None:
    await publish_minute(server)

    answer = (await client.get(f"/v1/bars/{path}?interval=1m")).json()

    first, forming = answer["bars"]
    assert first == {
        "type": "bar", "symbol": "EUR/USD", "interval": "1m", "open": 1.5, "high": 1.5, "low": 1.5, "close": 1.5,
        "volume": 120, "trades": 60, "ts": START,
    }  # fmt: skip
    assert forming["closed"] is False
    assert forming["trades"] == 1
    assert answer["cursor"].endswith("-61")


async def test_bars_obey_limit_and_end(server: Live, client: httpx.AsyncClient) -> None:
    await publish_minute(server)
    end = START + 10 * SECOND

    answer = (await client.get(f"/v1/bars/EUR/USD?interval=1s&limit=3&end={end}")).json()

    assert [bar["ts"] for bar in answer["bars"]] == [end - 3 * SECOND, end - 2 * SECOND, end - SECOND]


async def test_the_largest_numbers_make_no_null_in_a_bar(server: Live, client: httpx.AsyncClient) -> None:
    await client.put("/v1/symbols/B", json={"tick_size": 1e15})
    largest = {"type": "trade", "symbol": "A", "price": 1e15, "size": 1e15, "ts": 5}
    quote = {"type": "quote", "symbol": "B", "bid": 1e15, "bid_size": 0, "ask": 1e15, "ask_size": 0, "ts": 5}
    beyond = {**largest, "size": 1.1e15}
    answers = [await client.post("/v1/ticks", json=ticks) for ticks in ([largest, largest, quote], [beyond])]
    bars = [(await client.get(f"/v1/bars/{symbol}")).json()["bars"][0] for symbol in "AB"]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert [(bar["close"], bar["volume"]) for bar in bars] == [(1e15, 2e15), (1e15, 0)]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("interval=2m", "bad_request", "interval"),
        ("interval=", "bad_request", "interval"),
        ("limit=0", "bad_request", "limit"),
        ("limit=5001", "bad_request", "limit"),
        ("end=-1", "bad_request", "end"),
        ("limit=1&limit=2", "bad_request", "limit"),
    ],
)
async def test_wrong_parameters_of_bars_are_named(
    server: Live, client: httpx.AsyncClient, query: str, code: str, field: str
) -> None:
    await publish_minute(server)

    answer = await client.get(f"/v1/bars/EUR/USD?{query}")

    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == (code, field)


async def test_bars_of_a_symbol_that_is_not_there(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/bars/NOPE")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_symbol"


SESSION = "a-session-of-mine-1"


async def test_a_session_is_read_and_changed_by_requests(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish_numbered(10)
    await client.get(f"/v1/poll?session={SESSION}&symbols=AAPL&wait=0")

    changed = await client.patch(f"/v1/sessions/{SESSION}", json={"op": "subscribe", "symbols": ["MSFT", "NEW"]})
    read = await client.get(f"/v1/sessions/{SESSION}")

    assert changed.json() == read.json()
    assert read.json() == {
        "symbols": ["AAPL", "MSFT", "NEW"], "types": ["quote", "trade"], "unknown": ["NEW"],
        "cursor": str(server.node.tape.ring.cursor(10)), "session": SESSION, "interval": "1m", "conflate": 0,
        "paused": False, "connected": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("op", "field", "value"),
    [
        ({"op": "set", "types": ["bar"], "interval": "5s"}, "interval", "5s"),
        ({"op": "unsubscribe", "types": ["quote"]}, "types", ["trade"]),
        ({"op": "conflate", "ms": 250}, "conflate", 250),
        ({"op": "pause"}, "paused", True),
        ({"op": "play"}, "paused", False),
    ],
)
async def test_every_op_works_over_patch(
    client: httpx.AsyncClient, op: dict[str, object], field: str, value: object
) -> None:
    await client.get(f"/v1/poll?session={SESSION}&wait=0")

    answer = await client.patch(f"/v1/sessions/{SESSION}", json=op)

    assert answer.status_code == 200
    assert answer.json()[field] == value


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "bad_request", None),
        (b"[" * 200 + b"]" * 200, "bad_request", None),
        (b'{"op":"jump"}', "bad_request", "op"),
        (b'{"op":"conflate","ms":1}', "bad_request", "conflate"),
        (b'{"op":"conflate","ms":"x"}', "bad_request", "ms"),
        (b'{"op":"set","symbols":["aapl"]}', "bad_symbols", "symbols[0]"),
        (b'{"op":"set","types":["news"]}', "bad_request", "types[0]"),
        (b'{"op":"cut","seconds":61}', "bad_request", "seconds"),
    ],
)
async def test_a_wrong_op_changes_nothing(client: httpx.AsyncClient, body: bytes, code: str, field: str | None) -> None:
    await client.get(f"/v1/poll?session={SESSION}&wait=0")
    before = (await client.get(f"/v1/sessions/{SESSION}")).json()

    answer = await client.patch(f"/v1/sessions/{SESSION}", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"].get("field") == field
    assert (await client.get(f"/v1/sessions/{SESSION}")).json() == before


async def test_a_cut_of_nothing_is_not_found(client: httpx.AsyncClient) -> None:
    await client.get(f"/v1/poll?session={SESSION}&wait=0")

    assert (await client.patch(f"/v1/sessions/{SESSION}", json={"op": "cut", "seconds": 1})).status_code == 404


async def test_sessions_that_are_not_there_or_misnamed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/sessions/none-of-this-name")).status_code == 404
    assert (await client.get("/v1/sessions/short")).status_code == 400


async def test_a_session_belongs_to_who_opened_it(server: Live, client: httpx.AsyncClient) -> None:
    server.node.sessions.open(SESSION, "192.0.2.1", server.node.clock())

    for path in (f"/v1/sessions/{SESSION}", f"/v1/poll?session={SESSION}", f"/v1/stream?session={SESSION}"):
        answer = await client.get(path)

        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"


async def test_health_and_readiness(server: Live, client: httpx.AsyncClient) -> None:
    ready = await client.get("/readyz")
    server.node.draining = True
    draining = await client.get("/readyz")

    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert (draining.status_code, draining.json()["ready"]) == (503, False)


async def test_a_draining_server_refuses_requests(server: Live, client: httpx.AsyncClient) -> None:
    server.node.draining = True

    for path in ("/v1/symbols", "/v1/poll"):
        answer = await client.get(path)

        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "draining"
        assert int(answer.headers["Retry-After"]) in (1, 2)
