"""Accessibility: axe-core finds nothing serious in any state, all is reached by key, prices are never read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import serious
from tests.support.dashboard import LIMIT, Dashboard
from tests.support.process import ServerProcess

VIEWS = ("watchlist", "chart", "tape", "connection")
SIZES = {1440: 900, 768: 1024, 360: 740}

# What a person can do something with, by a name that stands for it; of radios only the group.
CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")].filter(
  (each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility() && !each.closest("dialog:not([open])"),
).map((each) => (each.type === "radio" ? each.name : each.id || each.ariaLabel || each.textContent.trim()))"""

# The same of what has the focus, and whether that is seen.
FOCUS = """() => {
  const each = document.activeElement;
  const seen = [each, each.closest("label")].some((one) => one && parseFloat(getComputedStyle(one).outlineWidth) >= 2
    && getComputedStyle(one).outlineStyle !== "none");
  return [each.type === "radio" ? each.name : each.id || each.ariaLabel || each.textContent.trim(), seen];
}"""


@pytest.fixture(scope="module")
def screen(browser: Browser, busy: ServerProcess) -> Iterator[Page]:
    """Open one page for all tests, which leave it as it was."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        dashboard = Dashboard(page)
        dashboard.open(busy.urls[0])
        dashboard.reach("live")
        expect(page.locator("#chart .js-plotly-plot")).to_be_visible(timeout=LIMIT)
        yield page


@pytest.fixture
def screen_of(screen: Page, request: pytest.FixtureRequest) -> Page:
    """Give the page a width and a theme."""
    width, theme = request.param
    screen.set_viewport_size({"width": width, "height": SIZES[width]})
    screen.locator("html").evaluate("(html, theme) => (html.dataset.theme = theme)", theme)
    return screen


@pytest.fixture
def wide(screen: Page) -> Page:
    """Give the page the width of a desk's screen."""
    screen.set_viewport_size({"width": 1440, "height": 900})
    return screen


everywhere = pytest.mark.parametrize(
    "screen_of",
    list(product(SIZES, ("dark", "light"))),
    ids=lambda each: "-".join(map(str, each)),
    indirect=True,
)


@everywhere
def test_axe_finds_nothing_in_any_view(screen_of: Page) -> None:
    tabs = screen_of.locator("#views")
    for view in VIEWS if tabs.is_visible() else (None,):
        if view:
            tabs.locator(f'[data-view="{view}"]').click()

        assert serious(screen_of) == [], view


@pytest.mark.parametrize("screen_of", [(1440, "dark"), (1440, "light"), (360, "dark")], ids=str, indirect=True)
def test_axe_finds_nothing_in_what_opens(screen_of: Page) -> None:
    page = screen_of
    if page.locator("#views").is_visible():
        page.locator('#views [data-view="chart"]').click()
    for name in ("pill", "looks", "alert", "help"):
        page.locator(f"#{name}").click()
        found = serious(page)
        page.keyboard.press("Escape")

        assert found == [], name
    page.locator("#search").fill("e")
    found = serious(page)
    page.keyboard.press("Escape")

    assert found == []


def test_axe_finds_nothing_during_a_cut_and_after(busy: ServerProcess, dashboard: Dashboard) -> None:
    dashboard.page.emulate_media(color_scheme="dark")
    dashboard.open(busy.urls[0])
    dashboard.reach("live")
    dashboard.cut(1)
    assert serious(dashboard.page) == []
    dashboard.recoveries(1)
    dashboard.page.locator("#pause").click()
    dashboard.says("PAUSED")
    assert serious(dashboard.page) == []


def test_the_page_has_its_landmarks(wide: Page) -> None:
    expect(wide.get_by_role("banner")).to_have_count(1)
    expect(wide.get_by_role("main")).to_have_count(1)
    expect(wide.get_by_role("search")).to_have_count(1)
    expect(wide.get_by_role("heading", level=1)).to_have_text("TICKER")
    for name in ("Watchlist", "Time & sales", "Connection"):
        expect(wide.get_by_role("region", name=name, exact=True).first).to_be_visible()
        expect(wide.get_by_role("heading", name=name, level=2)).to_be_visible()
    expect(wide.get_by_role("region", name="EUR/USD Euro / US dollar")).to_be_visible()
    expect(wide.locator("html")).to_have_attribute("lang", "en")
    wide.set_viewport_size({"width": 360, "height": 740})
    expect(wide.get_by_role("navigation", name="Views")).to_be_visible()


def test_tables_are_tables(wide: Page) -> None:
    for name in ("Watchlist: newest prices", "Trades, the newest first"):
        table = wide.get_by_role("table", name=name)
        expect(table).to_be_visible()
        assert table.get_by_role("columnheader").count() >= 4
    expect(wide.get_by_role("rowheader", name="EUR/USD")).to_be_visible()
    # The chart's words for who can't see it.
    expect(wide.locator("#chart-table table caption")).to_contain_text("the last 30 closed candles")
    expect(wide.get_by_role("application", name="EUR/USD, candles of 1m")).to_have_attribute(
        "aria-describedby", "chart-hint"
    )


def test_the_first_tab_skips_to_the_chart(busy: ServerProcess, dashboard: Dashboard) -> None:
    dashboard.open(busy.urls[0])
    dashboard.reach("live")
    dashboard.page.keyboard.press("Tab")
    link = dashboard.page.get_by_role("link", name="Skip to the chart")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport(ratio=1)
    dashboard.page.keyboard.press("Enter")
    dashboard.page.keyboard.press("Tab")

    expect(dashboard.page.locator("#intervals :focus")).to_have_count(1)


def test_tab_reaches_everything_and_it_is_seen_where(wide: Page) -> None:
    controls = set(wide.evaluate(CONTROLS))
    wide.locator(".skip").focus()
    reached = {}
    for _ in range(len(controls) + 5):
        name, is_seen = wide.evaluate(FOCUS)
        reached[name] = is_seen
        wide.keyboard.press("Tab")

    assert controls <= set(reached)
    assert [name for name in controls if not reached[name]] == []
    # Of the rows one is a stop, and arrows go to the others.
    assert "EUR/USD" in reached
    assert "GBP/USD" not in reached


def test_targets_are_large_enough(wide: Page) -> None:
    buttons = "[...document.querySelectorAll('button, select, input:not(.hidden), .intervals label')]"
    small = wide.evaluate(f"""{buttons}.filter((each) => each.checkVisibility()).filter((each) => {{
        const {{ width, height }} = (each.closest("label") ?? each).getBoundingClientRect();
        return width < 24 || height < (each.tagName === "BUTTON" ? 24 : 18);
    }}).map((each) => each.outerHTML.slice(0, 90))""")

    # Or have a row or a line of their own (WCAG 2.5.8).
    assert small == []


def test_only_what_happens_to_the_stream_is_read_aloud(busy: ServerProcess, dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.open(busy.urls[0])
    dashboard.reach("live")
    expect(page.locator("#chart .js-plotly-plot")).to_be_visible(timeout=LIMIT)
    regions = page.locator("[aria-live], [role=status], [role=alert], [role=log], [role=timer], [role=marquee], output")
    # The page's voice, and that of the cursor over the candles, which speaks when it is moved.
    expect(regions).to_have_count(2)
    expect(page.locator("[role=alert], [aria-live=assertive]")).to_have_count(0)
    for region in regions.all():
        region.evaluate(
            "(region) => new MutationObserver(() => (globalThis.said ??= []).push(region.textContent))"
            ".observe(region, { childList: true, characterData: true, subtree: true })"
        )
    before = page.locator("#rows .last").all_inner_texts()
    expect(page.locator("#rows .last")).not_to_have_text(before)
    assert page.evaluate("globalThis.said") is None
    dashboard.cut(0.3)
    dashboard.recoveries(1)
    said = page.evaluate("globalThis.said")

    assert len(said) == 1
    assert said[0].startswith("cut ")
    assert "lost 0 ✓" in said[0]
