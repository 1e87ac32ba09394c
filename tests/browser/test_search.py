"""The search: a combobox after WAI-ARIA that finds symbols and companies, and takes what nobody knows yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.dashboard import NO_CHART, Dashboard, Market
from tests.support.trading import define, trade

WATCHED = "list=NVX,ZED&symbol=NVX"

COMPANIES = {
    "NVX": "Novex Systems plc",
    "NOVA": "Nova Energy",
    "QLM": "Quillam Novelties",
    "ZED": "Zed and Sons",
}


@pytest.fixture(scope="module")
def companies(shared: Market) -> Market:
    """Have four companies in the market."""
    for symbol, name in COMPANIES.items():
        define(shared.server, symbol, name=name)
    shared.server.publish([trade(symbol, 10) for symbol in COMPANIES])
    return shared


@pytest.fixture(scope="module")
def opened(browser: Browser, companies: Market) -> Iterator[Dashboard]:
    """Open one page for all tests; without the chart, which has nothing to do with it."""
    with browser.new_context() as context:
        context.add_init_script(NO_CHART)
        dashboard = Dashboard(context.new_page())
        dashboard.open(companies.url, WATCHED)
        yield dashboard

        assert dashboard.errors == []


@pytest.fixture
def view(opened: Dashboard, companies: Market) -> Page:
    """Have a watchlist of two of them, with the first selected and the search closed."""
    opened.page.keyboard.press("Escape")
    if f"{WATCHED}&" not in opened.page.url:
        opened.page.goto(f"{companies.url}/?{WATCHED}")
    opened.shows("ZED", "10.00")
    return opened.page


def box(page: Page) -> Locator:
    """Return the box in which one searches."""
    return page.get_by_role("combobox", name="Search for a symbol or a company")


def options(page: Page) -> Locator:
    """Return what is offered."""
    return page.get_by_role("listbox", name="Symbols").get_by_role("option")


def offered(page: Page, *symbols: str) -> None:
    """Wait until these symbols are offered, from above."""
    expect(options(page).locator("b")).to_have_text(list(symbols))


def active(page: Page) -> str:
    """Return the symbol of the option that is active, for the eye and for a screen reader."""
    chosen = options(page).and_(page.locator('[aria-selected="true"]'))
    expect(chosen).to_have_count(1)
    expect(box(page)).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
    return chosen.locator("b").inner_text()


def is_closed(page: Page) -> None:
    """Wait until nothing is offered and the box is empty and left."""
    expect(page.locator("#search-list")).to_be_hidden()
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    expect(box(page)).to_have_value("")
    expect(box(page)).not_to_be_focused()

    assert box(page).get_attribute("aria-activedescendant") is None


@pytest.mark.parametrize(("key", "text"), [("/", ""), ("Control+k", ""), ("n", "N"), ("Z", "Z")])
def test_a_key_opens_it(view: Page, key: str, text: str) -> None:
    view.keyboard.press(key)

    expect(box(view)).to_be_focused()
    expect(box(view)).to_have_value(text)
    expect(box(view)).to_have_attribute("aria-expanded", "true")
    expect(box(view)).to_have_attribute("aria-autocomplete", "list")
    expect(view.locator(f"#{box(view).get_attribute('aria-controls')}")).to_be_visible()


def test_words_are_typed_from_anywhere(view: Page) -> None:
    view.keyboard.type("novex")

    offered(view, "NVX", "NOVEX")
    expect(box(view)).to_have_value("Novex")


def test_symbols_stand_before_companies(view: Page) -> None:
    box(view).fill("nov")
    offered(view, "NOVA", "NVX", "QLM", "NOV")
    expect(options(view).nth(1)).to_have_text("NVXNovex Systems plclisted")
    expect(options(view).nth(2)).to_have_text("QLMQuillam Novelties+ add")
    box(view).fill("systems")
    offered(view, "NVX", "SYSTEMS")
    # What is known is not offered a second time as unknown.
    box(view).fill("zed")
    offered(view, "ZED")


def test_arrows_go_around(view: Page) -> None:
    box(view).fill("nov")
    seen = [active(view)]
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
        view.keyboard.press(key)
        seen.append(active(view))

    assert seen == ["NOVA", "NVX", "QLM", "NOV", "NOVA", "NOV", "QLM"]


def test_enter_adds_and_shows(view: Page, opened: Dashboard) -> None:
    view.keyboard.type("quill")
    offered(view, "QLM", "QUILL")
    view.keyboard.press("Enter")
    is_closed(view)
    expect(view.locator("#rows th")).to_have_text(["NVX", "ZED", "QLM"])
    expect(view.locator("#chart-title")).to_have_text("QLM Quillam Novelties")
    opened.shows("QLM", "10.00")

    assert "list=NVX,ZED,QLM" in view.url


def test_one_that_is_listed_is_only_shown(view: Page) -> None:
    view.keyboard.type("zed")
    view.keyboard.press("Enter")
    expect(view.locator("#chart-symbol")).to_have_text("ZED")

    expect(view.locator("#rows th")).to_have_text(["NVX", "ZED"])


def test_escape_leaves_everything_as_it_was(view: Page) -> None:
    view.keyboard.type("nova")
    offered(view, "NOVA")
    view.keyboard.press("Escape")
    is_closed(view)

    expect(view.locator("#rows th")).to_have_text(["NVX", "ZED"])
    expect(view.locator("#chart-symbol")).to_have_text("NVX")


def test_an_option_is_clicked(view: Page) -> None:
    box(view).click()
    box(view).fill("nova")
    options(view).first.click()
    is_closed(view)

    expect(view.locator("#rows th")).to_have_text(["NVX", "ZED", "NOVA"])


def test_leaving_the_box_closes_the_list(view: Page) -> None:
    box(view).fill("nov")
    view.keyboard.press("Tab")

    expect(view.locator("#search-list")).to_be_hidden()
    expect(box(view)).to_have_attribute("aria-expanded", "false")


def test_what_cannot_be_a_symbol_is_not_offered(view: Page) -> None:
    box(view).fill("*&")

    expect(view.locator("#search-list")).to_be_hidden()
    expect(box(view)).to_have_attribute("aria-expanded", "false")


def test_an_unknown_symbol_starts_when_it_trades(view: Page, opened: Dashboard, companies: Market) -> None:
    box(view).fill("later")
    offered(view, "LATER")
    expect(options(view)).to_contain_text("not known yet")
    view.keyboard.press("Enter")
    expect(opened.price("LATER")).to_have_text("unknown")
    companies.server.publish([trade("LATER", 7.5)])
    opened.shows("LATER", "7.50")
