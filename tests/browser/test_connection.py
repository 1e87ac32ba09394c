"""The dashboard shows a market as it moves; its stream is cut, and it proves that nothing was lost."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.dashboard import LIMIT, Cut, Dashboard, Market, wait_until
from tests.support.process import server_process
from tests.support.proxy import threaded_proxy


def test_it_moves_with_its_market(tmp_path: Path, dashboard: Dashboard) -> None:
    with server_process(tmp_path, "--feed", "synthetic:?seed=1&rate=200") as server:
        dashboard.open(server.urls[0])
        dashboard.says(r"LIVE sse·h1 \d+ ms \d\d+/s lost 0 ▾")
        prices = dashboard.page.locator("#rows .last")
        expect(prices).to_have_text([re.compile(r"^[\d.]+ [▲▼■]$")] * 20)
        before = prices.all_inner_texts()
        wait_until(dashboard.page, lambda: sum(map(str.__ne__, before, prices.all_inner_texts())) >= 5)
        wait_until(dashboard.page, lambda: int(dashboard.count("received").inner_text()) > 100)
        server.stop()
        dashboard.reach("reconnecting")
        (closed,) = server.lines("stream_closed")

        dashboard.has(received=closed["sent"], duplicate=0, gaps=0, lost=0, violations=0)
        expect(dashboard.page.locator("#kind")).to_have_text("SYNTHETIC")


def test_cut_for_five_seconds_it_replays_what_it_missed(market: Market, dashboard: Dashboard) -> None:
    with threaded_proxy(market.server.port) as between:
        dashboard.open(between.url)
        dashboard.reach("live")
        market.publish(10)
        dashboard.has(received=10)
        dashboard.page.get_by_role("button", name="Cut 5 s").click()
        dashboard.says(r"RECONNECTING in \d s")
        expect(dashboard.page.locator("#cut-note")).to_have_text("cut for 5 s by the server")
        for _ in range(4):
            market.publish(500)
        # Slow, so that the replay can be seen.
        between.throttle(200_000)
        (cut,) = dashboard.recoveries(1)
        dashboard.reach("live")
        text = dashboard.page.locator("#recoveries li").inner_text()

        assert cut == Cut("2000", "2000")
        assert re.match(r"cut [5-9]\.\d s: missed 2000, replayed 2000, duplicate 0, lost 0✓", text.replace(" ✓", "✓"))
        assert dashboard.seen("states")[-4:] == ["live", "reconnecting", "replaying", "live"]
        replays = [words.split()[1] for words in dashboard.seen("pills") if words.startswith("REPLAYING")]
        assert replays[0] == "0/2000"
        assert len(replays) > 1
        assert all(text.endswith("/2000") for text in replays)
        assert [line["sent"] for line in market.server.lines("stream_closed")] == ["10"]
        dashboard.shows_all(market)
        dashboard.has(received=2010, replayed=2000, duplicate=0, gaps=0, lost=0, reconnects=1, violations=0)


def test_its_counts_are_the_servers(tmp_path: Path, dashboard: Dashboard) -> None:
    # Few enough symbols for the first watchlist to have them all: every tick of the market is counted.
    with server_process(tmp_path, "--feed", "synthetic:?seed=1&rate=500&symbols=10") as server:
        dashboard.open(server.urls[0], "share=0")
        dashboard.reach("live")
        for number in range(1, 4):
            dashboard.cut(0.3)
            dashboard.recoveries(number)
        cuts = dashboard.recoveries(3)
        server.stop()
        dashboard.reach("reconnecting")
        promised = [hello["replay"] for hello in dashboard.hellos()]
        begin = next(event["cursor"] for event in dashboard.seen("events") if event["name"] == "snapshot")

        assert promised[0] == 0
        assert all(promised[1:])
        assert cuts == [Cut(str(count), str(count)) for count in promised[:0:-1]]
        dashboard.has(replayed=sum(promised), duplicate=0, lost=0, reconnects=3, violations=0)
        dashboard.has(received=seq(dashboard.detail("cursor")) - seq(begin))


def seq(cursor: str) -> int:
    """Return a cursor's place in its epoch."""
    return int(cursor.partition("-")[2])


def test_alt_x_cuts_for_five_seconds(market: Market, dashboard: Dashboard) -> None:
    dashboard.open(market.url)
    dashboard.reach("live")
    dashboard.page.keyboard.press("Alt+x")
    dashboard.says(r"RECONNECTING in [3-7] s")
    expect(dashboard.page.locator("#cut-note")).to_have_text("cut for 5 s by the server", timeout=LIMIT)
    # The button comes back too soon, and is told again how long.
    dashboard.action.click()
    dashboard.says(r"RECONNECTING in \d s \(try 2\)")

    assert market.server.logged("stream_opened") == 1
