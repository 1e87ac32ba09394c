"""The dashboard as a reader sees it, in a page of a real browser, and the market that it shows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Locator, Page, expect

from tests.support.checkout import ROOT
from tests.support.live import SYMBOLS
from tests.support.process import ServerProcess, server_process
from ticker.core.tick import Trade

SCRIPT = ROOT / "tests" / "browser" / "dashboard.js"

# A page that finds no script for its chart, which takes most of the time in which it loads, and goes on without.
NO_CHART = """
    addEventListener("readystatechange", () => (
        document.querySelector("meta[name=plotly]")?.setAttribute("content", "/icon.svg")
    ), true);
"""

# Milliseconds in which whatever is waited for must have come.
LIMIT = 20_000


class Market:
    """A server's market: trades of ``SYMBOLS`` that a test publishes, each at a higher price than the one before."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        # How many trades were published.
        self.published = 0
        # The newest price of each symbol, as the page writes it.
        self.prices: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return self.server.urls[0]

    def publish(self, count: int, symbols: Sequence[str] = SYMBOLS) -> None:
        """Publish ``count`` trades at once, by turns over symbols."""
        numbers = range(self.published + 1, self.published + count + 1)
        ts = time.time_ns() // 1000
        trades = [Trade(symbols[n % len(symbols)], (10_000 + n) / 100, 1, "buy", ts) for n in numbers]
        self.published += count
        self.prices |= {trade.symbol: f"{trade.price:.2f}" for trade in trades}
        self.server.publish(trades)


@contextmanager
def open_market(state: Path, *arguments: str, **variables: str) -> Iterator[Market]:
    """Run a server in whose market each of ``SYMBOLS`` has been traded once.

    Args:
        state: the user's state folder.
        arguments: options of ``ticker serve``.
        variables: more of its environment.
    """
    with server_process(state, *arguments, **variables) as server:
        market = Market(server)
        market.publish(len(SYMBOLS))
        yield market


class Cut(NamedTuple):
    """What the panel says of a cut; numbers as the page writes them."""

    missed: str
    replayed: str
    duplicates: str = "0"
    lost: str = "0"


class Dashboard:
    """The dashboard in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        # Exceptions that nothing in the page has caught.
        self.errors: list[str] = []
        # What stands behind the pill's state and its words.
        self.pill = page.locator("#pill")
        self.facts = page.locator("#pill-facts")
        self.action = page.locator("#pill-action")
        self.toasts = page.locator("#toasts .toast p")
        self.sharing = page.locator("#tabs-sharing")
        page.set_default_timeout(LIMIT)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, url: str, query: str = "") -> None:
        """Load it; it may not be live yet."""
        self.page.add_init_script(path=SCRIPT)
        self.page.goto(f"{url}/{query and '?'}{query}", wait_until="commit")

    def reach(self, state: str) -> None:
        """Wait until the pill shows a state of the stream."""
        expect(self.pill).to_have_attribute("data-state", state, timeout=LIMIT)

    def says(self, words: str) -> None:
        """Wait until what the pill says begins with words: a regular expression, such as ``LIVE``."""
        pattern = words.replace(" ", r"\s+")
        expect(self.pill).to_have_text(re.compile(rf"^\s*\S\s+{pattern}"), timeout=LIMIT)

    def seen(self, what: str) -> list[Any]:
        """Return what ``dashboard.js`` has written down."""
        return list(self.page.evaluate(f"seen.{what}"))

    def hellos(self) -> list[dict[str, Any]]:
        """Return the greetings of the page's own streams."""
        return [event for event in self.seen("events") if event["name"] == "hello"]

    def count(self, name: str) -> Locator:
        """Return the place of a count in the panel."""
        return self.page.locator("#counts dt", has_text=re.compile(f"^{name}$")).locator("+ dd")

    def has(self, **counts: int | str) -> None:
        """Wait until the panel shows counts."""
        for name, value in counts.items():
            expect(self.count(name)).to_have_text(str(value), timeout=LIMIT)

    def detail(self, name: str) -> str:
        """Return one of the details that the pill opens."""
        if not self.page.locator("#details").is_visible():
            self.pill.click()
        return self.page.locator("#details-list dt", has_text=re.compile(f"^{name}$")).locator("+ dd").inner_text()

    def recoveries(self, count: int) -> list[Cut]:
        """Wait for so many lines of cuts, and return what each says, the newest first."""
        lines = self.page.locator("#recoveries li:not(.hint)")
        expect(lines).to_have_count(count, timeout=LIMIT)
        facts: list[dict[str, str]] = lines.evaluate_all("(lines) => lines.map((line) => ({ ...line.dataset }))")
        return [Cut(*(each[name] for name in ("missed", "replayed", "duplicates", "lost"))) for each in facts]

    def row(self, symbol: str) -> Locator:
        """Return a symbol's row of the watchlist."""
        return self.page.locator(f'#rows tr[data-symbol="{symbol}"]')

    def rows(self) -> dict[str, str]:
        """Return the price that each symbol of the watchlist has now, without its arrow."""
        pairs = "(rows) => rows.map((row) => [row.dataset.symbol, row.querySelector('.last').textContent])"
        return {symbol: text.split()[0] for symbol, text in self.page.locator("#rows tr").evaluate_all(pairs)}

    def price(self, symbol: str) -> Locator:
        """Return the place of a symbol's price."""
        return self.row(symbol).locator(".last")

    def shows(self, symbol: str, price: str) -> None:
        """Wait until a symbol has a price."""
        expect(self.price(symbol)).to_have_text(re.compile(rf"^{re.escape(price)} \S$"), timeout=LIMIT)

    def shows_all(self, market: Market) -> None:
        """Wait until the newest price of each symbol of the market is there."""
        for symbol, price in market.prices.items():
            self.shows(symbol, price)

    def add(self, symbol: str) -> None:
        """Add a symbol to the watchlist."""
        self.page.locator("#search").fill(symbol)
        self.page.locator("#search").press("Enter")

    def remove(self, symbol: str) -> None:
        """Take a symbol off the watchlist."""
        self.row(symbol).hover()
        self.row(symbol).locator(".remove").click()

    def use(self, transport: str) -> None:
        """Choose a transport; empty is all of them."""
        self.page.locator(f"#transports input[value='{transport}']").check()

    def cut(self, seconds: float) -> None:
        """Press the button that cuts the stream for 5 s, for another time, and wait until it is cut."""
        before = self.seen("states").count("reconnecting")
        button = self.page.locator("#connection [data-cut]").first
        button.evaluate(f"(button) => (button.dataset.cut = '{seconds}')")
        button.click()
        wait_until(self.page, lambda: self.seen("states").count("reconnecting") > before)


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait until something holds that no element of a page shows."""
    deadline = time.monotonic() + LIMIT / 1000
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
