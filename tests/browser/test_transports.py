"""The dashboard's four transports: chosen by hand, blocked on the way, and how its subscription is changed on each."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Request, WebSocket, expect

from tests.support.dashboard import LIMIT, Cut, Dashboard, Market, wait_until
from tests.support.proxy import Block, threaded_proxy

NAMES = {"sse": "sse", "websocket": "ws", "longpoll": "long poll", "poll": "poll"}

pytestmark = pytest.mark.usefixtures("no_chart")

each_way = pytest.mark.parametrize("how", ["cut", "refuse", "hang"])


def reach(dashboard: Dashboard, transport: str) -> None:
    """Wait until the page is live on a transport."""
    expect(dashboard.facts).to_contain_text(re.compile(f"^{NAMES[transport]}·"), timeout=LIMIT)
    dashboard.reach("live")


def watch_sockets(dashboard: Dashboard) -> tuple[list[WebSocket], list[str]]:
    """Return the WebSockets that the page itself will open, and the ops that it will send on them."""
    sockets: list[WebSocket] = []
    ops: list[str] = []

    def open_socket(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framesent", lambda text: ops.append(json.loads(text)["op"]))

    dashboard.page.on("websocket", open_socket)
    return sockets, ops


def watch_patches(dashboard: Dashboard) -> list[str]:
    """Return the ops that the page itself will send by PATCH."""
    ops: list[str] = []

    def take(request: Request) -> None:
        if request.method == "PATCH":
            ops.append(json.loads(request.post_data or "{}")["op"])

    dashboard.page.on("request", take)
    return ops


def test_it_goes_from_transport_to_transport_without_a_seam(shared: Market, dashboard: Dashboard) -> None:
    dashboard.open(shared.url)
    dashboard.reach("live")
    for transport in ("websocket", "longpoll", "poll", "sse"):
        shared.publish(10)
        dashboard.use(transport)
        # Nobody waits for anything: these ticks meet the change somewhere on its way.
        shared.publish(10)
        reach(dashboard, transport)
        shared.publish(10)
        dashboard.shows_all(shared)
    dashboard.use("")
    dashboard.has(reconnects=5)
    reach(dashboard, "sse")

    dashboard.has(received=120, duplicate=0, gaps=0, lost=0, violations=0)


@pytest.mark.parametrize("transport", NAMES)
def test_a_cut_heals_on(transport: str, shared: Market, dashboard: Dashboard) -> None:
    dashboard.open(shared.url)
    dashboard.reach("live")
    dashboard.use(transport)
    dashboard.recoveries(1)
    reach(dashboard, transport)
    shared.publish(20)
    dashboard.has(received=20)
    dashboard.cut(1)
    shared.publish(100)
    cut, switch = dashboard.recoveries(2)
    reach(dashboard, transport)
    shared.publish(10)
    dashboard.has(received=130, duplicate=0, gaps=0, lost=0, reconnects=2, violations=0)

    assert [cut, switch] == [Cut("100", "100"), Cut("0", "0")]


@each_way
def test_where_streams_are_blocked_it_takes_a_websocket(how: Block, shared: Market, dashboard: Dashboard) -> None:
    with threaded_proxy(shared.server.port) as between:
        between.block("/v1/stream", how)
        dashboard.open(between.url)
        reach(dashboard, "websocket")
        shared.publish(10)
        dashboard.has(received=10, duplicate=0, lost=0, violations=0)
        dashboard.shows_all(shared)


@each_way
def test_where_websockets_are_blocked_too_it_polls(how: Block, market: Market, dashboard: Dashboard) -> None:
    dashboard.page.add_init_script("Math.random = () => 0.01")  # so that it never waits for long
    sent = watch_patches(dashboard)
    with threaded_proxy(market.server.port) as between:
        between.block("/v1/stream", "refuse")
        between.block("/v1/ws", how)
        dashboard.open(between.url, "share=0&list=AAPL,MSFT")
        reach(dashboard, "longpoll")
        market.publish(10, ["AAPL"])
        dashboard.has(received=10)
        dashboard.add("NVDA")
        dashboard.shows("NVDA", market.prices["NVDA"])
        market.publish(10, ["NVDA"])
        dashboard.has(received=20, duplicate=0, lost=0, violations=0)
        dashboard.shows("NVDA", market.prices["NVDA"])

    assert sent.count("set") == 1
    assert market.server.logged("stream_opened") == market.server.logged("socket_opened") == 0


def test_a_streams_subscription_is_changed_over_one_websocket(market: Market, dashboard: Dashboard) -> None:
    sockets, ops = watch_sockets(dashboard)
    dashboard.open(market.url, "share=0&list=AAPL,MSFT")
    dashboard.reach("live")
    market.publish(10, ["AAPL", "NVDA"])
    dashboard.has(received=5)
    # What was traded before it was asked for comes as a snapshot.
    dashboard.add("NVDA")
    dashboard.shows("NVDA", market.prices["NVDA"])
    market.publish(10, ["AAPL", "NVDA"])
    dashboard.has(received=15)
    dashboard.remove("AAPL")
    wait_until(dashboard.page, lambda: len(changes(dashboard)) == 2)
    market.publish(10, ["AAPL", "NVDA"])
    dashboard.has(received=20, duplicate=0, lost=0, reconnects=0, violations=0)
    (_, added) = [event for event in dashboard.seen("events") if event["name"] == "snapshot"]

    assert changes(dashboard) == [["AAPL", "MSFT", "NVDA"], ["MSFT", "NVDA"]]
    assert (added["scope"], [trade["symbol"] for trade in added["trades"]]) == ("added", ["NVDA"])
    assert (len(sockets), [op for op in ops if op != "ping"]) == (1, ["attach", "set", "set"])
    assert market.server.logged("stream_opened") == market.server.logged("socket_opened") == 1


def test_a_streams_subscription_is_changed_without_websockets(market: Market, dashboard: Dashboard) -> None:
    sent = watch_patches(dashboard)
    with threaded_proxy(market.server.port) as between:
        between.block("/v1/ws", "refuse")
        dashboard.open(between.url, "share=0&list=AAPL,MSFT")
        reach(dashboard, "sse")
        dashboard.add("NVDA")
        dashboard.shows("NVDA", market.prices["NVDA"])
        market.publish(10, ["NVDA"])
        dashboard.has(received=10, duplicate=0, lost=0, reconnects=0, violations=0)

    assert sent.count("set") == 1
    assert market.server.logged("stream_opened") == 1
    assert market.server.logged("socket_opened") == 0


def changes(dashboard: Dashboard) -> list[list[str]]:
    """Return what the page's stream was told to carry after each change."""
    return [sorted(event["symbols"]) for event in dashboard.seen("events") if event["name"] == "subscription"]
