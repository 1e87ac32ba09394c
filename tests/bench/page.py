"""Measure the dashboard's figures in headless Chromium, and print them beside their limits.

Run it with ``make bench-page``. Server, browser and this process share the machine. The long figures, a page that is
hidden and one that is seen for minutes, are taken side by side; ``--minutes`` shortens them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.browser import AXE, launch_options, serious
from tests.support.process import environment

RATE = 200
# Seconds over which the main thread's load is taken, and after which a page counts as loaded.
LOAD_SECONDS, SETTLED = 20, 4
CUT_SECONDS = 30

# Written down by the page from its beginning: tasks of the main thread that took more than 50 ms, and when.
WATCH = """
    globalThis.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({startTime, duration}) => (
        {startTime, duration}
    )))).observe({ type: "longtask", buffered: true });
"""
# A page in the background: not seen, and without frames until it is shown.
HIDE = """
    globalThis.isShown = true;
    globalThis.frames = [];
    globalThis.painted = 0;
    const request = requestAnimationFrame.bind(globalThis);
    const paint = (job) => request((at) => { painted += 1; job(at); });
    globalThis.requestAnimationFrame = (job) => isShown ? paint(job) : frames.push(job);
    Object.defineProperty(document, "hidden", { get: () => !isShown });
    Object.defineProperty(document, "visibilityState", { get: () => isShown ? "visible" : "hidden" });
    globalThis.show = (shown) => {
        isShown = shown;
        document.dispatchEvent(new Event("visibilitychange"));
        if (shown) for (const job of frames.splice(0)) paint(job);
    };
"""


class Figure(NamedTuple):
    """A figure and its limit, both in one unit."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether it is within its limit."""
        return self.measured <= self.limit


@contextmanager
def server(state: Path) -> Iterator[str]:
    """Serve a synthetic market and yield its address."""
    command = [sys.executable, "-m", "ticker", "serve", "--port", "0", "--feed", f"synthetic:?seed=1&rate={RATE}"]
    process = subprocess.Popen(
        command, env=environment(state), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield next(line.split()[1].rstrip("/") for line in process.stdout if "page " in line)
    finally:
        process.terminate()
        process.communicate()


class Trial:
    """A page of a browser that knows nothing yet, and what it does."""

    def __init__(self, context: BrowserContext, url: str, script: str = "") -> None:
        self.foreign: list[str] = []
        self.page: Page = context.new_page()
        self.page.add_init_script(WATCH + script)
        self.page.on(
            "request", lambda request: self.foreign.append(request.url) if _is_foreign(request.url, url) else None
        )
        self.page.goto(url)
        self._wait_for("performance.getEntriesByName('chart').length > 0")
        self.cdp: CDPSession = context.new_cdp_session(self.page)
        self.cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

    def _wait_for(self, condition: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(20)

    def mark(self, name: str) -> float:
        """Return when the page marked something, in milliseconds since its navigation."""
        return float(self.page.evaluate(f"performance.getEntriesByName('{name}')[0].startTime"))

    def metric(self, name: str) -> float:
        """Return one of the browser's own figures of the page."""
        metrics = self.cdp.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == name))

    def load(self) -> float:
        """Return the share of a core that the main thread takes."""
        before, began = self.metric("TaskDuration"), time.monotonic()
        self.page.wait_for_timeout(LOAD_SECONDS * 1000)
        return (self.metric("TaskDuration") - before) / (time.monotonic() - began)

    def longest_task(self, since: float) -> float:
        """Return the longest task of the main thread after a moment, in milliseconds; 0 if none took 50."""
        tasks: list[dict[str, float]] = self.page.evaluate("longTasks")
        return max((task["duration"] for task in tasks if task["startTime"] >= since), default=0)

    def now(self) -> float:
        """Return the milliseconds since the page's navigation."""
        return float(self.page.evaluate("performance.now()"))

    def heap(self) -> float:
        """Return the bytes of the page's heap that are in use."""
        self.cdp.send("HeapProfiler.collectGarbage")
        return self.metric("JSHeapUsedSize")

    def cut(self, seconds: int) -> tuple[int, float]:
        """Cut the stream; return what was lost, and the milliseconds from the new stream to the paint of all missed."""
        self.page.locator(f"[data-cut='{seconds}']").click()
        recovered = self.page.locator("#recoveries li.whole, #recoveries li.broken")
        recovered.first.wait_for(timeout=(seconds * 2 + 20) * 1000)
        painted = float(self.page.evaluate("new Promise((done) => requestAnimationFrame(() => done(Date.now())))"))
        facts = recovered.first.evaluate("(item) => ({ ...item.dataset })")
        return int(facts["lost"]), painted - float(facts["until"])


def _is_foreign(address: str, url: str) -> bool:
    return not address.startswith((url, "data:", f"blob:{url}"))


def measure(browser: Browser, url: str, minutes: float) -> Iterator[Figure]:
    """Yield the figures, the quick ones first."""
    trial = Trial(browser.new_context(viewport={"width": 1440, "height": 900}), url)
    yield Figure("watchlist live after navigation", trial.mark("watchlist"), 500, "ms")
    yield Figure("chart, cold", trial.mark("chart"), 2000, "ms")
    trial.page.wait_for_timeout(SETTLED * 1000)
    settled = trial.now()
    rows = trial.page.locator("#rows tr").count()
    yield Figure(f"main thread at {RATE} ticks/s, {rows} rows, chart", 100 * trial.load(), 15, "%")
    lost, painted = trial.cut(CUT_SECONDS)
    yield Figure(f"lost after a cut of {CUT_SECONDS} s", lost, 0, "ticks")
    yield Figure("painted after the new stream", painted, 1000, "ms")
    yield Figure("longest task after load, the cut included", trial.longest_task(settled), 50, "ms")
    yield from _long_figures(browser, url, minutes, trial)
    yield Figure("axe-core, serious or critical", len(serious(trial.page)), 0, "findings")
    yield Figure("requests to another origin", len(trial.foreign), 0, "requests")


def _long_figures(browser: Browser, url: str, minutes: float, seen: Trial) -> Iterator[Figure]:
    hidden = Trial(browser.new_context(), url, HIDE)
    hidden.page.evaluate("show(false)")
    before = seen.heap()
    painted = int(hidden.page.evaluate("painted"))
    for _ in track(range(round(minutes * 60)), f"{minutes:g} minutes hidden, and seen", console=Console(stderr=True)):
        hidden.page.wait_for_timeout(1000)
    yield Figure(
        f"frames painted while hidden for {minutes:g} min", hidden.page.evaluate("painted") - painted, 0, "frames"
    )
    shown = hidden.now()
    hidden.page.evaluate("show(true)")
    hidden.page.wait_for_timeout(1000)
    yield Figure("longest task when it is shown again", hidden.longest_task(shown), 100, "ms")
    yield Figure(f"heap after {minutes:g} min, against before", 100 * seen.heap() / before - 100, 10, "% more")


def show(figures: list[Figure]) -> None:
    """Print the figures as a table."""
    table = Table("what", "measured", "limit", "", title="The dashboard in headless Chromium")
    for each in figures:
        measured = f"{each.measured:.1f}".removesuffix(".0")
        table.add_row(each.what, f"{measured} {each.unit}", f"{each.limit:g}", "✓" if each.holds else "✕")
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Print the figures; the exit code is 1 if one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="length of the long figures (default 10)")
    minutes: float = parser.parse_args(arguments).minutes
    assert AXE.exists(), "axe-core is missing: `make bench-page` installs it"
    with (
        TemporaryDirectory() as state,
        server(Path(state)) as url,
        sync_playwright() as playwright,
        playwright.chromium.launch(**launch_options()) as browser,
    ):
        figures = list(measure(browser, url, minutes))
    show(figures)
    sys.exit(not all(each.holds for each in figures))


if __name__ == "__main__":
    main()
