from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.live import Live, live
from ticker.core.codes import BadRequest
from ticker.core.publishing import decode_array, decode_lines
from ticker.core.tick import Instrument
from ticker.node import Node
from ticker.settings import Settings
from ticker.web.app import create_app

TRADE = {"type": "trade", "symbol": "ACME", "price": 10.5, "size": 3, "side": "sell", "ts": 1_700_000_000_000_000}
QUOTE = {
    "type": "quote",
    "symbol": "ACME",
    "bid": 10.5,
    "bid_size": 3,
    "ask": 10.51,
    "ask_size": 0,
    "ts": 1_700_000_000_000_001,
}


def state(server: Live) -> tuple[int, list[str]]:
    """Return what a publication would change."""
    return server.node.tape.ring.newest, list(server.node.tape.instruments)


async def test_an_array_gets_contiguous_cursors(server: Live, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/ticks", json=[TRADE, QUOTE])

    epoch = server.node.tape.ring.epoch
    assert answer.json() == {"accepted": 2, "first": f"{epoch}-1", "last": f"{epoch}-2"}
    assert [json.loads(entry.json) for entry in server.node.tape.ring.slice(0, 2)] == [
        {**TRADE, "cursor": f"{epoch}-1"},
        {**QUOTE, "cursor": f"{epoch}-2"},
    ]


async def test_lines_are_an_array(server: Live, client: httpx.AsyncClient) -> None:
    body = f"{json.dumps(TRADE)}\n\n{json.dumps(QUOTE)}\n"

    answer = await client.post("/v1/ticks", content=body, headers={"Content-Type": "application/x-ndjson"})

    assert answer.json()["accepted"] == 2


async def test_a_tick_without_a_time_is_of_now(server: Live, client: httpx.AsyncClient) -> None:
    before = server.node.clock()
    await client.post(
        "/v1/ticks", json=[{**TRADE, "ts": None}, {"type": "trade", "symbol": "A", "price": 1, "size": 1}]
    )

    assert all(before <= entry.tick.ts <= server.node.clock() for entry in server.node.tape.ring.slice(0, 2))


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"price": 10.501}, "bad_request", "[1].price"),
        ({"price": 0}, "bad_request", "[1].price"),
        ({"price": "10"}, "bad_request", "[1].price"),
        ({"size": -1}, "bad_request", "[1].size"),
        ({"side": "hold"}, "bad_request", "[1].side"),
        ({"ts": 1 << 53}, "bad_request", "[1].ts"),
        ({"ts": -1}, "bad_request", "[1].ts"),
        ({"ts": 1.5}, "bad_request", "[1].ts"),
        ({"symbol": "acme"}, "bad_symbols", "[1].symbol"),
        ({"symbol": "A\nB"}, "bad_symbols", "[1].symbol"),
        ({"symbol": "A" * 33}, "bad_symbols", "[1].symbol"),
        ({"symbol": None}, "bad_request", "[1].symbol"),
        ({"type": "bar"}, "bad_request", "[1].type"),
    ],
)
async def test_one_wrong_tick_refuses_all(
    server: Live, client: httpx.AsyncClient, change: dict[str, object], code: str, field: str
) -> None:
    before = state(server)

    answer = await client.post("/v1/ticks", json=[TRADE, {**TRADE, **change}])

    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == (code, field)
    assert state(server) == before


async def test_a_time_far_ahead_is_refused(server: Live, client: httpx.AsyncClient) -> None:
    now = server.node.clock()

    assert (await client.post("/v1/ticks", json=[{**TRADE, "ts": now + 59_000_000}])).status_code == 200
    assert (await client.post("/v1/ticks", json=[{**TRADE, "ts": now + 70_000_000}])).status_code == 400


async def test_a_crossed_quote_is_refused(server: Live, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/ticks", json=[{**QUOTE, "bid": 11}])

    assert answer.json()["error"]["field"] == "[0].bid"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"[1]", b"nonsense", b'[{"type":"trade"}]', b"[" * 200, b"[NaN]", b"\xff\xfe", b"[1e999]"],
)
async def test_what_is_no_array_of_ticks_is_refused(server: Live, client: httpx.AsyncClient, body: bytes) -> None:
    before = state(server)

    answer = await client.post("/v1/ticks", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert state(server) == before


async def test_a_wrong_line_is_named_by_its_index(client: httpx.AsyncClient) -> None:
    body = json.dumps(TRADE) + '\n{"type":"trade","symbol":3}\n'

    answer = await client.post("/v1/ticks", content=body, headers={"Content-Type": "application/x-ndjson"})

    assert answer.json()["error"]["field"] == "[1].symbol"


async def test_other_content_types_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/ticks", content="[]", headers={"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_foreign_page_may_not_publish(server: Live, client: httpx.AsyncClient) -> None:
    foreign = await client.post("/v1/ticks", json=[TRADE], headers={"Origin": "http://evil.example"})
    own = await client.post("/v1/ticks", json=[TRADE], headers={"Origin": f"http://127.0.0.1:{server.port}"})

    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "forbidden")
    assert own.status_code == 200


async def test_a_body_over_the_limit_is_too_large(server: Live, client: httpx.AsyncClient) -> None:
    body = b"[" + b" " * server.node.settings.publish_limit + b"]"

    answer = await client.post("/v1/ticks", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/ticks"), ("PATCH", "/v1/sessions/a-session-of-mine-1")])
async def test_a_body_without_a_length_is_measured_all_the_same(
    server: Live, client: httpx.AsyncClient, method: str, path: str
) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(5 * 16):
            yield b" " * 65536

    await client.get("/v1/poll?session=a-session-of-mine-1&wait=0")
    answer = await client.request(method, path, content=upload(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/ticks"), ("PUT", "/v1/symbols/A"), ("PATCH", "/v1/sessions/a-session-of-mine-1")],
)
async def test_whatever_changes_something_is_kept_from_forms_and_foreign_pages(
    server: Live, client: httpx.AsyncClient, method: str, path: str
) -> None:
    await client.get("/v1/poll?session=a-session-of-mine-1&wait=0")
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    forms = [await client.request(method, path, content=b"{}", headers={"Content-Type": kind}) for kind in kinds]
    origins = ["http://evil.example", "null", "http://localhost:1"]
    pages = [await client.request(method, path, json={}, headers={"Origin": origin}) for origin in origins]

    assert {answer.status_code for answer in forms} == {415}
    assert {(answer.status_code, answer.json()["error"]["field"]) for answer in pages} == {(403, "Origin")}
    assert state(server) == (0, [])


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "/v1/ticks", [TRADE]), ("PUT", "/v1/symbols/A", {})])
@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("192.0.2.1", 403)])
async def test_publishing_works_from_this_machine_only(
    method: str, path: str, body: object, address: str, status: int
) -> None:
    app = create_app(Node(Settings.load({}, {"no_feed": True})))

    answer = await app.test_client().open(path, method=method, json=body, scope_base={"client": (address, 5)})

    assert answer.status_code == status


async def test_an_instrument_is_created_and_changed_field_by_field(server: Live, client: httpx.AsyncClient) -> None:
    created = await client.put("/v1/symbols/NEW/USD", json={"tick_size": 0.5, "name": "New"})
    changed = await client.put("/v1/symbols/NEW/USD", json={"name": "Newer"})

    assert created.json()["tick_size"] == 0.5
    assert changed.json() == {**created.json(), "name": "Newer"}
    assert server.node.tape.instruments["NEW/USD"] == Instrument("NEW/USD", "Newer", tick_size=0.5)
    assert (await client.post("/v1/ticks", json=[{**TRADE, "symbol": "NEW/USD", "price": 10.25}])).status_code == 400


async def test_a_market_has_so_many_symbols_and_no_more() -> None:
    async with live(max_symbols=2) as server, httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.put("/v1/symbols/A", json={})).status_code == 200
        too_many = [{**TRADE, "symbol": symbol} for symbol in ("A", "B", "C")]
        answers = [await client.post("/v1/ticks", json=too_many), await client.post("/v1/ticks", json=too_many[:2])]
        answers += [await client.put("/v1/symbols/C", json={}), await client.put("/v1/symbols/B", json={})]

        assert [answer.status_code for answer in answers] == [400, 200, 400, 200]
        assert {answer.json()["error"]["code"] for answer in answers[::2]} == {"bad_symbols"}
        assert state(server) == (2, ["A", "B"])


@pytest.mark.parametrize(
    ("symbol", "fields", "name"),
    [
        ("new", {}, "symbol"),
        ("NEW", {"tick_size": 0}, "tick_size"),
        ("NEW", {"lot_size": -1}, "lot_size"),
        ("NEW", {"name": "a\nb"}, "name"),
        ("NEW", {"name": 3}, "name"),
        ("NEW", {"sector": "x" * 201}, "sector"),
    ],
)
async def test_a_wrong_instrument_is_refused(
    server: Live, client: httpx.AsyncClient, symbol: str, fields: dict[str, object], name: str
) -> None:
    answer = await client.put(f"/v1/symbols/{symbol}", json=fields)

    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == name
    assert server.node.tape.instruments == {}


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_makes_a_bug(body: bytes) -> None:
    for decode in (decode_array, decode_lines):
        with suppress(BadRequest):
            assert isinstance(decode(body), list)
