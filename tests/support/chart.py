"""The dashboard's chart: what it shows, and what it must show of a server's candles."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.support.dashboard import LIMIT

NAMES = ("open", "high", "low", "close")

PLOT = "#chart .js-plotly-plot"


def is_drawn(page: Page) -> None:
    """Wait until there is a chart."""
    expect(page.locator(PLOT)).to_be_visible(timeout=LIMIT)
    expect(page.locator("#readout")).to_contain_text("C ", timeout=LIMIT)


def table(page: Page) -> list[list[str]]:
    """Return the rows of the hidden table."""
    rows: list[list[str]] = page.locator("#chart-table tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))"
    )
    return rows


def rows_of(candles: list[dict[str, Any]]) -> list[list[str]]:
    """Return what the table must hold of closed candles: the last 30, the newest first."""
    newest = candles[:-31:-1]
    return [
        [*(f"{bar[name]:.2f}" for name in ("open", "high", "low", "close")), f"{bar['volume']:g}"] for bar in newest
    ]


def readout_of(bar: dict[str, Any]) -> str:
    """Return what the readout must begin with for a candle."""
    prices = " ".join(f"{letter} {bar[name]:.2f}" for letter, name in zip("OHLC", NAMES, strict=True))
    return f"{prices} V {bar['volume']:g}"


def shown(page: Page) -> list[float]:
    """Return the range of times that the chart shows, in milliseconds."""
    range = f"document.querySelector('{PLOT}').layout.xaxis.range"
    found: list[float] = page.evaluate(f"{range}.map((each) => Number.isFinite(each) ? each : Date.parse(each))")
    return found


def drag(page: Page, pixels: int) -> None:
    """Drag the chart to the right."""
    box = page.locator(PLOT).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + 20, box["y"] - 60)


def alert_lines(page: Page) -> list[float]:
    """Return the prices at which lines of alerts stand."""
    shapes: list[dict[str, Any]] = page.evaluate(f"document.querySelector('{PLOT}')?.layout?.shapes ?? []")
    return [shape["y0"] for shape in shapes if shape["type"] == "line" and shape["line"]["dash"] == "6px 4px"]
