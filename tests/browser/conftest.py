"""What the browser tests share: the system's Chromium, and a page of the server's own origin to run scripts in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.process import ServerProcess, server_process

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[[str], Page]
"""Opens a page of an origin, with ``page.js`` in it."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of one that Playwright would have to download."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: `make deps` says how to install it"
    return {"executable_path": found, "headless": True, "args": ARGUMENTS}


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
