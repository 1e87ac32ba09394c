"""Run ``ticker lab`` against ``ticker serve`` and put its table and its plots into docs/transports.md.

Run it with ``make plots``; it takes about five minutes. ``make plots ARGS="--data lab.json"`` draws what
``ticker lab --json`` has printed before. Plotly draws in the system's Chromium.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import Page, sync_playwright

from tests.support.browser import launch_options
from tests.support.checkout import ROOT
from tests.support.process import environment, server_process
from ticker.tools.comparison import HEADS, cells, explain
from ticker.web.pages import find_plotly

DOCS = ROOT / "docs"
DOCUMENT = DOCS / "transports.md"
BEGIN, END = "<!-- lab: begin -->", "<!-- lab: end -->"

# A long session, whose shape does not change the rate while it is measured.
FEED = "synthetic:?rate=200&period=1d"
CLIENTS = 10
WIDTH, HEIGHT = 900, 380
# A picture that is read over a slow line.
SIZE_LIMIT = 150 * 1024

# The cell of a row that holds the CPU a tick.
CPU = HEADS.index("CPU a tick")

# Told apart by people who see no red, in the order of the rows (Okabe and Ito 2008).
COLOURS = ["#999999", "#e69f00", "#d55e00", "#0072b2", "#009e73", "#cc79a7"]

DRAW = """async ({ data, layout, width, height }) => {
    const place = document.createElement("div");
    document.body.append(place);
    await Plotly.newPlot(place, data, layout, { staticPlot: true });
    return Plotly.toImage(place, { format: "png", width, height, scale: 1.5 });
}"""

LAYOUT: dict[str, Any] = {
    "template": None,
    "font": {"family": "sans-serif", "size": 13, "color": "#222"},
    "margin": {"l": 60, "r": 20, "t": 50, "b": 50},
    "plot_bgcolor": "#fff",
    "paper_bgcolor": "#fff",
}


def measure(arguments: list[str]) -> dict[str, Any]:
    """Run ``ticker lab`` against a server of its own; its progress is seen in the terminal."""
    with TemporaryDirectory() as state, server_process(Path(state), "--feed", FEED) as server:
        time.sleep(5)  # the market's half hour of history is made, and the process has settled
        command = [sys.executable, "-m", "ticker", "lab", server.urls[0], "--json", *arguments]
        run = subprocess.run(command, stdout=subprocess.PIPE, env=environment(Path(state)), check=True)
    data: dict[str, Any] = json.loads(run.stdout)
    return data


def age_figure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the ages of ticks are spread."""
    lines = []
    for row, colour in zip(rows, COLOURS, strict=True):
        points = [(_percent(name), age / 1000) for name, age in row["age_us"].items() if age is not None]
        lines.append(
            {
                "x": [age for _, age in points],
                "y": [percent for percent, _ in points],
                "name": row["name"],
                "mode": "lines",
                "line": {"color": colour, "width": 2.5},
            }
        )
    layout = LAYOUT | {
        "title": {"text": "Age of a tick when it reaches the client"},
        "xaxis": {"type": "log", "dtick": 1, "title": {"text": "milliseconds"}, "gridcolor": "#ddd"},
        "yaxis": {"title": {"text": "% of ticks are younger"}, "range": [0, 101], "gridcolor": "#ddd"},
    }
    return {"data": lines, "layout": layout}


class Panel(NamedTuple):
    """A bar for each way."""

    head: str
    # None is what is not known.
    values: list[float | None]
    # The end of its axis.
    limit: float
    # What stands beside the bars, in place of the values.
    labels: list[str] | None = None


def cost_figure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a tick costs."""
    sizes, work, requests = (
        [row[key] for row in rows] for key in ("bytes_per_tick", "cpu_us_per_tick", "requests_per_minute")
    )
    panels = [
        Panel("bytes a tick", sizes, _highest(sizes)),
        Panel("server's CPU a tick, µs", work, _highest(work), [cells(row)[CPU].removesuffix(" µs") for row in rows]),
        Panel("requests a minute", requests, _highest(requests)),
    ]
    return _bars("What a tick costs", rows, panels)


def cut_figure(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Return what a cut costs; the two panels of lost ticks have one scale."""
    cuts = [row["cuts"] for row in rows]
    lost, skipped = ([cut[key] for cut in cuts] for key in ("lost_per_cut", "lost_per_cut_without_cursor"))
    live = [None if cut["live_again_us"]["p50"] is None else cut["live_again_us"]["p50"] / 1000 for cut in cuts]
    limit = max(_highest(lost), _highest(skipped))
    panels = [
        Panel("ticks lost with the cursor", lost, limit),
        Panel("ticks lost without it", skipped, limit),
        Panel("ms until live again", live, _highest(live)),
    ]
    return _bars(f"A cut of {seconds:g} s", rows, panels)


def _highest(values: list[float | None]) -> float:
    return max((value for value in values if value is not None), default=0) or 1


def _bars(title: str, rows: list[dict[str, Any]], panels: list[Panel]) -> dict[str, Any]:
    """Return panels side by side, each with an axis of its own; the first way stands at the top."""
    data, layout = [], LAYOUT | {"title": {"text": title}, "showlegend": False}
    layout["margin"] = LAYOUT["margin"] | {"l": 170}
    share = 1 / len(panels)
    for index, panel in enumerate(panels, 1):
        axis = "" if index == 1 else str(index)
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": [row["name"] for row in rows][::-1],
                "x": [max(value or 0, 0) for value in panel.values][::-1],
                "text": (panel.labels or [_label(value) for value in panel.values])[::-1],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": COLOURS[::-1]},
                "xaxis": f"x{axis}",
            }
        )
        layout[f"xaxis{axis}"] = {
            "domain": [share * (index - 1) + 0.015, share * index - 0.015],
            "range": [0, panel.limit * 1.3],
            "gridcolor": "#ddd",
            "title": {"text": panel.head},
            "nticks": 4,
        }
    return {"data": data, "layout": layout}


def _label(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.1f}"


def _percent(name: str) -> float:
    return 100.0 if name == "max" else float(name.removeprefix("p"))


def draw(page: Page, figure: dict[str, Any], file: Path) -> None:
    """Write a figure as a PNG."""
    url: str = page.evaluate(DRAW, {**figure, "width": WIDTH, "height": HEIGHT})
    image = base64.b64decode(url.partition(",")[2])
    assert len(image) < SIZE_LIMIT, f"{file.name} has {len(image):,} bytes"
    file.write_bytes(image)


def table(data: dict[str, Any], machine: str) -> Iterator[str]:
    """Yield the lines between the markers."""
    row = data["rows"][0]
    options = f"--clients {row['clients']} --seconds {row['seconds']:.0f} --cuts {row['cuts']['count']}"
    yield f"`ticker lab {options}` against `ticker serve --feed '{FEED}'`, {data['date']}, {machine},"
    yield f"server and clients on the same machine, CPython {platform.python_version()}:"
    yield ""
    yield "| " + " | ".join(HEADS) + " |"
    yield "| --- |" + " ---: |" * (len(HEADS) - 1)
    for row in data["rows"]:
        yield "| " + " | ".join(cells(row)) + " |"
    yield ""
    yield from (f"- {line}" for line in explain(data))


def rewrite(document: str, lines: Iterator[str]) -> str:
    """Return a document with other lines between its markers."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, f"{DOCUMENT} has no {BEGIN}"
    assert end, f"{DOCUMENT} has no {END}"
    return "\n".join([f"{head}{BEGIN}", "", *lines, "", f"{END}{tail}"])


def main(arguments: list[str] | None = None) -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="what `ticker lab --json` has printed, instead of a run")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores", help="what the document calls this machine")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--cuts", type=int, default=5)
    given = parser.parse_args(arguments)
    options = [f"--clients={given.clients}", f"--seconds={given.seconds:g}", f"--cuts={given.cuts}"]
    data = json.loads(given.data.read_text()) if given.data else measure(options)
    plotly = find_plotly()
    assert plotly is not None
    with sync_playwright() as playwright, playwright.chromium.launch(**launch_options()) as browser:
        page = browser.new_page()
        page.add_script_tag(path=plotly)
        draw(page, age_figure(data["rows"]), DOCS / "transports-age.png")
        draw(page, cost_figure(data["rows"]), DOCS / "transports-cost.png")
        draw(page, cut_figure(data["rows"], data["cut_seconds"]), DOCS / "transports-cut.png")
    DOCUMENT.write_text(rewrite(DOCUMENT.read_text(), table(data, given.machine)))


if __name__ == "__main__":
    main()
