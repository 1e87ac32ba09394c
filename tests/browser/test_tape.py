"""The tape: trades as they come, the newest first, and at rest for who reads the older ones."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import Dashboard, Market
from tests.support.trading import trade

pytestmark = pytest.mark.usefixtures("no_chart")

numbers = count(1)


@pytest.fixture
def symbol(shared: Market) -> str:
    """Have a symbol of the test's own, traded last at 10."""
    symbol = f"TAPE{next(numbers)}"
    shared.server.publish([trade(symbol, 10), trade("OTHER", 50)])
    return symbol


@pytest.fixture
def view(dashboard: Dashboard, shared: Market, symbol: str) -> Page:
    """Open its page."""
    dashboard.open(shared.url, f"list={symbol},OTHER")
    dashboard.shows(symbol, "10.00")
    return dashboard.page


def prices(page: Page) -> Locator:
    """Return the prices of the trades, from above."""
    return page.locator("#tape-rows td:nth-child(3)")


def publish(market: Market, symbol: str, *traded: float) -> None:
    """Publish a trade at each price."""
    market.server.publish([trade(symbol, price, 1500) for price in traded])


def test_the_newest_trade_stands_first(view: Page, shared: Market, symbol: str) -> None:
    expect(view.locator("#tape-note")).to_have_text("No trade yet.")
    publish(shared, symbol, 11, 11, 10.5)
    # The first one is compared with what the page began with.
    expect(prices(view)).to_have_text(["10.50 ▼", "11.00 ■", "11.00 ▲"])
    expect(view.locator("#tape-rows tr").first.locator("td").nth(1)).to_have_text(symbol)
    expect(view.locator("#tape-rows tr").first.locator("td").nth(3)).to_have_text("1.5k")
    expect(view.locator("#tape-note")).to_be_hidden()


def test_it_shows_one_symbol_or_the_whole_watchlist(view: Page, shared: Market, symbol: str) -> None:
    publish(shared, "OTHER", 51)
    publish(shared, symbol, 11)
    expect(prices(view)).to_have_text(["11.00 ▲"])
    view.get_by_label("Trades of").select_option("all")
    publish(shared, "OTHER", 50)
    publish(shared, symbol, 12)
    expect(prices(view)).to_have_text(["12.00 ▲", "50.00 ▼"])


def test_only_another_symbol_empties_it(view: Page, shared: Market, symbol: str) -> None:
    publish(shared, symbol, 11)
    expect(prices(view)).to_have_text(["11.00 ▲"])
    view.get_by_label("5m", exact=True).check()
    # A symbol that turns up lets the page ask for all of them anew.
    view.locator("#search").fill(f"{symbol}X")
    view.keyboard.press("Enter")
    view.locator(f'#rows tr[data-symbol="{symbol}"] th').click()
    publish(shared, symbol, 12)
    expect(prices(view)).to_have_text(["12.00 ▲"])
    with view.expect_response("**/v1/symbols"):
        publish(shared, f"{symbol}X", 1)
    publish(shared, symbol, 13)

    expect(prices(view)).to_have_text(["13.00 ▲", "12.00 ▲"])


def test_who_reads_older_trades_is_not_moved(view: Page, shared: Market, symbol: str) -> None:
    publish(shared, symbol, *range(1, 101))
    expect(prices(view)).to_have_count(100)
    view.locator("#tape-scroll").evaluate("(box) => (box.scrollTop = 300)")
    publish(shared, symbol, 200, 201)
    new = view.get_by_role("button", name="2 new")
    expect(new).to_be_visible()
    expect(prices(view).first).to_have_text("100.00 ▲")
    new.click()

    expect(prices(view).first).to_have_text("201.00 ▲")
    expect(new).to_be_hidden()


def test_it_keeps_two_hundred(view: Page, shared: Market, symbol: str) -> None:
    publish(shared, symbol, *range(1, 251))
    expect(prices(view).first).to_have_text("250.00 ▲")

    expect(prices(view)).to_have_count(200)
    expect(prices(view).last).to_have_text("51.00 ▲")
