"""What the page knows of the market's symbols: none yet, one that turns up, and a new day's reference prices."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import LIMIT, Dashboard, Market
from tests.support.process import server_process
from tests.support.trading import define, now, trade

pytestmark = pytest.mark.usefixtures("no_chart")

DAY = 86_400_000_000


def test_an_unknown_symbol_says_so_until_it_trades(shared: Market, dashboard: Dashboard) -> None:
    dashboard.open(shared.url, "list=AAPL,FRESH")
    expect(dashboard.price("FRESH")).to_have_text("unknown")
    define(shared.server, "FRESH", name="Fresh Fruit plc", tick_size=0.001)
    shared.server.publish([trade("FRESH", 5)])
    # Its name and its decimals come with it.
    dashboard.shows("FRESH", "5.000")

    expect(dashboard.row("FRESH").locator("th button")).to_have_attribute("title", "Fresh Fruit plc")


def test_a_server_without_symbols_is_waited_for(tmp_path: Path, dashboard: Dashboard) -> None:
    with server_process(tmp_path) as server:
        dashboard.open(server.urls[0])
        page = dashboard.page
        expect(page.locator("#rows-note")).to_have_text("Loading the market…")
        expect(page.locator("#rows-note")).to_contain_text("The market has no symbols yet", timeout=LIMIT)
        server.publish([trade("ACME", 10)])
        # The page asks every few seconds.
        dashboard.shows("ACME", "10.00")
        expect(page.locator("#chart-symbol")).to_have_text("ACME")
        expect(page.locator("#rows-note")).to_be_hidden()


def test_a_new_day_has_other_reference_prices(tmp_path: Path, dashboard: Dashboard) -> None:
    with server_process(tmp_path) as server:
        server.publish([trade("ACME", 10, 1, now() - DAY), trade("ACME", 20, 1, now() - DAY)])
        dashboard.open(server.urls[0])
        change = dashboard.row("ACME").locator(".change")
        expect(change).to_have_text("▲ +100.00 %", timeout=LIMIT)
        server.publish([trade("ACME", 22)])

        # The last price of the day before is the reference now.
        expect(change).to_have_text("▲ +10.00 %", timeout=LIMIT)
