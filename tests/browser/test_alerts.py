"""Alerts: set on a price, seen on the chart, told when it is crossed, by a tick that comes late too, and kept."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.chart import alert_lines, is_drawn
from tests.support.dashboard import LIMIT, Dashboard, Market, wait_until
from tests.support.trading import define, trade

pytestmark = pytest.mark.usefixtures("no_chart")

numbers = count(1)


@pytest.fixture
def symbol(shared: Market) -> str:
    """Have a symbol of the test's own, whose last price is 100."""
    symbol = f"BELL{next(numbers)}"
    define(shared.server, symbol, name="Bell and Sons")
    shared.server.publish([trade(symbol, 100), trade("OTHER", 50)])
    return symbol


@pytest.fixture
def view(dashboard: Dashboard, shared: Market, symbol: str) -> Page:
    """Open its page."""
    dashboard.open(shared.url, f"list={symbol},OTHER")
    dashboard.shows(symbol, "100.00")
    return dashboard.page


def set_alert(page: Page, price: str) -> None:
    """Set an alert on the symbol that is shown."""
    page.get_by_role("button", name="alert").click()
    page.get_by_role("spinbutton", name="Price").fill(price)
    page.get_by_role("button", name="Set").click()
    page.keyboard.press("Escape")


def listed(page: Page) -> Locator:
    """Open the list of alerts and return its lines."""
    if not page.locator("#alert-panel").is_visible():
        page.get_by_role("button", name="alert").click()
    return page.locator("#alert-list li")


def test_a_price_that_is_crossed_is_told_once(view: Page, dashboard: Dashboard, shared: Market, symbol: str) -> None:
    set_alert(view, "105")
    set_alert(view, "98")
    for price in (104.99, 98.01):
        shared.server.publish([trade(symbol, price)])
        dashboard.shows(symbol, f"{price:.2f}")

    assert dashboard.toasts.count() == 0
    shared.server.publish([trade(symbol, 105)])
    expect(dashboard.toasts).to_have_text([f"{symbol} has risen to 105.00"])
    # One polite region says it.
    expect(view.locator("#announcer")).to_have_text(f"{symbol} has risen to 105.00")
    shared.server.publish([trade(symbol, 97), trade(symbol, 106), trade(symbol, 97)])
    expect(dashboard.toasts).to_have_text([f"{symbol} has risen to 105.00", f"{symbol} has fallen to 98.00"])
    dashboard.shows(symbol, "97.00")

    expect(dashboard.toasts).to_have_count(2)
    view.get_by_role("button", name="Close the message").first.click()
    expect(dashboard.toasts).to_have_count(1)


def test_a_price_jumped_over_is_crossed(view: Page, dashboard: Dashboard, shared: Market, symbol: str) -> None:
    set_alert(view, "101")
    shared.server.publish([trade(symbol, 150), trade(symbol, 100)])

    expect(dashboard.toasts).to_have_text([f"{symbol} has risen to 101.00"])


def test_its_line_stands_on_the_chart_until_it_is_crossed(browser: Browser, shared: Market, symbol: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{shared.url}/?list={symbol},OTHER")
        is_drawn(page)
        set_alert(page, "100.05")
        wait_until(page, lambda: alert_lines(page) == [100.05])
        # Other symbols have other lines.
        page.locator('#rows tr[data-symbol="OTHER"] th').click()
        wait_until(page, lambda: alert_lines(page) == [])
        page.locator(f'#rows tr[data-symbol="{symbol}"] th').click()
        wait_until(page, lambda: alert_lines(page) == [100.05])
        shared.server.publish([trade(symbol, 100.05)])
        wait_until(page, lambda: alert_lines(page) == [])


def test_a_crossing_that_is_replayed_says_when_it_was(
    view: Page, dashboard: Dashboard, shared: Market, symbol: str
) -> None:
    set_alert(view, "110")
    dashboard.cut(0.5)
    shared.server.publish([trade(symbol, 111), trade(symbol, 99)])
    expect(dashboard.toasts).to_have_text(
        [re.compile(rf"^While you were away, \d\d:\d\d:\d\d: {symbol} has risen to 110\.00$")], timeout=LIMIT
    )
    dashboard.shows(symbol, "99.00")


def test_it_is_kept_over_a_reload(view: Page, dashboard: Dashboard, shared: Market, symbol: str) -> None:
    set_alert(view, "120")
    view.reload()
    dashboard.shows(symbol, "100.00")
    expect(listed(view)).to_have_text([f"{symbol} ▲ 120.00remove"])
    shared.server.publish([trade(symbol, 121)])
    expect(dashboard.toasts).to_have_text([f"{symbol} has risen to 120.00"])
    view.reload()
    dashboard.shows(symbol, "121.00")

    # That it was crossed is kept too: it is told once.
    expect(listed(view)).to_have_text([re.compile(rf"^{symbol} ▲ 120\.00, crossed \d\d:\d\d:\d\dremove$")])
    expect(dashboard.toasts).to_have_count(0)


def test_crossed_while_no_page_was_open_it_is_told(
    view: Page, dashboard: Dashboard, shared: Market, symbol: str
) -> None:
    set_alert(view, "90")
    view.goto("about:blank")
    shared.server.publish([trade(symbol, 89)])
    view.goto(shared.url)

    expect(dashboard.toasts).to_have_text([re.compile(rf"^While you were away, .*: {symbol} has fallen to 90\.00$")])


def test_removed_it_is_silent(view: Page, dashboard: Dashboard, shared: Market, symbol: str) -> None:
    set_alert(view, "130")
    listed(view).get_by_role("button", name="remove").click()
    expect(listed(view)).to_have_count(0)
    shared.server.publish([trade(symbol, 131)])
    dashboard.shows(symbol, "131.00")

    expect(dashboard.toasts).to_have_count(0)


def test_a_symbol_that_is_no_longer_watched_is_still_looked_at(
    view: Page, dashboard: Dashboard, shared: Market, symbol: str
) -> None:
    set_alert(view, "140")
    dashboard.remove(symbol)
    expect(view.locator("#rows th")).to_have_text(["OTHER"])
    shared.server.publish([trade(symbol, 141)])

    expect(dashboard.toasts).to_have_text([f"{symbol} has risen to 140.00"])


def test_another_tab_has_the_same_alerts(view: Page, dashboard: Dashboard, shared: Market, symbol: str) -> None:
    other = view.context.new_page()
    other.goto(f"{shared.url}/?list={symbol}")
    expect(other.locator("#rows .last")).to_have_text("100.00 ■")
    set_alert(view, "150")
    expect(listed(other)).to_have_text([f"{symbol} ▲ 150.00remove"])
    listed(other).get_by_role("button", name="remove").click()

    expect(listed(view)).to_have_count(0)
