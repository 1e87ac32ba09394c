from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.live import Live, live
from ticker.web import rest


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
