"""Layout and looks: nothing beside the window at any width, each view within reach, every colour readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.colours import colours_of, contrast
from tests.support.dashboard import LIMIT, Dashboard, wait_until
from tests.support.process import ServerProcess

PANELS = ("watchlist", "chart", "tape", "connection")
TITLES = {"watchlist": "Watchlist", "chart": "Chart", "tape": "Trades", "connection": "Connection"}

# What scrolls or clips what it holds, and what is not seen at all.
HIDDEN = ".scroll, .chart, .readout, .hidden, .skip, #js-plotly-tester"

# What is seen and ends beside the window, unless something around it hides that.
BESIDE = """(HIDDEN) => [...document.querySelectorAll("body *")].filter((each) => {
  const { left, right, width, height } = each.getBoundingClientRect();
  const isSeen = width > 1 && height > 1 && each.checkVisibility();
  return isSeen && (left < -0.5 || right > innerWidth + 0.5) && !each.closest(HIDDEN);
}).map((each) => each.outerHTML.slice(0, 100))"""

# Prices of the watchlist, and the buttons beside them, of which a part is clipped or must be scrolled to.
CLIPPED = """() => [...document.querySelectorAll("#rows :is(td, .remove)")].filter((each) => {
  const box = each.closest(".scroll").getBoundingClientRect();
  return each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > box.right + 0.5;
}).map((each) => each.textContent)"""

GROUNDS = ("bg", "panel", "raised")
INKS = ("text", "muted", "up", "down", "accent", "warn", "error", "stale")


@pytest.fixture(scope="module")
def screen(browser: Browser, busy: ServerProcess) -> Iterator[Page]:
    """Open one page for all tests that only look at it."""
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        dashboard = Dashboard(page)
        dashboard.open(busy.urls[0])
        dashboard.reach("live")
        expect(page.locator("#chart .js-plotly-plot")).to_be_visible(timeout=LIMIT)
        yield page


def views(page: Page, width: int) -> Iterator[str]:
    """Turn to each view that a window of a width has."""
    page.set_viewport_size({"width": width, "height": 800})
    if width >= 1100:
        yield "all"
    for side in ("tape", "connection") if 700 <= width < 1100 else ():
        page.locator(f'#sides [data-side="{side}"]').click()
        yield side
    for view in PANELS if width < 700 else ():
        page.locator(f'#views [data-view="{view}"]').click()
        yield view


@pytest.mark.parametrize("width", [320, 360, 412, 699, 700, 768, 1099, 1100, 1440, 1920])
def test_nothing_is_beside_the_window(screen: Page, width: int) -> None:
    for view in views(screen, width):
        assert screen.evaluate("document.documentElement.scrollWidth") <= width, view
        assert screen.evaluate(BESIDE, HIDDEN) == [], view


@pytest.mark.parametrize("width", [360, 768, 1100, 1440])
def test_every_price_is_whole(screen: Page, width: int) -> None:
    for view in views(screen, width):
        if view in ("all", "tape", "watchlist"):
            assert screen.evaluate(CLIPPED) == [], view


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
def test_what_opens_is_inside_the_window(screen: Page, width: int) -> None:
    list(views(screen, width))
    if width < 700:
        screen.locator('#views [data-view="chart"]').click()
    for button, panel in (("pill", "details"), ("looks", "looks-panel"), ("alert", "alert-panel")):
        screen.locator(f"#{button}").click()
        box = screen.locator(f"#{panel}").bounding_box()
        screen.keyboard.press("Escape")

        assert box, panel
        assert box["x"] >= 0, panel
        assert box["x"] + box["width"] <= width, panel
    screen.locator("#search").fill("e")
    box = screen.locator("#search-list").bounding_box()
    screen.keyboard.press("Escape")

    assert box
    assert box["x"] + box["width"] <= width


def test_a_small_screen_has_one_view_and_a_bar_below(screen: Page) -> None:
    for view in views(screen, 360):
        visible = [
            name for name in PANELS if screen.locator(f"main > .{name.replace('chart', 'chart-panel')}").is_visible()
        ]
        bar = screen.get_by_role("navigation", name="Views")
        box = bar.bounding_box()

        assert visible == [view]
        assert box
        assert box["y"] + box["height"] == 800
        expect(bar.get_by_role("button", name=TITLES[view])).to_have_attribute("aria-current", "true")
        expect(bar.locator("[aria-current=true]")).to_have_count(1)
        expect(screen.locator("#sides")).to_be_hidden()


def test_a_middle_screen_has_the_sides_as_tabs(screen: Page) -> None:
    for side in views(screen, 768):
        expect(screen.locator("#watchlist")).to_be_visible()
        expect(screen.locator("#chart-panel")).to_be_visible()
        expect(screen.locator("#tape")).to_be_visible(visible=side == "tape")
        expect(screen.locator("#connection")).to_be_visible(visible=side == "connection")
        expect(screen.locator("#views")).to_be_hidden()


def test_a_large_screen_has_everything(screen: Page) -> None:
    list(views(screen, 1440))
    for name in ("watchlist", "chart-panel", "tape", "connection"):
        expect(screen.locator(f"#{name}")).to_be_visible()
    expect(screen.locator("#views")).to_be_hidden()
    expect(screen.locator("#sides")).to_be_hidden()


def test_the_chart_takes_the_size_of_its_place(screen: Page) -> None:
    widths = "[...document.querySelectorAll('#chart, #chart .main-svg')].map((each) => each.clientWidth)"
    for width in (1440, 768, 360, 1440):
        screen.set_viewport_size({"width": width, "height": 800})
        if width < 700:
            screen.locator('#views [data-view="chart"]').click()
        wait_until(screen, lambda: len(set(screen.evaluate(widths))) == 1)


def test_a_cut_moves_nothing(busy: ServerProcess, dashboard: Dashboard) -> None:
    dashboard.page.set_viewport_size({"width": 360, "height": 740})
    dashboard.open(busy.urls[0])
    dashboard.reach("live")
    places = (
        "['watchlist', 'chart-panel', 'views'].map((id) => document.getElementById(id).getBoundingClientRect().top)"
    )
    before = dashboard.page.evaluate(places)
    dashboard.page.evaluate("document.querySelector('[data-cut]').click()")
    dashboard.reach("reconnecting")

    assert dashboard.page.evaluate(places) == before


@pytest.mark.parametrize(("theme", "palette"), list(product(("dark", "light"), ("standard", "green", "red"))))
def test_every_colour_is_readable_on_every_ground(screen: Page, theme: str, palette: str) -> None:
    screen.evaluate(f"Object.assign(document.documentElement.dataset, {{ theme: '{theme}', palette: '{palette}' }})")
    lit = [f"color-mix(in srgb, var(--{way}) var(--flash), var(--panel))" for way in ("up", "down")]
    names = [f"var(--{name})" for name in (*GROUNDS, *INKS)]
    # An ageing price, and the grounds of a cell that is lit and of a row that is selected or pointed at.
    ageing = "color-mix(in srgb, var(--text) 60%, var(--stale))"
    rows = [f"color-mix(in srgb, var(--{name}) {share}%, var(--panel))" for name, share in (("accent", 8), ("text", 5))]
    colours = colours_of(screen, [*names, ageing, *lit, *rows])
    pairs = [*product(names[3:], [*names[:3], *rows]), *product([names[3], ageing], lit), *product([ageing], rows)]
    faint = {pair: ratio for pair in pairs if (ratio := contrast(*(colours[each] for each in pair))) < 4.5}

    assert faint == {}


def test_the_theme_is_the_systems_until_one_is_chosen(screen: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    list(views(screen, 1440))
    screen.evaluate("Object.assign(document.documentElement.dataset, { theme: 'auto', palette: 'standard' })")
    screen.emulate_media(color_scheme="light")
    assert screen.evaluate(ground) == "rgb(255, 255, 255)"
    # The chart's colours are told to Plotly.
    expect(screen.locator("#chart .xtick text").first).to_have_css("fill", "rgb(86, 98, 112)")
    screen.emulate_media(color_scheme="dark")
    assert screen.evaluate(ground) == "rgb(13, 17, 23)"
    expect(screen.locator("#chart .xtick text").first).to_have_css("fill", "rgb(154, 167, 180)")
    screen.locator("#looks").click()
    screen.get_by_label("light").check()
    assert screen.evaluate(ground) == "rgb(255, 255, 255)"
    expect(screen.locator("#chart .xtick text").first).to_have_css("fill", "rgb(86, 98, 112)")
    screen.get_by_label("as the system").check()
    screen.keyboard.press("Escape")


def test_with_forced_colours_all_is_seen_in_the_systems(screen: Page) -> None:
    list(views(screen, 1440))
    screen.emulate_media(forced_colors="active")
    ink = screen.evaluate("getComputedStyle(document.body).color")
    expect(screen.locator("#chart path.box").first).to_have_css("stroke", ink)
    for chosen in ('#rows tr[aria-current="true"]', "#intervals label:has(:checked)"):
        # What is chosen is seen without its colour.
        expect(screen.locator(chosen)).to_have_css("outline-style", "solid")
    expect(screen.locator(".icon-pause")).to_have_css("background-color", ink)
    screen.emulate_media(forced_colors="none")


def test_who_wants_no_motion_sees_no_flash(screen: Page) -> None:
    lights = """() => { globalThis.lights = 0; new MutationObserver((all) => (lights += all.length)).observe(
        document.getElementById("rows"), { subtree: true, attributeFilter: ["style"] }); }"""
    screen.evaluate(lights)
    wait_until(screen, lambda: screen.evaluate("lights") > 0)
    screen.emulate_media(reduced_motion="reduce")
    is_calm(screen)
    screen.emulate_media(reduced_motion="no-preference")
    wait_until(screen, lambda: screen.evaluate("lights") > 0)
    # Or who has switched it off.
    screen.locator("#looks").click()
    screen.get_by_label("Flash a price that changes").uncheck()
    is_calm(screen)
    screen.get_by_label("Flash a price that changes").check()
    screen.keyboard.press("Escape")


def is_calm(page: Page) -> None:
    """Wait until all lights have gone out, and see that prices change without one."""
    expect(page.locator("#rows td[style*=color]")).to_have_count(0)
    page.evaluate("globalThis.lights = 0")
    before = page.locator("#rows .last").all_inner_texts()
    wait_until(page, lambda: sum(map(str.__ne__, before, page.locator("#rows .last").all_inner_texts())) >= 5)

    assert page.evaluate("lights") == 0


def test_what_moves_is_told_by_sign_and_arrow(screen: Page) -> None:
    texts = screen.locator("#rows .change").all_inner_texts()

    assert all(re.match(r"^(▲ \+|▼ \u2212|■ )\d+\.\d\d %$", text) for text in texts)
