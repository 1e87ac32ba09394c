from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.live import Live, live
from tests.support.serving import eventually
from tests.support.sockets import opened
from tests.support.streams import streaming
from ticker.metrics import Facts, Metrics

FACTS = Facts(
    node="here",
    version="1",
    clients={"sse": 2},
    flushes=4,
    flush_seconds=0.5,
    views=3,
    ticks=7,
    epoch=1_800_000_000_000,
    seq=6,
    ring_fill=5,
    ring_size=100,
    bars=8,
    symbols=9,
    sessions=11,
    sessions_idle=10,
    feeds={'a:"\n': "failed"},
    ready=False,
    draining=True,
)


def read(text: str) -> Mapping[str, float]:
    """Return the samples of ours, by name and labels' values."""
    return {
        " ".join([sample.name.removeprefix("ticker_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("ticker_")
    }


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    """Serve a small ring."""
    async with live(ring_size=100, node="one") as served:
        yield served


async def scrape(server: Live) -> Mapping[str, float]:
    """Ask the server."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return read(answer.text)


def test_every_fact_is_shown() -> None:
    assert read(Metrics(lambda: FACTS).render().decode()) == {
        "info here 1": 1,
        "clients sse": 2, "clients websocket": 0, "clients poll": 0,
        'feed_state a:"\n starting': 0, 'feed_state a:"\n running': 0, 'feed_state a:"\n ended': 0,
        'feed_state a:"\n failed': 1,
        "flush_seconds_count": 4, "flush_seconds_sum": 0.5,
        "ticks_total": 7, "ready": 0, "draining": 1, "epoch": 1_800_000_000_000, "seq": 6,
        "ring_ticks": 5, "ring_size": 100, "bars": 8, "symbols": 9, "sessions": 11, "sessions_idle": 10, "views": 3,
    }  # fmt: skip


def test_two_nodes_of_one_process_have_metrics_of_their_own() -> None:
    one, two = Metrics(lambda: FACTS), Metrics(lambda: FACTS._replace(ticks=0))

    assert [read(each.render().decode())["ticks_total"] for each in (one, two)] == [7, 0]


def test_the_process_is_shown_too() -> None:
    assert b"\nprocess_resident_memory_bytes " in Metrics(lambda: FACTS).render()


async def test_a_server_counts_its_clients_by_transport(server: Live) -> None:
    async with streaming(server) as reader, opened(server) as socket, httpx.AsyncClient(base_url=server.url) as client:
        await reader.event("hello")
        await socket.ask("ping")
        poll = asyncio.create_task(client.get("/v1/poll?cursor=latest"))
        await eventually(lambda: len(server.node.fanout) == 2)
        during = await scrape(server)
        await server.publish_numbered(1)
        await poll
    await eventually(lambda: len(server.node.fanout) == 0 and not server.node.sockets)
    after = await scrape(server)

    names = ("clients sse", "clients websocket", "clients poll", "sessions", "sessions_idle")
    assert [during[name] for name in names] == [1, 1, 1, 3, 0]
    assert [after[name] for name in names] == [0, 0, 0, 3, 3]


async def test_a_server_counts_ticks_flushes_and_what_it_keeps(server: Live) -> None:
    before = await scrape(server)
    _, last = await server.publish_numbered(300)
    await eventually(lambda: server.node.fanout.flushes > before["flush_seconds_count"])
    after = await scrape(server)

    assert (before["ticks_total"], before["ring_ticks"], before["symbols"]) == (0, 0, 0)
    assert (after["ticks_total"], after["seq"], after["epoch"]) == (300, 300, last.epoch)
    assert (after["ring_ticks"], after["ring_size"], after["symbols"]) == (100, 100, 5)
    assert after["flush_seconds_sum"] > before["flush_seconds_sum"]
    assert (after["ready"], after["draining"]) == (1, 0)


async def test_a_server_shows_the_states_of_its_feeds() -> None:
    async with live(no_feed=False, feeds=["synthetic:?symbols=2"]) as server:
        await eventually(lambda: server.node.ready)
        metrics = await scrape(server)

    states = {name: value for name, value in metrics.items() if name.startswith("feed_state")}
    assert len(states) == 4
    assert [name.rpartition(" ")[2] for name, value in states.items() if value] == ["running"]
