"""HTTP/2 in a real Chromium: many streams on one connection, and requests beside them."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.support.process import ServerProcess

ALL_GREETED = "streams.every((stream) => stream.told.length > 0)"


def wait_for_connections(server: ServerProcess, url: str, count: int) -> None:
    """Wait until so many TCP connections are open; the browser closes at once those that it opened in vain."""
    deadline = time.monotonic() + 5
    while (found := server.connections(url)) != count:
        assert time.monotonic() < deadline, f"{found} connections"
        time.sleep(0.02)


def timed_fetch(page: Page) -> float:
    """Fetch in the page and return the seconds that it took."""
    answer = page.evaluate("timedFetch()")

    assert answer["status"] == 200
    return float(answer["took"]) / 1000


def test_twenty_event_sources_share_one_connection(server: ServerProcess, open_page: OpenPage) -> None:
    url = server.urls[1]
    page = open_page(url)
    page.evaluate("openStreams(20, '/v1/stream')")
    page.wait_for_function(ALL_GREETED)
    server.publish_numbered(50)
    page.wait_for_function("streams.every((stream) => stream.numbers().length >= 50)")
    wait_for_connections(server, url, 1)
    took = timed_fetch(page)
    waits = page.evaluate("streams.map((stream) => stream.told[0].at)")
    print(
        f"20 EventSources: first event after {min(waits):.0f} to {max(waits):.0f} ms, fetch took {1000 * took:.0f} ms"
    )

    assert page.evaluate("streams.map((stream) => stream.numbers())") == [list(range(1, 51))] * 20
    assert server.connections(url) == 1
    assert took < 5


def test_on_http1_a_page_gets_six(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.urls[0])
    page.evaluate("openStreams(20, '/v1/stream')")
    page.wait_for_function("streams.filter((stream) => stream.told.length).length === 6")
    for first in range(1, 51, 10):
        server.publish_numbered(10, first)
        page.wait_for_function(f"streams.some((stream) => stream.numbers().includes({first + 9}))")
    got = page.evaluate("streams.map((stream) => stream.numbers().length)")
    page.evaluate("streams.find((stream) => stream.told.length).source.close()")
    page.wait_for_function("streams.filter((stream) => stream.told.length).length === 7")

    assert sorted(got) == [0] * 14 + [50] * 6


def test_120_event_sources_leave_room_for_fetch(server: ServerProcess, open_page: OpenPage) -> None:
    url = server.urls[1]
    page = open_page(url)
    page.evaluate("openStreams(120, '/v1/stream')")
    page.wait_for_function(ALL_GREETED)
    took = [timed_fetch(page) for _ in range(10)]
    first = page.evaluate("streams.map((stream) => stream.told[0])")
    codes = [each["data"].get("code") for each in first]
    server.publish_numbered(10)
    page.wait_for_function("streams.filter((stream) => stream.numbers().length === 10).length >= 90")
    states = page.evaluate("streams.map((stream) => stream.source.readyState)")
    print(f"120 EventSources: fetch took {1000 * min(took):.0f} to {1000 * max(took):.0f} ms")

    assert [each["name"] for each in first].count("hello") == 90
    assert codes.count("overloaded") == 30
    # None of them has given up: 2 is CLOSED.
    assert set(states) <= {0, 1}
    assert max(took) < 5


def test_two_thousand_fetches_leave_a_stream_open(server: ServerProcess, open_page: OpenPage) -> None:
    url = server.urls[1]
    page = open_page(url)
    page.evaluate("openStreams(1, '/v1/stream')")
    page.wait_for_function(ALL_GREETED)
    done = page.evaluate("""async () => {
        let done = 0;
        for (let round = 0; round < 40; round++) {
            const answers = await Promise.all(Array.from({ length: 50 }, timedFetch));
            done += answers.filter((answer) => answer.status === 200).length;
        }
        return done;
    }""")
    server.publish_numbered(10)
    page.wait_for_function("streams[0].numbers().length === 10")

    assert done == 2000
    assert page.evaluate("[streams[0].opens, streams[0].errors]") == [1, 0]
    wait_for_connections(server, url, 1)


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
def test_a_websocket_streams(server: ServerProcess, open_page: OpenPage, secure: bool) -> None:
    page = open_page(server.urls[secure])
    # On wss Chromium takes HTTP/2 where a connection to the server is there already.
    timed_fetch(page)
    page.evaluate("""openSocket("/v1/ws", [{ op: "subscribe", symbols: ["*"], id: 1 }, { op: "stream", id: 2 }])""")
    page.wait_for_function("""sockets[0].told.some((each) => each.type === "snapshot")""")
    server.publish_numbered(100)
    page.wait_for_function("sockets[0].numbers().length >= 100")
    page.evaluate("""sockets[0].send({ op: "cut", id: 3 })""")
    page.wait_for_function("sockets[0].code")

    assert page.evaluate("sockets[0].numbers()") == list(range(1, 101))
    assert page.evaluate("sockets[0].told.filter((each) => each.type === 'ack').map((each) => each.id)") == [1, 2, 3]
    assert page.evaluate("sockets[0].code") == 1006
    assert server.logged("socket_opened", http="2" if secure else "1.1") == 1
    assert timed_fetch(page) < 5
