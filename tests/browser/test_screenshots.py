"""Pictures of the dashboard in its states, left in ``test-results/screenshots`` for whoever wants to see it."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.checkout import ROOT
from tests.support.dashboard import LIMIT, Dashboard, wait_until
from tests.support.process import ServerProcess

FOLDER = ROOT / "test-results" / "screenshots"

# Whether the chart has taken the size of its place.
IS_FITTED = "document.querySelector('#chart .main-svg').clientWidth === document.getElementById('chart').clientWidth"

Shoot = Callable[[str], bytes]
"""Takes a picture of the page by a name."""


@pytest.fixture
def shoot(page: Page) -> Shoot:
    """Take pictures of the page."""

    def shoot(name: str) -> bytes:
        FOLDER.mkdir(parents=True, exist_ok=True)
        return page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")

    return shoot


def is_picture(data: bytes, page: Page) -> None:
    """See that a picture has the window's size and that much is to be seen on it."""
    size = page.viewport_size
    assert size
    assert data.startswith(b"\x89PNG")
    assert [int.from_bytes(data[place : place + 4], "big") for place in (16, 20)] == [size["width"], size["height"]]
    pixels = zlib.decompress(b"".join(chunks(data, b"IDAT")))

    # Even a page of text has some hundred different bytes in its lines, and an empty one a handful.
    assert len(set(pixels)) > 200
    assert len(data) > 15_000


def chunks(data: bytes, kind: bytes) -> list[bytes]:
    """Return a PNG file's chunks of a kind."""
    found, place = [], 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == kind:
            found.append(data[place + 8 : place + 8 + length])
        place += 12 + length
    return found


def open_dashboard(dashboard: Dashboard, busy: ServerProcess, width: int, height: int, query: str) -> None:
    """Open the dashboard in a window of a size, and wait until prices have moved."""
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": height})
    dashboard.open(busy.urls[0], query)
    dashboard.reach("live")
    expect(page.locator("#chart .js-plotly-plot")).to_be_attached(timeout=LIMIT)
    wait_until(page, lambda: int(dashboard.count("received").text_content() or 0) > 80)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_screens(busy: ServerProcess, dashboard: Dashboard, shoot: Shoot, theme: str) -> None:
    open_dashboard(dashboard, busy, 1440, 900, f"theme={theme}")
    for width, height in ((1440, 900), (1920, 1080), (768, 1024)):
        dashboard.page.set_viewport_size({"width": width, "height": height})
        wait_until(dashboard.page, lambda: bool(dashboard.page.evaluate(IS_FITTED)))

        is_picture(shoot(f"{theme}-{width}"), dashboard.page)


def test_a_phone(busy: ServerProcess, dashboard: Dashboard, shoot: Shoot) -> None:
    open_dashboard(dashboard, busy, 360, 740, "theme=dark")
    for view in ("watchlist", "chart", "tape", "connection"):
        dashboard.page.locator(f'#views [data-view="{view}"]').click()

        is_picture(shoot(f"phone-{view}"), dashboard.page)


def test_a_cut_and_what_it_cost(busy: ServerProcess, dashboard: Dashboard, shoot: Shoot) -> None:
    open_dashboard(dashboard, busy, 1440, 900, "theme=dark&interval=1s")
    dashboard.cut(2)
    expect(dashboard.page.locator("#rows tr[data-fresh=stale]")).to_have_count(20)
    expect(dashboard.action).to_have_text("now")
    is_picture(shoot("cut"), dashboard.page)
    dashboard.recoveries(1)
    dashboard.reach("live")
    expect(dashboard.page.locator("#rows tr[data-fresh=fresh]").nth(9)).to_be_visible(timeout=LIMIT)

    is_picture(shoot("replayed"), dashboard.page)


def test_what_opens(busy: ServerProcess, dashboard: Dashboard, shoot: Shoot) -> None:
    open_dashboard(dashboard, busy, 1440, 900, "theme=dark")
    page = dashboard.page
    page.locator("#search").fill("e")
    is_picture(shoot("search"), page)
    page.keyboard.press("Escape")
    for name in ("pill", "looks", "alert", "help"):
        page.locator(f"#{name}").click()
        is_picture(shoot(f"open-{name}"), page)
        page.keyboard.press("Escape")


def test_forced_colours(busy: ServerProcess, dashboard: Dashboard, shoot: Shoot) -> None:
    dashboard.page.emulate_media(forced_colors="active")
    open_dashboard(dashboard, busy, 1440, 900, "")

    is_picture(shoot("forced-colours"), dashboard.page)
