"""Single requests against a fake server: what answers mean, and what comes of those that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.client.peer import Peer, Play, answer, refuse, snapshot
from ticker.client import Api, ClientError, Request
from ticker.client.exchange import ANSWER_LIMIT
from ticker.core.codes import Disconnected, TickerError, Violation
from ticker.core.tick import Instrument


async def ask(play: Play) -> list[Instrument]:
    async with Peer(play) as peer, Api(Request(peer.url)) as api:
        return await api.instruments()


async def test_returns_instruments_with_what_is_known() -> None:
    body: dict[str, Any] = {"instruments": [{"symbol": "A", "reference": 2.0, "more": 1}, {"symbol": "B"}]}

    assert await ask(answer(200, json.dumps(body).encode())) == [Instrument("A", reference=2.0), Instrument("B")]


async def test_asks_for_the_snapshot_of_its_symbols_with_its_newest_token() -> None:
    tokens = iter(["one", "two"])
    async with Peer(answer(200, json.dumps(snapshot("1-4")).encode())) as peer:
        request = Request(peer.url + "/", ["A", "B/C*"], token=lambda: next(tokens))
        async with Api(request) as api:
            assert (await api.snapshot()).cursor == "1-4"
        (asked,) = peer.asked

    assert (asked.path, asked.query) == ("/v1/snapshot", {"symbols": "A,B/C*"})
    assert asked.headers["authorization"] == "Bearer one"


@pytest.mark.parametrize(
    ("play", "kind", "text"),
    [
        (answer(200, b"{}"), Violation, "a bad answer to /v1/symbols"),
        (answer(200, b"x" * ANSWER_LIMIT, end="hold"), Violation, f"more than {ANSWER_LIMIT} bytes"),
        (answer(404, b"<html>"), ClientError, "http_404: the server answered 404"),
        (answer(302, b""), ClientError, "http_302"),
        (answer(204, b""), Disconnected, "http_204"),
        (answer(500, b""), Disconnected, "http_500"),
        (refuse(403, "forbidden", "no right"), ClientError, "forbidden: no right"),
        (refuse(503, "draining", "soon", "Retry-After: tomorrow"), Disconnected, "draining: soon"),
        (Play(b""), Disconnected, "cut: "),
    ],
)
async def test_an_answer_that_is_no_use_says_why(play: Play, kind: type[TickerError], text: str) -> None:
    with pytest.raises(TickerError, match=text) as error:
        await ask(play)

    assert error.type is kind


async def test_a_server_that_is_not_there_was_not_reached() -> None:
    async with Peer() as peer:
        url = peer.url
    async with Api(Request(url)) as api:
        with pytest.raises(Disconnected, match="unreachable") as error:
            await api.instruments()

    assert not error.value.reached
