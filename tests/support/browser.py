"""The system's Chromium, and what looks at a page for barriers."""

from __future__ import annotations

import shutil
from typing import Any, cast

from playwright.sync_api import Page

from tests.support.checkout import ROOT

AXE = ROOT / "tests" / "node_modules" / "axe-core" / "axe.min.js"

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch_options() -> dict[str, Any]:
    """Return how Playwright starts the system's Chromium instead of one that it would have to download."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: `make deps` says how to install it"
    return {"executable_path": found, "headless": True, "args": _ARGUMENTS}


def serious(page: Page) -> list[str]:
    """Return what axe-core finds on a page that is serious or critical, each with the elements that it is about."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [_describe(each) for each in found if each["impact"] in ("serious", "critical")]


def _describe(violation: dict[str, Any]) -> str:
    nodes = cast("list[dict[str, Any]]", violation["nodes"])
    return f"{violation['id']}: " + "; ".join(str(node["target"]) + " " + str(node["any"][:1]) for node in nodes)
