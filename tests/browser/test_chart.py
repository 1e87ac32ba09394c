"""The chart: the server's candles, the same after a reload, followed or panned, read by key, and taken along."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chart import NAMES, PLOT, drag, is_drawn, readout_of, rows_of, shown, table
from tests.support.dashboard import Dashboard, wait_until
from tests.support.process import ServerProcess, server_process
from tests.support.trading import MINUTE, bars, closed_bars, minutes_of, now, trade

CLOSES = [round(100 + 3 * math.sin(index / 4), 2) for index in range(200)]

SHOWN = "list=WAVE&symbol=WAVE&interval=1m"

PLOTLY = "**/plotly-*.min.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run a server whose market has had 200 minutes of one symbol."""
    with server_process(tmp_path_factory.mktemp("state")) as server:
        server.publish(minutes_of("WAVE", CLOSES))
        yield server


@pytest.fixture(scope="module")
def opened(browser: Browser, server: ServerProcess) -> Iterator[Dashboard]:
    """Open one page for all tests."""
    with browser.new_context() as context:
        dashboard = Dashboard(context.new_page())
        dashboard.open(server.urls[0], SHOWN)
        yield dashboard

        assert dashboard.errors == []


@pytest.fixture
def chart(opened: Dashboard, server: ServerProcess) -> Page:
    """Have its chart, which follows the newest candle."""
    if not opened.page.url.endswith(f"?{SHOWN}"):
        opened.page.goto(f"{server.urls[0]}/?{SHOWN}")
    is_drawn(opened.page)
    opened.page.locator("#go-live").evaluate("(button) => button.click()")
    expect(opened.page.locator("#go-live")).to_be_hidden()
    return opened.page


def download(page: Page, button: str, folder: Path) -> Path:
    """Press a button and return the file that it gives."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_new_servers_first_page_has_half_an_hour(tmp_path: Path, dashboard: Dashboard) -> None:
    with server_process(tmp_path, "--feed", "synthetic:?seed=1") as server:
        dashboard.open(server.urls[0])
        is_drawn(dashboard.page)
        expect(dashboard.page.get_by_label("1m", exact=True)).to_be_checked()
        expect(dashboard.page.locator(f"{PLOT} path.box").nth(29)).to_be_visible()
        expect(dashboard.page.locator("#chart-table tbody tr")).to_have_count(30)


def test_its_candles_are_the_servers(chart: Page, server: ServerProcess) -> None:
    assert table(chart) == rows_of(closed_bars(server, "WAVE"))
    expect(chart.locator("#readout")).to_contain_text(readout_of(bars(server, "WAVE")[-1]))
    expect(chart.locator("#chart-table caption")).to_have_text(
        "WAVE: the last 30 closed candles of 1m, the newest first"
    )


def test_a_reload_paints_the_same(chart: Page, server: ServerProcess, tmp_path: Path) -> None:
    before = table(chart), chart.locator("#readout").inner_text(), download(chart, "CSV", tmp_path).read_text()
    chart.reload()
    is_drawn(chart)
    after = table(chart), chart.locator("#readout").inner_text(), download(chart, "CSV", tmp_path).read_text()

    assert before == after
    assert after[0] == rows_of(closed_bars(server, "WAVE"))


def test_the_candle_that_forms_follows_its_ticks(chart: Page, server: ServerProcess) -> None:
    for price, size in ((104, 7), (95.5, 1), (99.25, 2)):
        server.publish([trade("WAVE", price, size)])
        expect(chart.locator("#readout")).to_contain_text(readout_of(bars(server, "WAVE")[-1]))


def test_another_interval_has_the_servers_candles_too(chart: Page, server: ServerProcess) -> None:
    for interval in ("5m", "15m", "1s", "1m"):
        chart.get_by_label(interval, exact=True).check()
        expect(chart.locator("#chart-table caption")).to_contain_text(f"closed candles of {interval},")
        is_drawn(chart)

        assert table(chart) == rows_of(closed_bars(server, "WAVE", interval))


def test_what_one_looks_at_stays_until_one_goes_live(chart: Page, server: ServerProcess) -> None:
    live = shown(chart)
    expect(chart.locator("#go-live")).to_be_hidden()
    drag(chart, 300)
    expect(chart.locator("#go-live")).to_be_visible()
    looked = shown(chart)
    server.publish([trade("WAVE", 101.5, 3)])
    expect(chart.locator("#readout")).to_contain_text("C 101.50")

    assert looked[0] < live[0] - MINUTE / 1000
    assert shown(chart) == looked
    chart.get_by_role("button", name="Go live").click()
    expect(chart.locator("#go-live")).to_be_hidden()
    wait_until(chart, lambda: shown(chart)[1] >= live[1])
    drag(chart, 300)
    expect(chart.locator("#go-live")).to_be_visible()
    chart.keyboard.press("Alt+l")
    expect(chart.locator("#go-live")).to_be_hidden()


def test_csv_has_raw_numbers_and_utc(chart: Page, server: ServerProcess, tmp_path: Path) -> None:
    path = download(chart, "CSV", tmp_path)
    head, *rows = csv.reader(path.read_text().splitlines())
    expected = [
        [
            datetime.fromtimestamp(bar["ts"] / 1e6, UTC),
            *(bar[name] for name in NAMES),
            bar["volume"],
            bar["trades"],
        ]
        for bar in closed_bars(server, "WAVE")
    ]

    assert path.name == "WAVE-1m.csv"
    assert head == ["time", *NAMES, "volume", "trades"]
    assert [[datetime.fromisoformat(row[0]), *map(float, row[1:])] for row in rows] == expected
    assert len(rows) >= 199
    assert all(row[0].endswith("Z") for row in rows)


def test_png_is_a_picture(chart: Page, tmp_path: Path) -> None:
    path = download(chart, "PNG", tmp_path)
    data = path.read_bytes()
    width, height = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))

    assert path.name == "WAVE-1m.png"
    assert data.startswith(b"\x89PNG")
    assert width > 1000
    assert height > 500
    assert len(data) > 10_000


def test_arrow_keys_read_candle_by_candle(chart: Page, server: ServerProcess) -> None:
    *_, before, last = bars(server, "WAVE")
    candles = chart.get_by_role("application", name="WAVE, candles of 1m")
    candles.focus()
    chart.keyboard.press("ArrowLeft")
    chart.keyboard.press("ArrowLeft")
    expect(chart.locator("#readout")).to_contain_text(readout_of(before))
    told = candles.get_by_role("status")
    expect(told).to_contain_text(f"close {before['close']:.2f}, volume {before['volume']:g}")
    # What is read does not change while one reads it.
    server.publish([trade("WAVE", last["close"], 0)])
    expect(chart.locator("#readout")).to_contain_text(readout_of(before))
    chart.keyboard.press("Home")
    expect(chart.locator("#readout")).to_contain_text(readout_of(bars(server, "WAVE")[0]))
    expect(chart.locator("#go-live")).to_be_visible()
    chart.keyboard.press("End")
    expect(chart.locator("#readout")).to_contain_text(readout_of(bars(server, "WAVE")[-1]))
    expect(chart.locator("#go-live")).to_be_hidden()
    chart.keyboard.press("Escape")
    expect(told).to_be_empty()


def test_plus_and_minus_zoom(chart: Page) -> None:
    begin, end = shown(chart)
    chart.locator("#chart").focus()
    chart.keyboard.press("+")
    wait_until(chart, lambda: shown(chart)[1] - shown(chart)[0] < 0.9 * (end - begin))
    chart.keyboard.press("-")
    chart.keyboard.press("-")
    wait_until(chart, lambda: shown(chart)[1] - shown(chart)[0] > end - begin)


def test_it_rests_while_the_page_is_paused(chart: Page, opened: Dashboard, server: ServerProcess) -> None:
    before = chart.locator("#readout").inner_text()
    chart.keyboard.press("Space")
    server.publish([trade("WAVE", 110, 5)])
    opened.says(r"PAUSED \(1 waiting\)")
    assert chart.locator("#readout").inner_text() == before
    chart.keyboard.press("Space")

    expect(chart.locator("#readout")).to_contain_text(readout_of(bars(server, "WAVE")[-1]))


def test_a_minute_that_ends_becomes_a_row(chart: Page, server: ServerProcess) -> None:
    forming = bars(server, "WAVE")[-1]
    later = (now() // MINUTE + 1) * MINUTE
    # At most 60 s ahead of the server's clock.
    server.publish([trade("WAVE", 100, 1, later)])
    expect(chart.locator("#readout")).to_contain_text("O 100.00 H 100.00 L 100.00 C 100.00 V 1")
    wait_until(chart, lambda: table(chart)[0] == rows_of([forming])[0])

    assert table(chart) == rows_of(closed_bars(server, "WAVE"))


def test_without_its_script_all_else_goes_on(chart: Page, opened: Dashboard, server: ServerProcess) -> None:
    chart.route(PLOTLY, lambda route: route.abort())
    chart.reload()
    note = chart.locator("#chart-note")
    expect(note).to_contain_text("could not be loaded")
    server.publish([trade("WAVE", 98.5)])
    opened.shows("WAVE", "98.50")
    note.get_by_role("button", name="Try again").click()
    expect(note).to_contain_text("could not be loaded")
    chart.unroute(PLOTLY)
    note.get_by_role("button", name="Try again").click()
    is_drawn(chart)

    expect(note).to_be_hidden()
    assert table(chart) == rows_of(closed_bars(server, "WAVE"))


def test_without_a_symbol_there_is_none(chart: Page, opened: Dashboard) -> None:
    opened.remove("WAVE")

    expect(chart.locator("#chart-note")).to_have_text("Choose a symbol to see its chart.")
    expect(chart.locator("#chart-title")).to_have_text("No symbol")
    expect(chart.locator("#chart")).to_be_hidden()


def test_a_symbol_that_nobody_knows_begins_when_it_trades(chart: Page, server: ServerProcess) -> None:
    chart.goto(f"{server.urls[0]}/?list=WAVE&symbol=NOBODY")
    expect(chart.locator("#chart-note")).to_contain_text("NOBODY is not known to this server")
    server.publish([trade("NOBODY", 5)])
    is_drawn(chart)

    expect(chart.locator("#readout")).to_contain_text("C 5.00")
    expect(chart.locator("#chart-title")).to_contain_text("NOBODY")
