"""A browser's own EventSource is cut, refused, sent away, and comes back with nothing lost and nothing twice."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.support.process import ServerProcess, server_process
from tests.support.relay import relay

SESSION = "a-session-of-its-own"
STREAM = f"/v1/stream?session={SESSION}"

both_versions = pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])


def open_stream(page: Page, path: str = STREAM) -> int:
    """Open a stream and wait until it has a cursor; return its place in ``streams``."""
    page.evaluate(f"openStreams(1, '{path}')")
    page.wait_for_function("streams.at(-1).told.some((each) => each.id)")
    return int(page.evaluate("streams.length - 1"))


def wait_for_event(page: Page, stream: int, name: str, count: int = 1) -> None:
    """Wait until a stream has told so many events of a name."""
    page.wait_for_function(f"streams[{stream}].all('{name}').length >= {count}")


def wait_for_number(page: Page, stream: int, number: int) -> None:
    """Wait until a stream has told a tick."""
    page.wait_for_function(f"streams[{stream}].numbers().includes({number})")


def data(page: Page, stream: int, name: str) -> list[dict[str, object]]:
    """Return the data of a stream's events of a name."""
    return [each["data"] for each in page.evaluate(f"streams[{stream}].all('{name}')")]


def numbers(page: Page, stream: int) -> list[int]:
    """Return the numbers of the ticks that a stream has told, in order."""
    return list(page.evaluate(f"streams[{stream}].numbers()"))


@both_versions
def test_cut_by_its_session_it_resumes(server: ServerProcess, open_page: OpenPage, secure: bool) -> None:
    page = open_page(server.urls[secure])
    stream = open_stream(page)
    for first in range(1, 41, 10):
        server.publish_numbered(5, first)
        wait_for_number(page, stream, first + 4)
        server.session(SESSION, op="cut")
        server.publish_numbered(5, first + 5)
        wait_for_number(page, stream, first + 9)
    hellos = data(page, stream, "hello")

    assert numbers(page, stream) == list(range(1, 41))
    assert [hello["resumed"] for hello in hellos] == [False, True, True, True, True]
    assert [hello["replay"] for hello in hellos] == [0, 5, 5, 5, 5]
    assert data(page, stream, "gap") == []


@both_versions
def test_cut_in_the_network_it_resumes(server: ServerProcess, open_page: OpenPage, secure: bool) -> None:
    url = urlsplit(server.urls[secure])
    with relay(int(url.port or 0)) as between:
        page = open_page(f"{url.scheme}://{url.hostname}:{between.port}")
        stream = open_stream(page)
        for first in range(1, 3001, 1000):
            # Not waited for: the cut meets the ticks somewhere on their way.
            server.publish_numbered(500, first)
            assert between.cut() > 0
            server.publish_numbered(500, first + 500)
            wait_for_number(page, stream, first + 999)

        assert numbers(page, stream) == list(range(1, 3001))
        assert [hello["resumed"] for hello in data(page, stream, "hello")] == [False, True, True, True]
        assert data(page, stream, "gap") == []


def test_what_was_added_to_its_subscription_outlives_a_cut(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.urls[0])
    # Its URL never changes: EventSource comes back with the one of the first time.
    stream = open_stream(page, f"{STREAM}&symbols=AAPL")
    server.publish_numbered(10)
    server.session(SESSION, op="subscribe", symbols=["MSFT"])
    wait_for_event(page, stream, "subscription")
    server.session(SESSION, op="cut")
    server.publish_numbered(10, 11)
    wait_for_number(page, stream, 20)

    # By turns over five symbols: AAPL is 5, 10, …, MSFT 1, 6, ….
    assert numbers(page, stream) == [5, 10, 11, 15, 16, 20]
    assert data(page, stream, "subscription")[-1]["symbols"] == ["AAPL", "MSFT"]


def test_refused_for_a_while_it_comes_back(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.urls[0])
    stream = open_stream(page)
    # It comes back after 1 to 2 s, and then has to wait for the rest.
    server.session(SESSION, op="cut", seconds=3)
    server.publish_numbered(10)
    wait_for_event(page, stream, "refused")
    wait_for_number(page, stream, 10)
    refusals = page.evaluate(f"streams[{stream}].all('refused')")
    first, told = page.evaluate(f"[streams[{stream}].all('refused')[0].at, streams[{stream}].all('hello')[1].at]")

    assert [each["data"]["code"] for each in refusals] == ["cut"]
    assert told - first >= 1000 * refusals[0]["data"]["retry_after"]
    assert numbers(page, stream) == list(range(1, 11))
    assert data(page, stream, "hello")[-1]["resumed"] is True


def test_sent_away_by_a_drain_it_finds_the_next_server(tmp_path: Path, open_page: OpenPage) -> None:
    with server_process(tmp_path) as old:
        page = open_page(old.urls[0])
        stream = open_stream(page)
        old.publish_numbered(10)
        wait_for_number(page, stream, 10)

        assert old.stop() == 0
    wait_for_event(page, stream, "bye")
    # The browser finds nobody first, which must not be the end of it.
    page.wait_for_function(f"streams[{stream}].errors >= 2")
    with server_process(tmp_path, "--port", str(old.port)) as new:
        wait_for_event(page, stream, "snapshot", 2)
        new.publish_numbered(10, 11)
        wait_for_number(page, stream, 20)

        assert data(page, stream, "bye")[0]["reason"] == "shutdown"
        assert [gap["reason"] for gap in data(page, stream, "gap")] == ["restarted"]
        assert numbers(page, stream) == list(range(1, 21))


def test_replaced_it_stays_away(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.urls[0])
    older = open_stream(page)
    newer = open_stream(page)
    wait_for_event(page, older, "bye")
    # Each cut keeps the newer one away for 1 to 2 s: together longer than the 3 s after which EventSource returns by
    # itself. Were the older one to come back, the newer one would be replaced.
    for round in range(1, 5):
        server.session(SESSION, op="cut")
        server.publish_numbered(1, round)
        wait_for_number(page, newer, round)
    lasted = page.evaluate(f"performance.now() - streams[{older}].begin - streams[{older}].all('bye')[0].at")
    (bye,) = data(page, older, "bye")

    assert (bye["reason"], bye["reconnect"], bye["retry"]) == ("replaced", False, 86_400_000)
    assert lasted > 4000
    assert page.evaluate(f"[streams[{older}].opens, streams[{newer}].opens]") == [1, 5]
    assert data(page, newer, "bye") == []


def test_a_wrong_query_is_final(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.urls[0])
    page.evaluate("openStreams(1, '/v1/stream?symbols=aapl')")
    page.wait_for_function("streams[0].source.readyState === EventSource.CLOSED")

    assert page.evaluate("streams[0].opens") == 0
