"""Clients that exist connect, are cut and resume: what they were told is what was published, once and in order."""

from __future__ import annotations

import subprocess

import httpx
import pytest

from tests.clients.following import Follow, following, httpx_sse, npm_eventsource, npm_ws, websockets
from tests.support.checkout import ROOT
from tests.support.live import Live, live
from tests.support.relay import relay

SESSION = "a-session-of-its-own"

CLIENTS = [npm_eventsource, npm_ws, httpx_sse, websockets]
every_client = pytest.mark.parametrize("follow", CLIENTS, ids=lambda follow: follow.__name__)


@pytest.fixture(scope="module", autouse=True)
def _node_modules() -> None:
    """Install what package-lock.json names, unless `make test` has."""
    subprocess.run(["make", "--silent", "tests/node_modules/.stamp"], cwd=ROOT, check=True)


async def cut(server: Live, seconds: float = 0) -> None:
    """Cut the session's data connection and refuse it for a time."""
    async with httpx.AsyncClient() as http:
        answer = await http.patch(f"{server.url}/v1/sessions/{SESSION}", json={"op": "cut", "seconds": seconds})

        assert answer.status_code == 200, answer.text


@every_client
async def test_cut_by_its_session_a_client_resumes(follow: Follow) -> None:
    async with live() as server, following(follow, f"127.0.0.1:{server.port}?session={SESSION}") as client:
        for first in range(1, 801, 200):
            await server.publish_numbered(100, first)
            await client.until(lambda: first + 99 in client.numbers())  # noqa: B023
            await cut(server)
            await server.publish_numbered(100, first + 100)
            await client.until(lambda: first + 199 in client.numbers())  # noqa: B023

        assert client.numbers() == list(range(1, 801))
        assert [hello["resumed"] for hello in client.all("hello")] == [False, True, True, True, True]
        assert client.all("gap") == []


@every_client
async def test_cut_in_the_network_a_client_resumes(follow: Follow) -> None:
    async with live() as server:
        with relay(server.port) as between:
            async with following(follow, f"127.0.0.1:{between.port}?session={SESSION}") as client:
                for first in range(1, 4001, 1000):
                    # Not waited for: the cut meets the ticks somewhere on their way.
                    await server.publish_numbered(500, first)
                    assert between.cut() > 0
                    await server.publish_numbered(500, first + 500)
                    await client.until(lambda: first + 999 in client.numbers())  # noqa: B023

                assert client.numbers() == list(range(1, 4001))
                assert [hello["resumed"] for hello in client.all("hello")] == [False, True, True, True, True]
                assert client.all("gap") == []


@every_client
async def test_refused_for_a_while_a_client_comes_back(follow: Follow) -> None:
    async with live() as server, following(follow, f"127.0.0.1:{server.port}?session={SESSION}") as client:
        await server.publish_numbered(100)
        await client.until(lambda: 100 in client.numbers())
        # Longer than EventSource waits before it comes back, which is 2 s at most.
        await cut(server, seconds=2.5)
        await server.publish_numbered(100, 101)
        await client.until(lambda: 200 in client.numbers())
        refusals = client.all("refused") + client.all("error")

        assert client.numbers() == list(range(1, 201))
        assert {refusal["code"] for refusal in refusals} == {"cut"}
        # It has waited as long as it was told: it was not refused a second time.
        assert len(refusals) == 1


@every_client
async def test_a_client_that_was_away_too_long_is_told_what_it_missed(follow: Follow) -> None:
    async with (
        live(ring_size=500) as server,
        following(follow, f"127.0.0.1:{server.port}?session={SESSION}") as client,
    ):
        await server.publish_numbered(100)
        await client.until(lambda: 100 in client.numbers())
        await cut(server, seconds=0.5)
        await server.publish_numbered(1000, 101)
        await client.until(lambda: len(client.all("snapshot")) > 1)
        await server.publish_numbered(100, 1101)
        await client.until(lambda: 1200 in client.numbers())
        (gap,) = client.all("gap")

        assert (gap["reason"], gap["lost"]) == ("evicted", 1000)
        assert client.numbers() == [*range(1, 101), *range(1101, 1201)]
