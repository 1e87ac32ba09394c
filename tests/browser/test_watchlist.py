"""The watchlist: prices as they come, its order and filter, what is added and removed, and links that show the same."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.dashboard import LIMIT, Dashboard, Market, wait_until
from tests.support.trading import define, trade

pytestmark = pytest.mark.usefixtures("no_chart")

LIST = "ACME,BOLT,CORE"

# Counts how often rows have been put in order.
COUNT_ORDERS = """() => {
  globalThis.orders = 0;
  const count = (changes) => (globalThis.orders += changes.some((change) => change.addedNodes.length > 0));
  new MutationObserver(count).observe(document.getElementById("rows"), { childList: true });
}"""


@pytest.fixture(scope="module")
def prices(shared: Market) -> Market:
    """Have three symbols in the market."""
    for symbol, price in (("ACME", 10), ("BOLT", 20), ("CORE", 30)):
        define(shared.server, symbol, name=f"{symbol.title()} Works plc", reference=price)
    return shared


def publish(market: Market, **price: float) -> None:
    """Publish a trade of each symbol."""
    market.server.publish([trade(symbol, each) for symbol, each in price.items()])


def open_list(dashboard: Dashboard, market: Market, query: str = f"list={LIST}") -> None:
    """Open a watchlist whose prices are 10, 20 and 30."""
    publish(market, ACME=10, BOLT=20, CORE=30)
    dashboard.open(market.url, query)
    dashboard.reach("live")
    # One snapshot brings them all.
    expect(dashboard.page.locator("#rows .last", has_text=re.compile(r"^\d")).first).to_be_visible(timeout=LIMIT)


def symbols(page: Page) -> list[str]:
    """Return the symbols of the rows that are seen, from above."""
    return page.locator("#rows tr:not([hidden]) th").all_inner_texts()


def stand(page: Page, *expected: str) -> None:
    """Wait until the rows that are seen are those of these symbols, from above."""
    expect(page.locator("#rows tr:not([hidden]) th")).to_have_text(list(expected), timeout=LIMIT)


def head(page: Page, key: str) -> Locator:
    """Return the head of a column."""
    return page.locator(f'#watchlist [data-sort="{key}"]')


def test_prices_are_those_that_are_published(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    change = dashboard.row("ACME").locator(".change")
    publish(prices, ACME=10.5)
    expect(dashboard.price("ACME")).to_have_text("10.50 ▲")
    expect(change).to_have_text("▲ +5.00 %")
    publish(prices, ACME=9.8)
    expect(dashboard.price("ACME")).to_have_text("9.80 ▼")
    expect(change).to_have_text("▼ \N{MINUS SIGN}2.00 %")
    publish(prices, ACME=10)
    expect(change).to_have_text("■ 0.00 %")
    expect(dashboard.page.locator("#headline-last")).to_have_text("10.00")
    expect(dashboard.page).to_have_title("10.00 ▲ ACME · TICKER")


def test_decimals_are_those_of_the_price_grid(prices: Market, dashboard: Dashboard) -> None:
    define(prices.server, "FINE", tick_size=0.00005)
    define(prices.server, "ROUGH", tick_size=5)
    prices.server.publish([trade("FINE", 1.5), trade("ROUGH", 60_000)])
    dashboard.open(prices.url, "list=FINE,ROUGH")
    dashboard.shows("FINE", "1.50000")
    dashboard.shows("ROUGH", "60000")


def test_a_changed_price_lights_up_and_goes_out(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    price = dashboard.price("BOLT")
    price.evaluate("""(cell) => {
        globalThis.lights = [];
        new MutationObserver(() => lights.push(cell.style.background)).observe(cell, { attributeFilter: ["style"] });
    }""")
    prices.server.publish([trade("BOLT", 21), trade("BOLT", 19)])
    wait_until(dashboard.page, lambda: dashboard.page.evaluate("lights.at(-1)") == "")
    on, *_ = dashboard.page.evaluate("lights")

    # It has the colour of the newest price, as the arrow has its direction.
    assert "var(--down)" in on
    expect(price).to_have_text("19.00 ▼")


def test_it_is_sorted_by_a_column_and_back(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices, "list=BOLT,CORE,ACME")
    page = dashboard.page
    steps = [("descending", "CORE BOLT ACME"), ("ascending", "ACME BOLT CORE"), ("none", "BOLT CORE ACME")]
    for order, rows in steps:
        head(page, "last").get_by_role("button").click()
        expect(head(page, "last")).to_have_attribute("aria-sort", order)
        stand(page, *rows.split())
    page.locator("#sort").select_option("symbol")
    stand(page, "ACME", "BOLT", "CORE")
    expect(head(page, "symbol")).to_have_attribute("aria-sort", "ascending")
    expect(head(page, "last")).to_have_attribute("aria-sort", "none")


def test_rows_rest_while_the_pointer_is_over_them(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    page = dashboard.page
    head(page, "last").get_by_role("button").click()
    stand(page, "CORE", "BOLT", "ACME")
    dashboard.row("BOLT").hover()
    publish(prices, ACME=40)
    dashboard.shows("ACME", "40.00")
    # The rows are looked at once a second: after two such looks they would have moved.
    ages = dashboard.row("ACME").locator(".age")
    expect(ages).to_have_text(re.compile(r"^2\.\d s$"))

    assert symbols(page) == ["CORE", "BOLT", "ACME"]
    page.mouse.move(900, 300)
    stand(page, "ACME", "CORE", "BOLT")


def test_rows_are_put_in_order_once_a_second_at_most(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    page = dashboard.page
    head(page, "last").get_by_role("button").click()
    stand(page, "CORE", "BOLT", "ACME")
    page.evaluate(COUNT_ORDERS)
    begin = page.evaluate("performance.now()")
    for turn in range(30):
        publish(prices, ACME=10 + 30 * (turn % 2), BOLT=20 + 15 * (turn % 3))
        page.wait_for_timeout(50)
    seconds = (page.evaluate("performance.now()") - begin) / 1000

    assert 1 <= page.evaluate("orders") <= seconds + 1


def test_the_filter_finds_symbols_and_companies(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    page = dashboard.page
    for text, rows in (
        ("bo", "BOLT"),
        ("core works", "CORE"),
        ("plc", "ACME BOLT CORE"),
        ("x", ""),
        ("", "ACME BOLT CORE"),
    ):
        page.locator("#filter").fill(text)
        stand(page, *rows.split())


def test_a_click_selects_a_row(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices)
    dashboard.price("BOLT").click()
    expect(dashboard.row("BOLT")).to_have_attribute("aria-current", "true")
    expect(dashboard.page.locator("#rows [aria-current]")).to_have_count(1)
    expect(dashboard.page.locator("#chart-title")).to_have_text("BOLT Bolt Works plc")
    expect(dashboard.page.locator("#headline-symbol")).to_have_text("BOLT")

    assert "symbol=BOLT" in dashboard.page.url


def test_symbols_are_added_and_removed(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices, "list=ACME,BOLT")
    page = dashboard.page
    page.get_by_role("button", name="add symbol").click()
    page.keyboard.type("core")
    page.keyboard.press("Enter")
    stand(page, "ACME", "BOLT", "CORE")
    dashboard.shows("CORE", "30.00")
    expect(dashboard.row("CORE")).to_have_attribute("aria-current", "true")
    dashboard.remove("BOLT")
    stand(page, "ACME", "CORE")
    expect(dashboard.row("CORE")).to_have_attribute("aria-current", "true")
    # The next one is selected, as long as there is one.
    dashboard.remove("CORE")
    expect(dashboard.row("ACME")).to_have_attribute("aria-current", "true")
    dashboard.remove("ACME")

    expect(page.locator("#rows-note")).to_contain_text("The watchlist is empty")
    assert "list=&" in f"{page.url}&"


def test_a_reload_and_a_link_show_the_same(prices: Market, dashboard: Dashboard, browser: Browser) -> None:
    open_list(dashboard, prices)
    page = dashboard.page
    dashboard.row("CORE").click()
    page.keyboard.press("Alt+ArrowUp")
    page.get_by_label("5m", exact=True).check()
    page.locator("#looks").click()
    page.get_by_label("light").check()
    stand(page, "ACME", "CORE", "BOLT")
    url = page.url
    page.reload()
    with browser.new_context() as other:
        linked = other.new_page()
        linked.goto(url)
        for each in (page, linked):
            stand(each, "ACME", "CORE", "BOLT")
            expect(each.locator("#chart-symbol")).to_have_text("CORE")
            expect(each.get_by_label("5m", exact=True)).to_be_checked()
            expect(each.locator("html")).to_have_attribute("data-theme", "light")
            assert each.url == url

    assert url.partition("?")[2] == "list=ACME,CORE,BOLT&symbol=CORE&interval=5m&theme=light"


def test_without_a_query_it_shows_what_was_left(prices: Market, dashboard: Dashboard) -> None:
    open_list(dashboard, prices, "list=CORE,ACME&symbol=ACME&interval=15m")
    dashboard.row("CORE").click()
    dashboard.page.goto(prices.url)
    stand(dashboard.page, "CORE", "ACME")
    expect(dashboard.page.locator("#chart-symbol")).to_have_text("CORE")
    expect(dashboard.page.get_by_label("15m", exact=True)).to_be_checked()
