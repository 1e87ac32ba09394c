from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.live import Live, live
from tests.support.serving import trusting
from tests.support.streams import streaming
from ticker.web import rest

PAGE, OTHER = "https://app.example.com", "http://other.example.com:8080"
SESSION = "a-session-of-mine-1"


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    """Serve a node whose API pages of two other origins may use."""
    async with live(origins=[PAGE, OTHER], tls=True) as served:
        yield served


def cors(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that say what a page may do."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def words(header: str) -> set[str]:
    """Return the words of a header that is a list."""
    return set(header.split(", "))


async def preflight(
    client: httpx.AsyncClient, path: str, method: str = "GET", origin: str = PAGE, **headers: str
) -> httpx.Response:
    """Ask what a browser asks before a request."""
    return await client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **headers})


async def assert_foreign(client: httpx.AsyncClient, path: str, origin: str) -> None:
    """Assert that no page of an origin learns anything from a path."""
    for answer in (
        await client.get(path, headers={"Origin": origin}),
        await preflight(client, path, origin=origin),
    ):
        assert answer.status_code == 200
        assert cors(answer) == {}


class TestAnswers:
    @pytest.mark.parametrize("origin", [PAGE, OTHER])
    async def test_may_be_read_by_pages_of_the_list(self, client: httpx.AsyncClient, origin: str) -> None:
        answer = await client.get("/v1/symbols", headers={"Origin": origin})

        assert answer.status_code == 200
        assert cors(answer) == {"access-control-allow-origin": origin, "access-control-expose-headers": "Retry-After"}

    async def test_of_a_publication_too(self, server: Live, client: httpx.AsyncClient) -> None:
        ticks = [{"type": "trade", "symbol": "A", "price": 1, "size": 1}]
        answer = await client.post("/v1/ticks", json=ticks, headers={"Origin": PAGE})

        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE

    async def test_of_a_stream_too(self, server: Live) -> None:
        async with streaming(server, Origin=PAGE) as reader:
            hello = await reader.event("hello")

        assert hello.data["resumed"] is False
        assert reader.answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert reader.answer.headers["Vary"] == "Origin"

    @pytest.mark.parametrize(
        ("method", "path", "headers", "status"),
        [
            ("GET", "/v1/stream?cursor=1", {}, 400),
            ("GET", f"/v1/sessions/{SESSION}", {}, 404),
            ("GET", "/v1/nothing", {}, 404),
            ("DELETE", "/v1/symbols", {}, 405),
            ("GET", "/v1/poll", {"Accept": "text/html"}, 406),
            ("GET", f"/v1/symbols?{'x' * 8193}", {}, 414),
            ("POST", "/v1/ticks", {"Content-Type": "text/plain"}, 415),
            ("GET", "/v1/symbols", {"Host": "evil.example"}, 421),
        ],
    )
    async def test_that_are_errors_too(
        self, client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], status: int
    ) -> None:
        answer = await client.request(method, path, headers={"Origin": PAGE, **headers})

        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Origin" in words(answer.headers["Vary"])

    async def test_that_say_when_to_come_back(self, server: Live, client: httpx.AsyncClient) -> None:
        server.node.draining = True
        answer = await client.get("/v1/symbols", headers={"Origin": PAGE})

        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"

    async def test_to_what_met_a_bug(
        self, server: Live, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rest, "node", lambda: 1 / 0)
        answer = await client.get("/v1/symbols", headers={"Origin": PAGE})

        assert answer.status_code == 500
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        server.served.complaints.clear()


class TestVary:
    @pytest.mark.parametrize(
        ("path", "vary"),
        [
            ("/v1/symbols", {"Origin"}),
            ("/v1/nothing", {"Origin"}),
            ("/v1/poll?wait=0", {"Accept", "Origin"}),
            ("/v1/ticks", {"Accept", "Origin"}),
        ],
    )
    async def test_names_the_origin_whoever_asks(self, client: httpx.AsyncClient, path: str, vary: set[str]) -> None:
        for headers in ({}, {"Origin": PAGE}, {"Origin": "https://foreign.example"}):
            assert words((await client.get(path, headers=headers)).headers["Vary"]) == vary

    async def test_of_pages_and_of_servers_without_a_list_does_not(self, client: httpx.AsyncClient) -> None:
        async with live() as alone, httpx.AsyncClient(base_url=alone.url) as other:
            answers = [
                await client.get("/", headers={"Origin": PAGE}),
                await client.get("/healthz", headers={"Origin": PAGE}),
                await other.get("/v1/poll?wait=0", headers={"Origin": PAGE}),
                await other.get("/v1/symbols", headers={"Origin": PAGE}),
            ]

        assert [answer.headers.get("Vary") for answer in answers] == ["Accept-Encoding", None, "Accept", None]
        assert [cors(answer) for answer in answers] == [{}, {}, {}, {}]


class TestPreflight:
    @pytest.mark.parametrize(
        ("path", "method", "allowed"),
        [
            ("/v1/stream", "GET", {"GET", "HEAD"}),
            ("/v1/ticks", "POST", {"GET", "HEAD", "POST"}),
            ("/v1/symbols/EUR/USD", "PUT", {"PUT"}),
            (f"/v1/sessions/{SESSION}", "PATCH", {"GET", "HEAD", "PATCH"}),
            ("/v1/symbols", "DELETE", {"GET", "HEAD"}),
        ],
    )
    async def test_is_told_what_the_route_allows(
        self, client: httpx.AsyncClient, path: str, method: str, allowed: set[str]
    ) -> None:
        wanted = {"Access-Control-Request-Headers": "authorization,last-event-id"}
        answer = await preflight(client, path, method, **wanted)

        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert words(answer.headers["Access-Control-Allow-Methods"]) == {*allowed, "OPTIONS"}
        assert words(answer.headers["Access-Control-Allow-Headers"]) == {
            "Authorization",
            "Content-Type",
            "Last-Event-ID",
        }
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Vary"] == "Origin"

    @pytest.mark.parametrize("http2", [False, True])
    async def test_has_no_content_and_says_nothing_of_it(self, server: Live, http2: bool) -> None:
        async with httpx.AsyncClient(base_url=server.served.urls[http2], http2=http2, verify=trusting()) as client:
            answer = await preflight(client, "/v1/stream")

        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert answer.status_code == 204
        assert not {"content-length", "content-type", "transfer-encoding"} & set(answer.headers)

    async def test_goes_through_where_the_request_will_be_refused(
        self, server: Live, client: httpx.AsyncClient
    ) -> None:
        server.node.draining = True

        assert (await preflight(client, "/v1/symbols")).status_code == 204
        assert (await preflight(client, f"/v1/stream?{'x' * 8193}")).status_code == 204

    async def test_of_what_is_not_there_is_not_found(self, client: httpx.AsyncClient) -> None:
        assert (await preflight(client, "/v1/nothing")).status_code == 404

    @pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}, {"Access-Control-Request-Method": "GET"}])
    async def test_is_not_what_lacks_one_of_its_headers(
        self, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        answer = await client.options("/v1/ticks", headers=headers)

        assert answer.status_code == 200
        assert words(answer.headers["Allow"]) == {"GET", "HEAD", "POST", "OPTIONS"}
        assert "Access-Control-Allow-Methods" not in answer.headers


class TestForeignPages:
    @pytest.mark.parametrize(
        "origin",
        [
            "https://foreign.example",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil.app.example.com",
            f"{PAGE}, {OTHER}",
            "null",
            "",
        ],
    )
    async def test_learn_nothing(self, client: httpx.AsyncClient, origin: str) -> None:
        await assert_foreign(client, "/v1/symbols", origin)

    @pytest.mark.parametrize("path", ["/", "/healthz", "/metrics"])
    async def test_of_the_list_learn_nothing_outside_the_api(self, client: httpx.AsyncClient, path: str) -> None:
        await assert_foreign(client, path, PAGE)
