"""What the browser tests share: the system's Chromium, and a page of the server's own origin to run scripts in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import launch_options
from tests.support.dashboard import NO_CHART, Dashboard, Market, open_market
from tests.support.process import ServerProcess, server_process

OpenPage = Callable[[str], Page]
"""Opens a page of an origin, with ``page.js`` in it."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of one that Playwright would have to download."""
    return launch_options()


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """Trust the development certificate."""
    return {"ignore_https_errors": True}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Run a server whose market is what the test publishes."""
    with server_process(tmp_path, "--tls") as process:
        yield process


@pytest.fixture
def open_page(page: Page) -> OpenPage:
    """Open a page of the server that does nothing by itself."""
    page.set_default_timeout(20_000)
    page.add_init_script(path=Path(__file__).with_name("page.js"))

    def open_page(origin: str) -> Page:
        # Not a page made up by the test: from one that came from no address Chromium allows no WebSocket to loopback.
        page.goto(f"{origin}/healthz")
        return page

    return open_page


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """Run a server in whose market some symbols have been traded once."""
    with open_market(tmp_path) as market:
        yield market


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Run one server for a module's tests, which publish what they need; each uses symbols of its own."""
    with open_market(tmp_path_factory.mktemp("state")) as market:
        yield market


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run one server with a synthetic market for a module's tests."""
    with server_process(tmp_path_factory.mktemp("state"), "--feed", "synthetic:?seed=1") as process:
        yield process


@pytest.fixture
def no_chart(context: BrowserContext) -> None:
    """Open dashboards without a chart, which load sooner."""
    context.add_init_script(NO_CHART)


@pytest.fixture
def dashboard(page: Page) -> Iterator[Dashboard]:
    """Have a page for the dashboard, in which nothing may throw."""
    dashboard = Dashboard(page)
    yield dashboard

    assert dashboard.errors == []
