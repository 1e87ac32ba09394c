from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import httpx
import pytest
from quart.wrappers.request import Body
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.live import Live, live
from tests.support.streams import streaming
from ticker.node import Node
from ticker.settings import Settings
from ticker.web import rest
from ticker.web.app import create_app


@pytest.fixture
async def named() -> AsyncIterator[Live]:
    """Serve under a name, too."""
    async with live(hosts=["market.example.com", "other.example.com:8443"]) as served:
        yield served


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST"])
async def test_loopback_is_asked_by_its_own_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]"])
async def test_another_name_is_misdirected(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/v1/stream", headers={"Host": host})

    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "misdirected")


async def test_names_that_were_set_are_served(named: Live) -> None:
    async with httpx.AsyncClient(base_url=named.url) as client:
        for host, status in (("market.example.com", 200), ("other.example.com:8443", 200), ("third.example.com", 421)):
            assert (await client.get("/healthz", headers={"Host": host})).status_code == status


@pytest.mark.parametrize(("hosts", "status"), [("", 200), ("Market.Example.com", 421)])
async def test_elsewhere_than_on_loopback_any_name_will_do_unless_some_are_set(hosts: str, status: int) -> None:
    app = create_app(Node(Settings.load({}, {"no_feed": True, "host": "0.0.0.0", "hosts": hosts})))

    for host, expected in (("localhost", status), ("market.example.com:80", 200)):
        assert (await app.test_client().get("/healthz", headers={"Host": host})).status_code == expected


async def test_a_bug_is_an_answer_without_its_details(
    server: Live, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(rest, "node", fail)
    answer = await client.get("/v1/symbols")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert any("request_failed" in line for line in server.served.complaints)
    server.served.complaints.clear()


async def test_what_is_not_there_is_said_in_our_form(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nothing")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


LONG = "x=" + "y" * 8191
SESSION = "a-session-of-mine-1"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/stream", {"GET", "HEAD"}),
        ("/v1/poll", {"GET", "HEAD"}),
        ("/v1/ticks", {"GET", "HEAD", "POST"}),
        ("/v1/symbols", {"GET", "HEAD"}),
        ("/v1/snapshot", {"GET", "HEAD"}),
        ("/v1/bars/EUR/USD", {"GET", "HEAD"}),
        (f"/v1/sessions/{SESSION}", {"GET", "HEAD", "PATCH"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/readyz", {"GET", "HEAD"}),
        ("/metrics", {"GET", "HEAD"}),
        ("/", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient, path: str, allowed: set[str]) -> None:
    for method in ("DELETE", "TRACE", "JUMP"):
        answer = await client.request(method, path)

        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/v1/poll", "text/event-stream"), ("/v1/ticks", "application/msgpack"), ("/v1/stream", "application/json")],
)
async def test_a_type_that_is_not_there_is_not_acceptable(
    server: Live, client: httpx.AsyncClient, path: str, accept: str
) -> None:
    answer = await client.get(path, headers={"Accept": accept})

    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")
    assert len(server.node.sessions) == 0


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/poll", "/v1/ticks", "/v1/snapshot", "/v1/bars/A", "/v1/symbols"])
async def test_a_query_over_8_kib_is_too_long(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}?{LONG}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (414, "uri_too_long")
    # One byte less is no longer the query's fault.
    assert (await client.head(f"{path}?{LONG[:-1]}")).status_code in (200, 404)


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [(LONG, {}, 414), ("", {"Host": "evil.example"}, 421), ("", {"Origin": "http://evil.example"}, 403)],
)
async def test_a_handshake_is_refused_before_the_upgrade(
    server: Live, query: str, headers: dict[str, str], status: int
) -> None:
    host = headers.pop("Host", "127.0.0.1")
    uri = f"ws://{host}:{server.port}/v1/ws?{query}"

    with pytest.raises(InvalidStatus) as refused:
        await connect(uri, host="127.0.0.1", additional_headers=headers, proxy=None)

    assert refused.value.response.status_code == status
    assert len(server.node.sessions) == 0


async def test_an_error_is_json_with_a_code_a_sentence_and_a_field(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/stream?cursor=1")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "error": {
            "code": "bad_cursor",
            "message": "a cursor is <epoch>-<seq>: two decimals without leading zeros, below 2^53",
            "field": "cursor",
        }
    }


async def test_the_address_is_the_connections_whatever_a_header_says(server: Live, client: httpx.AsyncClient) -> None:
    await client.get(f"/v1/poll?session={SESSION}&wait=0", headers={"Remote-Addr": "192.0.2.1"})

    assert server.node.sessions.open(SESSION, "127.0.0.1", server.node.clock()).principal == "127.0.0.1"


async def test_another_address_is_another_principal(server: Live, client: httpx.AsyncClient) -> None:
    await client.get(f"/v1/poll?session={SESSION}&wait=0")
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx.AsyncClient(base_url=server.url, transport=transport) as other:
        for method, path in (
            ("GET", f"/v1/sessions/{SESSION}"),
            ("PATCH", f"/v1/sessions/{SESSION}"),
            ("GET", f"/v1/poll?session={SESSION}"),
            ("HEAD", f"/v1/stream?session={SESSION}"),
        ):
            answer = await other.request(method, path, json={"op": "pause"})

            assert answer.status_code == 403

    assert (await client.get(f"/v1/sessions/{SESSION}")).json()["paused"] is False


async def test_a_body_that_nobody_reads_is_not_kept(server: Live) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield bytes(65536)
            await asyncio.sleep(0)
        sent.set()
        await asyncio.Event().wait()

    sent = asyncio.Event()
    async with httpx.AsyncClient(base_url=server.url) as client, streaming(server):
        request = asyncio.create_task(client.request("GET", "/v1/stream", content=upload()))
        await sent.wait()
        kept = sum(len(body._data) for body in gc.get_objects() if type(body) is Body)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)

    assert kept == 0


async def test_what_is_not_there_is_not_found_by_any_method(client: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await client.request(method, "/v1/nothing")

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
