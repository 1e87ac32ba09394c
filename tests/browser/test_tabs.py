"""Many tabs of one browser: with a SharedWorker one stream for all of them, without it four streams, and polls."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.dashboard import LIMIT, SCRIPT, Dashboard, Market, open_market, wait_until
from tests.support.live import SYMBOLS

TABS = 30
CROWDED = "4 other tabs hold a stream each; this one polls"

# Tabs that load at once: a renderer has only so many requests under way.
WAVE = 10


@pytest.fixture
def tabs(context: BrowserContext, no_chart: None) -> Iterator[list[Dashboard]]:
    """Have the tabs of a browser, in which nothing may throw."""
    tabs: list[Dashboard] = []
    context.add_init_script(path=SCRIPT)
    context.on("page", lambda page: tabs.append(Dashboard(page)))
    yield tabs

    assert [tab.errors for tab in tabs] == [[]] * len(tabs)


def is_shared_by(dashboard: Dashboard, count: int) -> None:
    """Wait until a page says how many tabs share its stream."""
    expect(dashboard.sharing).to_have_text(f"{count} tabs share one stream" if count > 1 else "", timeout=LIMIT)


def names(tab: Dashboard) -> list[str]:
    """Return the watchlist that stands in a page's URL."""
    return parse_qs(urlsplit(tab.page.url).query)["list"][0].split(",")


def open_tabs(first: Page, tabs: list[Dashboard], urls: list[str]) -> None:
    """Open one page, and the others from it: they share its process and load sooner than as many processes start."""
    first.goto(urls[0], wait_until="commit")
    for begin in range(0, len(urls), WAVE):
        wave = urls[max(1, begin) : begin + WAVE]
        first.evaluate("(urls) => { for (const url of urls) open(url); }", wave)
        there = min(begin + WAVE, len(urls))
        wait_until(first, partial(lambda count: len(tabs) == count, there))
        for tab in tabs[begin:]:
            tab.reach("live")


def test_thirty_tabs_share_one_stream(market: Market, context: BrowserContext, tabs: list[Dashboard]) -> None:
    *others, last = SYMBOLS
    lists = [f"{others[n % 4]},{others[(n + 1 + n // 4 % 3) % 4]}" for n in range(TABS - 1)]
    first = context.new_page()
    open_tabs(first, tabs, [f"{market.url}/?list={each}" for each in [*lists, last]])
    is_shared_by(tabs[0], TABS)
    market.publish(50)
    for tab in tabs:
        # Of all tabs together, as everything about the stream; it comes after the prices.
        tab.has(received=50)

    assert [tab.rows() for tab in tabs] == [{name: market.prices[name] for name in names(tab)} for tab in tabs]
    assert (market.server.logged("stream_opened"), market.server.clients("sse")) == (1, 1)
    assert market.server.logged("socket_opened") == 1

    # What only a tab wanted that is gone comes no more.
    (lone,) = (tab for tab in tabs if names(tab) == [last])
    lone.page.close()
    staying = tabs[0]
    wait_until(first, lambda: market.server.subscription(staying.detail("session")) == sorted(others))
    for tab in tabs[10:]:
        tab.page.close()
    is_shared_by(staying, 10)
    market.publish(5)
    staying.has(received=54, duplicate=0, lost=0, reconnects=0)

    assert market.server.logged("stream_opened") == market.server.clients("sse") == 1


def test_without_a_shared_worker_four_tabs_stream_and_the_others_poll(
    market: Market, context: BrowserContext, tabs: list[Dashboard]
) -> None:
    context.add_init_script("delete globalThis.SharedWorker")
    first = context.new_page()
    open_tabs(first, tabs, [f"{market.url}/"] * 7)
    market.publish(10)
    for tab in tabs:
        tab.has(received=10)

        assert tab.rows() == market.prices
    crowded = [tab for tab in tabs if tab.sharing.inner_text() == CROWDED]
    holders = [tab for tab in tabs if tab not in crowded]

    assert (len(holders), market.server.clients("sse")) == (4, 4)
    for tab in crowded:
        expect(tab.facts).to_contain_text("poll·h1")
    # Who chooses a transport has it, room or not, and loses it with the choice.
    for transport, name in (("websocket", "ws"), ("", "poll")):
        crowded[0].use(transport)
        expect(crowded[0].facts).to_contain_text(f"{name}·h1")
    for tab in holders:
        expect(tab.facts).to_contain_text("sse·h1")

    holders[-1].page.close()
    market.publish(10)
    wait_until(first, lambda: [tab.sharing.inner_text() for tab in crowded].count("") == 1)
    (heir,) = (tab for tab in crowded if tab.sharing.inner_text() == "")
    expect(heir.facts).to_contain_text("sse·h1")
    heir.reach("live")
    market.publish(10)
    for tab in crowded:
        tab.has(received=30, duplicate=0, lost=0)

        assert tab.rows() == market.prices
    assert market.server.clients("sse") == 4


def test_over_http2_every_tab_streams(tmp_path: Path, context: BrowserContext, tabs: list[Dashboard]) -> None:
    context.add_init_script("delete globalThis.SharedWorker")
    with open_market(tmp_path, "--tls") as market:
        first = context.new_page()
        # All but the first have the page out of the browser's cache.
        open_tabs(first, tabs, [f"{market.server.urls[1]}/"] * 5)
        for tab in tabs:
            expect(tab.facts).to_contain_text("sse·h2")

        assert market.server.clients("sse") == 5
