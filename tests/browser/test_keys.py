"""Keys: everything by key, those of one letter not while somebody types, and not at all for whom they disturb."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, Market
from tests.support.trading import define, trade

pytestmark = pytest.mark.usefixtures("no_chart")

NAMES = ("ANT", "BEE", "CAT", "DOG")


@pytest.fixture(scope="module")
def animals(shared: Market) -> Market:
    """Have four symbols in the market."""
    for name in NAMES:
        define(shared.server, name, name=f"{name.title()} Limited")
    return shared


@pytest.fixture
def view(dashboard: Dashboard, animals: Market) -> Page:
    """Open a watchlist of them, with the second selected; each was traded last at 10."""
    animals.server.publish([trade(name, 10) for name in NAMES])
    dashboard.open(animals.url, "list=ANT,BEE,CAT,DOG&symbol=BEE")
    dashboard.shows("DOG", "10.00")
    return dashboard.page


def selects(page: Page, symbol: str) -> None:
    """Wait until a symbol is selected."""
    expect(page.locator("#rows tr[aria-current=true] th")).to_have_text(symbol)
    expect(page.locator("#chart-symbol")).to_have_text(symbol)


def stand(page: Page, *symbols: str) -> None:
    """Wait until the rows are those of these symbols."""
    expect(page.locator("#rows th")).to_have_text(list(symbols))


def test_a_question_mark_opens_the_help(view: Page) -> None:
    view.keyboard.press("?")
    dialog = view.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    keys = dialog.locator("dt").all_inner_texts()
    view.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    view.get_by_role("button", name="Keys and help").click()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()

    expect(view.get_by_role("button", name="Keys and help")).to_be_focused()
    for key in ("/ Ctrl K any letter", "Space", "Delete", "Alt X", "Alt L", "1 … 7", "?"):
        assert key in " ".join(" ".join(keys).split())


def test_nothing_of_the_page_happens_behind_the_help(view: Page) -> None:
    view.keyboard.press("?")
    for key in ("ArrowDown", "Delete", "5", "z"):
        view.keyboard.press(key)
    view.keyboard.press("Escape")

    stand(view, *NAMES)
    selects(view, "BEE")
    expect(view.get_by_label("1m", exact=True)).to_be_checked()


def test_arrows_select_the_symbol_above_and_below(view: Page) -> None:
    view.keyboard.press("ArrowDown")
    selects(view, "CAT")
    for _ in range(4):
        view.keyboard.press("ArrowUp")
    selects(view, "ANT")
    view.locator("#filter").fill("limited")
    view.locator("#sort").select_option("symbol")
    view.locator("#rows tr[aria-current=true] button").first.focus()
    view.keyboard.press("ArrowDown")
    selects(view, "BEE")

    expect(view.get_by_role("button", name="BEE", exact=True)).to_be_focused()


def test_alt_arrows_move_the_symbol(view: Page) -> None:
    view.keyboard.press("Alt+ArrowDown")
    stand(view, "ANT", "CAT", "BEE", "DOG")
    view.keyboard.press("Alt+ArrowDown")
    view.keyboard.press("Alt+ArrowDown")
    stand(view, "ANT", "CAT", "DOG", "BEE")
    view.keyboard.press("Alt+ArrowUp")
    stand(view, "ANT", "CAT", "BEE", "DOG")
    selects(view, "BEE")

    assert "list=ANT,CAT,BEE,DOG" in view.url


def test_delete_takes_the_symbol_off(view: Page) -> None:
    view.keyboard.press("Delete")
    stand(view, "ANT", "CAT", "DOG")
    selects(view, "CAT")

    assert "list=ANT,CAT,DOG&symbol=CAT" in view.url


def test_figures_choose_the_interval(view: Page) -> None:
    for key, interval in zip("1234567", ("1s", "5s", "15s", "1m", "5m", "15m", "1h"), strict=True):
        view.keyboard.press(key)
        expect(view.get_by_label(interval, exact=True)).to_be_checked()

        assert f"interval={interval}" in view.url


def test_space_lets_the_market_rest(view: Page, dashboard: Dashboard, animals: Market) -> None:
    view.keyboard.press("Space")
    dashboard.says(r"PAUSED \(0 waiting\)")
    expect(view.locator("#pause")).to_have_attribute("aria-pressed", "true")
    animals.server.publish([trade(name, 11) for name in NAMES])
    animals.server.publish([trade("BEE", 12)])
    dashboard.says(r"PAUSED \(5 waiting\)")

    assert view.locator("#rows .last").all_inner_texts() == ["10.00 ■"] * 4
    view.keyboard.press("Space")
    dashboard.says("LIVE")
    dashboard.shows("BEE", "12.00")
    dashboard.shows("DOG", "11.00")
    expect(view.locator("#tape-rows td:nth-child(3)")).to_have_text(["12.00 ▲", "11.00 ▲"])


def test_space_presses_a_button_that_has_the_focus(view: Page) -> None:
    view.get_by_role("button", name="alert").focus()
    view.keyboard.press("Space")

    expect(view.locator("#alert-panel")).to_be_visible()
    expect(view.locator("#pause")).to_have_attribute("aria-pressed", "false")


def test_who_types_is_let_alone(view: Page) -> None:
    view.locator("#filter").focus()
    view.keyboard.type("a 1/?")
    view.keyboard.press("Delete")
    view.keyboard.press("ArrowDown")

    expect(view.locator("#filter")).to_have_value("a 1/?")
    expect(view.locator("#rows tr")).to_have_count(4)
    expect(view.get_by_role("dialog")).to_be_hidden()
    expect(view.get_by_label("1m", exact=True)).to_be_checked()
    expect(view.locator("#pause")).to_have_attribute("aria-pressed", "false")


def test_single_keys_can_be_switched_off(view: Page) -> None:
    view.keyboard.press("?")
    view.get_by_label("Keys without Ctrl or Alt").uncheck()
    view.keyboard.press("Escape")
    view.reload()
    stand(view, *NAMES)
    view.locator("body").focus()
    for key in ("a", "/", "?", "Delete", "ArrowDown", "5", "Space"):
        view.keyboard.press(key)

    stand(view, *NAMES)
    selects(view, "BEE")
    expect(view.get_by_role("dialog")).to_be_hidden()
    expect(view.get_by_label("1m", exact=True)).to_be_checked()
    expect(view.locator("#pause")).to_have_attribute("aria-pressed", "false")
    # Those with Ctrl and Alt go on.
    view.keyboard.press("Alt+ArrowDown")
    stand(view, "ANT", "CAT", "BEE", "DOG")
    view.keyboard.press("Control+k")
    expect(view.get_by_role("combobox", name="Search")).to_be_focused()


def test_a_popover_is_closed_by_escape_and_gives_the_focus_back(view: Page) -> None:
    button = view.get_by_role("button", name="alert")
    button.click()
    expect(view.locator("#alert-price")).to_be_focused()
    view.keyboard.press("Escape")

    expect(view.locator("#alert-panel")).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
