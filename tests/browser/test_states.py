"""What the dashboard says when not all is well: gaps, refusals, silence, a server that is away, a pause."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.dashboard import LIMIT, Cut, Dashboard, Market, open_market
from tests.support.process import server_process
from tests.support.proxy import threaded_proxy

pytestmark = pytest.mark.usefixtures("no_chart")

# A page that waits for long, so that what it says can be read, and the button is what ends the wait.
PATIENT = "Math.random = () => 20"

# Where the page has its data from, and looks whether the server is there.
DATA = ("/v1/symbols", "/v1/stream", "/v1/ws", "/v1/poll", "/healthz")


def test_what_the_server_forgot_is_counted_as_lost(tmp_path: Path, dashboard: Dashboard) -> None:
    with open_market(tmp_path, "--ring-size", "100") as market:
        dashboard.open(market.url, "list=AAPL,MSFT")
        dashboard.reach("live")
        market.publish(10, ["AAPL"])
        dashboard.has(received=10)
        dashboard.cut(0.5)
        # The whole market counts: the server can't know any more which of them the page would have had.
        market.publish(300)
        (cut,) = dashboard.recoveries(1)
        dashboard.says("LIVE sse·h1 .* lost 300")
        dashboard.shows("AAPL", market.prices["AAPL"])
        market.publish(10, ["AAPL"])
        dashboard.has(received=20, replayed=0, duplicate=0, gaps=1, lost=300, violations=0)
        toast = "300 ticks of the market are lost: you were away longer than the server remembers."

        assert cut == Cut("0", "0", "0", "300")
        assert dashboard.page.locator("#recoveries li").get_attribute("class") == "broken"
        expect(dashboard.toasts).to_contain_text([toast])


def test_a_server_that_was_started_anew_is_found_and_owns_up(tmp_path: Path, dashboard: Dashboard) -> None:
    dashboard.page.add_init_script(PATIENT)
    with open_market(tmp_path) as old:
        dashboard.open(old.url, "share=0")
        dashboard.reach("live")
        old.publish(10)
        dashboard.has(received=10)

        assert old.server.stop() == 0
    # First as long as the server has said, then by itself.
    dashboard.says(r"RECONNECTING in [12]\d s")
    with open_market(tmp_path, "--port", str(old.server.port)) as new:
        dashboard.action.click()
        (cut,) = dashboard.recoveries(1)
        dashboard.says(r"LIVE sse·h1 .* lost \?")
        new.publish(10)
        dashboard.shows_all(new)
        dashboard.has(received=20, gaps=1, lost="0 + ?", violations=0)

        assert cut.lost == "null"
        expect(dashboard.toasts).to_contain_text(["An unknown number of ticks is lost: the server was started anew."])


def test_data_that_is_away_when_the_page_loads_is_waited_for(shared: Market, dashboard: Dashboard) -> None:
    dashboard.page.add_init_script(PATIENT)
    with threaded_proxy(shared.server.port) as between:
        for path in DATA:
            between.block(path)
        dashboard.open(between.url, "share=0")
        dashboard.says(r"RECONNECTING in [12]\d s sse·h1")
        expect(dashboard.action).to_have_text("now")
        dashboard.action.click()
        dashboard.says(r"RECONNECTING in [23]\d s \(try 2\)")
        for path in DATA:
            between.unblock(path)
        dashboard.action.click()
        dashboard.reach("live")
        dashboard.shows_all(shared)
        shared.publish(10)
        dashboard.has(received=10, gaps=0, lost=0)
        dashboard.shows_all(shared)


def test_what_the_server_refuses_for_good_can_be_mended(tmp_path: Path, dashboard: Dashboard) -> None:
    with open_market(tmp_path, "--subscription-limit", "1") as market:
        dashboard.open(market.url, "list=AAPL,MSFT")
        dashboard.says("REFUSED 400")
        expect(dashboard.action).to_have_text("retry")
        dashboard.action.click()
        dashboard.says("REFUSED 400")
        dashboard.remove("MSFT")
        dashboard.action.click()
        dashboard.says("LIVE")
        market.publish(10, ["AAPL", "MSFT"])
        dashboard.has(received=5)
        dashboard.shows("AAPL", market.prices["AAPL"])


def test_what_is_refused_for_now_comes_by_itself(shared: Market, dashboard: Dashboard) -> None:
    error = {"error": {"code": "rate_limited", "message": "too fast"}}
    page = dashboard.page
    page.route("**/v1/stream?*", lambda route: route.fulfill(status=429, json=error, headers={"Retry-After": "2"}))
    dashboard.open(shared.url, "share=0")
    dashboard.says("REFUSED 429 in [12] s")
    page.unroute("**/v1/stream?*")
    dashboard.says("LIVE")

    assert not [words for words in dashboard.seen("pills") if words.startswith("RECONNECTING in")]
    expect(dashboard.facts).to_contain_text("sse·")


def test_replaced_it_stays_away_unless_a_late_request_of_its_own_may_have_done_it(
    shared: Market, dashboard: Dashboard
) -> None:
    dashboard.open(shared.url)
    dashboard.reach("live")
    other = f"{shared.url}/v1/poll?wait=0&session={dashboard.detail('session')}"

    assert httpx.get(other).status_code == 200
    dashboard.says("REFUSED replaced")
    dashboard.action.click()
    dashboard.reach("live")
    dashboard.use("websocket")
    dashboard.recoveries(2)
    # As when the stream that was let go of had been asked for, and its request came only now.
    assert httpx.get(other).status_code == 200
    dashboard.recoveries(3)
    dashboard.says("LIVE ws·h1")
    shared.publish(10)
    dashboard.has(received=10, duplicate=0, gaps=0, lost=0, violations=0)


def test_a_server_that_stands_still_is_stale_and_then_live(tmp_path: Path, dashboard: Dashboard) -> None:
    with server_process(tmp_path, "--feed", "synthetic:?seed=1&rate=500&symbols=10") as server:
        dashboard.open(server.urls[0])
        # So many that the page has learnt how fast they come.
        expect(dashboard.count("received")).to_have_text(re.compile("[4-9]..|...."), timeout=LIMIT)
        fresh = dashboard.page.locator("#rows tr[data-fresh=fresh]")
        expect(fresh).not_to_have_count(0)
        server.signal(signal.SIGSTOP)
        try:
            dashboard.says(r"STALE \d+ s")
            expect(fresh).to_have_count(0)
            expect(dashboard.page.locator("#rows tr[data-fresh=stale]")).to_have_count(10)
        finally:
            server.signal(signal.SIGCONT)
        dashboard.says("LIVE")
        expect(fresh).not_to_have_count(0)
        server.stop()
        dashboard.reach("reconnecting")
        (closed,) = server.lines("stream_closed")

        dashboard.has(received=closed["sent"], duplicate=0, gaps=0, lost=0, violations=0)
        assert dashboard.seen("states")[-4:] == ["live", "stale", "live", "reconnecting"]


def test_a_quiet_market_is_live_and_a_dead_stream_is_replaced(tmp_path: Path, dashboard: Dashboard) -> None:
    with (
        open_market(tmp_path, TICKER_HEARTBEAT_INTERVAL="1") as market,
        threaded_proxy(market.server.port) as between,
    ):
        dashboard.open(between.url)
        dashboard.reach("live")
        market.publish(10)
        dashboard.has(received=10)
        # A clock that is ahead makes the market seem quiet for so long: the worker, which counts silence, has its own.
        dashboard.page.evaluate("{ const now = Date.now; Date.now = () => now() + 11_000; }")
        # No tick for longer than two heartbeats.
        dashboard.says("LIVE quiet 1[3-6] s")
        assert dashboard.seen("states")[-1:] == ["live"]
        assert "reconnecting" not in dashboard.seen("states")

        between.freeze()
        dashboard.reach("reconnecting")
        assert "silent: nothing came for two heartbeats" in dashboard.detail("why")
        market.publish(10)
        between.thaw()
        (cut,) = dashboard.recoveries(1)
        dashboard.says("LIVE sse·h1")
        dashboard.has(received=20, duplicate=0, gaps=0, lost=0, reconnects=1, violations=0)

        assert cut == Cut("10", "10")


def test_paused_it_stands_still_and_goes_on_from_now(shared: Market, dashboard: Dashboard) -> None:
    dashboard.open(shared.url)
    dashboard.reach("live")
    shared.publish(10)
    dashboard.shows_all(shared)
    before = dict(shared.prices)
    dashboard.page.keyboard.press("Space")
    dashboard.says(r"PAUSED \(0 waiting\)")
    shared.publish(30)
    dashboard.says(r"PAUSED \(30 waiting\)")
    # The connection goes on beneath, and its panel with it.
    dashboard.has(received=40)
    for symbol, price in before.items():
        dashboard.shows(symbol, price)
    dashboard.cut(0.2)
    shared.publish(10)
    dashboard.says(r"PAUSED \(40 waiting\)")
    dashboard.page.locator("#pause").click()
    dashboard.says("LIVE")
    dashboard.shows_all(shared)

    dashboard.has(received=50, replayed=10, duplicate=0, lost=0)
    assert [words for words in dashboard.seen("pills") if words.startswith("PAUSED (30 waiting) · ✕ RECONNECTING")]


def test_hidden_it_paints_nothing_and_shown_it_is_up_to_date_at_once(shared: Market, dashboard: Dashboard) -> None:
    # Another tab of the same stream says when the ticks have come.
    other = Dashboard(dashboard.page.context.new_page())
    other.open(shared.url)
    dashboard.open(shared.url)
    other.reach("live")
    dashboard.reach("live")
    expect(dashboard.sharing).to_have_text("2 tabs share one stream")
    shared.publish(10)
    dashboard.has(received=10)
    dashboard.shows_all(shared)
    dashboard.page.evaluate("painted().then(() => setShown(false))")
    paints = dashboard.page.evaluate("seen.paints")
    for _ in range(10):
        shared.publish(50)
    other.has(received=510)
    other.shows_all(shared)

    assert dashboard.page.evaluate("seen.paints") == paints
    assert dashboard.count("received").text_content() == "10"
    dashboard.page.evaluate("setShown(true); painted()")
    texts = {symbol: dashboard.price(symbol).inner_text() for symbol in shared.prices}
    assert texts == {symbol: f"{price} ▲" for symbol, price in shared.prices.items()}
    assert dashboard.count("received").inner_text() == "510"
