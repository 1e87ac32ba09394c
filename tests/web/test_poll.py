from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.support.live import Live, live
from tests.support.serving import eventually
from ticker.core.tick import Quote, Trade

SESSION = "a-session-of-mine-1"


@pytest.fixture
async def small() -> AsyncIterator[Live]:
    """Serve a ring that is soon full."""
    async with live(ring_size=100) as served:
        yield served


async def ask(client: httpx.AsyncClient, **query: object) -> Any:
    """Poll, and return the answer."""
    answer = await client.get("/v1/poll", params={name: str(value) for name, value in query.items()})

    assert answer.status_code == 200, answer.text
    return answer.json()


async def waiting(server: Live) -> None:
    """Wait until a poll waits."""
    await eventually(lambda: len(server.node.fanout) == 1)


async def test_without_a_cursor_the_snapshot_comes_at_once(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(20)

    answer = await ask(client)

    assert list(answer) == ["session", "cursor", "gap", "snapshot", "ticks", "more"]
    assert (answer["cursor"], answer["gap"], answer["ticks"], answer["more"]) == (str(last), None, [], False)
    assert answer["snapshot"]["scope"] == "all"


async def test_pages_through_everything(server: Live, client: httpx.AsyncClient) -> None:
    first, _ = await server.publish_numbered(25)
    answers = [await ask(client, cursor="earliest", limit=10, wait=0)]
    while answers[-1]["more"]:
        answers.append(await ask(client, cursor=answers[-1]["cursor"], limit=10, wait=0))

    ticks = [tick["cursor"] for answer in answers for tick in answer["ticks"]]
    assert ticks == [f"{first.epoch}-{seq}" for seq in range(1, 26)]
    assert [answer["more"] for answer in answers] == [True, True, False]
    assert all(answer["cursor"] == answer["ticks"][-1]["cursor"] for answer in answers)


async def test_more_is_true_only_if_something_that_matches_is_left(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish([Quote("A", 1, 1, 2, 1, 1), Quote("B", 1, 1, 2, 1, 1), Quote("B", 1, 1, 2, 1, 1)])

    answer = await ask(client, symbols="A", cursor="earliest", limit=1, wait=0)

    assert answer["more"] is False
    assert answer["cursor"].endswith("-3")


async def test_the_cursor_moves_on_even_when_nothing_matches(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(10)

    answer = await ask(client, symbols="NONE", cursor="earliest", wait=0)

    assert (answer["ticks"], answer["cursor"]) == ([], str(last))


async def test_waits_until_something_matches(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish_numbered(3)
    poll = asyncio.create_task(ask(client, cursor="latest", symbols="WANTED"))
    await waiting(server)
    await server.publish([Quote("OTHER", 1, 1, 2, 1, 1)])
    await server.publish([Quote("WANTED", 1, 1, 2, 1, 1)])

    answer = await poll

    assert [tick["symbol"] for tick in answer["ticks"]] == ["WANTED"]
    assert answer["cursor"].endswith("-5")


async def test_answers_empty_when_the_wait_is_over(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(3)

    answer = await ask(client, cursor=last, wait=0.05)

    assert (answer["ticks"], answer["cursor"], answer["more"]) == ([], str(last), False)


async def test_a_tick_between_two_polls_is_not_lost(server: Live, client: httpx.AsyncClient) -> None:
    cursor, got = "earliest", []
    for number in range(1, 40, 2):
        await server.publish_numbered(2, first=number)
        answer = await ask(client, cursor=cursor, wait=1)
        got += [tick.get("size", tick.get("bid_size")) for tick in answer["ticks"]]
        cursor = answer["cursor"]

    assert got == list(range(1, 41))


async def test_what_was_evicted_is_a_gap_and_a_snapshot(small: Live) -> None:
    first, last = await small.publish_numbered(300)
    async with httpx.AsyncClient(base_url=small.url) as client:
        answer = await ask(client, cursor=first)

    assert answer["gap"] == {"from": f"{first.epoch}-2", "to": str(last), "lost": 299, "reason": "evicted"}
    assert answer["snapshot"]["cursor"] == answer["cursor"] == str(last)
    assert answer["ticks"] == []


async def test_a_cursor_of_another_epoch_is_a_gap(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(3)

    answer = await ask(client, cursor="5-7")

    assert answer["gap"] == {"from": "5-8", "to": str(last), "lost": None, "reason": "restarted"}


async def test_a_future_cursor_waits_for_the_market_even_without_a_wait(
    server: Live, client: httpx.AsyncClient
) -> None:
    first, _ = await server.publish_numbered(3)
    poll = asyncio.create_task(ask(client, cursor=f"{first.epoch}-5", wait=0))
    await waiting(server)
    await server.publish_numbered(3, first=4)

    answer = await poll

    assert answer["gap"] is None
    assert answer["cursor"].endswith(("-5", "-6"))


async def test_a_future_that_does_not_come_is_a_gap(server: Live, client: httpx.AsyncClient) -> None:
    first, last = await server.publish_numbered(3)

    reached, unreachable = await asyncio.gather(
        ask(client, cursor=f"{first.epoch}-9", wait=0), ask(client, cursor=f"{first.epoch + 1}-9", wait=0)
    )

    for answer in (reached, unreachable):
        assert answer["gap"] == {"from": None, "to": str(last), "lost": None, "reason": "future"}


async def test_names_that_were_added_come_with_a_snapshot(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish([Quote("A", 1, 1, 2, 1, 1), Quote("B", 1, 5, 2, 1, 1)])
    before = await ask(client, session=SESSION, symbols="A")
    await client.patch(f"/v1/sessions/{SESSION}", json={"op": "subscribe", "symbols": ["B"]})

    added = await ask(client, session=SESSION, symbols="A", cursor=before["cursor"])
    again = await ask(client, session=SESSION, symbols="A", cursor=before["cursor"], wait=0)
    await server.publish([Quote("B", 1, 6, 2, 1, 1)])
    after = await ask(client, session=SESSION, symbols="A", cursor=before["cursor"])

    assert added["snapshot"]["scope"] == "added"
    assert [quote["symbol"] for quote in added["snapshot"]["quotes"]] == ["B"]
    assert again["snapshot"] == added["snapshot"]
    assert [tick["bid_size"] for tick in after["ticks"]] == [6]


async def test_a_paused_session_stays_where_it_is(server: Live, client: httpx.AsyncClient) -> None:
    first, _ = await server.publish_numbered(3)
    await ask(client, session=SESSION, cursor=first, wait=0)
    await client.patch(f"/v1/sessions/{SESSION}", json={"op": "pause"})

    paused = await ask(client, session=SESSION, cursor=first, wait=0)
    await client.patch(f"/v1/sessions/{SESSION}", json={"op": "play"})
    played = await ask(client, session=SESSION, cursor=first, wait=0)

    assert (paused["ticks"], paused["cursor"], paused["more"]) == ([], str(first), False)
    assert len(played["ticks"]) == 2


async def test_bars_stand_at_their_places_and_do_not_count(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish([Trade("A", 1, 1, None, second * 1_000_000) for second in (1, 2, 3)])

    query = {"cursor": "earliest", "types": "trade,bar", "interval": "1s", "limit": 3, "wait": 0}
    answer = await ask(client, **query)

    assert [tick["type"] for tick in answer["ticks"]] == ["trade", "bar", "trade", "bar", "trade"]


async def test_a_newer_connection_takes_over(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(3)
    older = asyncio.create_task(ask(client, session=SESSION, cursor=last))
    await waiting(server)

    await ask(client, session=SESSION, cursor=last, wait=0)

    assert (await older)["ticks"] == []


async def test_a_drain_answers_at_once(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(3)
    poll = asyncio.create_task(ask(client, cursor=last))
    await waiting(server)

    await server.node.drain()

    assert (await poll)["cursor"] == str(last)


async def test_a_client_that_leaves_is_forgotten(server: Live) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        poll = asyncio.create_task(ask(client, cursor="latest"))
        await waiting(server)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)

    await eventually(lambda: len(server.node.fanout) == 0)
    assert server.node.sessions.statistics()["idle"] == 1


async def test_messagepack_is_the_same_object(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish(
        [Quote("A", 1.5, 1, 2, 1, 1), Trade("A", 1.5, 2, None, 1_000_000), Trade("A", 1, 2, None, 2_000_000)]
    )
    path = f"/v1/poll?cursor=earliest&wait=0&session={SESSION}&types=quote,trade,bar&interval=1s"

    packed = await client.get(path, headers={"Accept": "application/msgpack"})
    plain = await client.get(path)

    assert packed.headers["Content-Type"] == "application/msgpack"
    assert msgspec.msgpack.decode(packed.content) == plain.json()
    assert plain.headers["Cache-Control"] == "no-store"


async def test_lines_end_with_an_end(server: Live, client: httpx.AsyncClient) -> None:
    _, last = await server.publish_numbered(5)

    answer = await client.get("/v1/ticks?cursor=earliest&limit=3", headers={"Accept": "application/x-ndjson"})

    *ticks, end = [json.loads(line) for line in answer.text.splitlines()]
    assert [tick["type"] for tick in ticks] == ["quote"] * 3
    assert end == {"type": "end", "cursor": f"{last.epoch}-3", "more": True}


async def test_lines_begin_with_gap_and_snapshot(server: Live, client: httpx.AsyncClient) -> None:
    await server.publish_numbered(5)

    answer = await client.get("/v1/ticks?cursor=5-5", headers={"Accept": "application/x-ndjson"})

    assert [json.loads(line)["type"] for line in answer.text.splitlines()] == ["gap", "snapshot", "end"]


@pytest.mark.parametrize(
    ("query", "status", "code", "field"),
    [
        ("cursor=1", 400, "bad_cursor", "cursor"),
        ("cursor=01-1", 400, "bad_cursor", "cursor"),
        ("cursor=9007199254740992-1", 400, "bad_cursor", "cursor"),
        ("lastEventId=x", 400, "bad_cursor", "lastEventId"),
        ("cursor=1-1&last_event_id=1-1", 400, "bad_request", "last_event_id"),
        ("cursor=1-1&cursor=1-2", 400, "bad_request", "cursor"),
        ("symbols=aapl", 400, "bad_symbols", "symbols[0]"),
        ("symbols=A,,B", 400, "bad_symbols", "symbols[1]"),
        ("symbols=A%0AB", 400, "bad_symbols", "symbols[0]"),
        ("types=news", 400, "bad_request", "types[0]"),
        ("types=", 400, "bad_request", "types[0]"),
        ("interval=2s", 400, "bad_request", "interval"),
        ("conflate=19", 400, "bad_request", "conflate"),
        ("conflate=60001", 400, "bad_request", "conflate"),
        ("conflate=x", 400, "bad_request", "conflate"),
        ("wait=26", 400, "bad_request", "wait"),
        ("wait=nan", 400, "bad_request", "wait"),
        ("wait=x", 400, "bad_request", "wait"),
        ("limit=0", 400, "bad_request", "limit"),
        ("limit=10001", 400, "bad_request", "limit"),
        ("batch=2", 400, "bad_request", "batch"),
        ("session=short", 400, "bad_request", "session"),
        ("x=" + "y" * 8192, 414, "uri_too_long", None),
        ("symbols=" + ",".join(f"A{number}" for number in range(1001)), 400, "bad_symbols", "symbols"),
    ],
)
async def test_wrong_queries_are_named_and_open_nothing(
    server: Live, client: httpx.AsyncClient, query: str, status: int, code: str, field: str | None
) -> None:
    for path in ("/v1/poll", "/v1/stream") if query.split("=")[0] not in ("wait", "limit") else ("/v1/poll",):
        answer = await client.get(f"{path}?{query}")

        assert answer.status_code == status
        assert (answer.json()["error"]["code"], answer.json()["error"].get("field")) == (code, field)
    assert len(server.node.sessions) == 0


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/poll?wait=0&colour=red&cursor=")).status_code == 200


async def test_other_methods_and_types_are_refused(client: httpx.AsyncClient) -> None:
    wrong_method = await client.post("/v1/poll")
    wrong_type = await client.get("/v1/poll", headers={"Accept": "text/html"})

    assert wrong_method.status_code == 405
    assert "GET" in wrong_method.headers["Allow"]
    assert (wrong_type.status_code, wrong_type.json()["error"]["code"]) == (406, "not_acceptable")
