"""What all tests share.

Hypothesis draws the same examples in every run and prints how to repeat one that fails. Tests marked ``netns`` are left
out, and that is said, where the kernel refuses namespaces.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache

import pytest
from hypothesis import settings

# No deadline: the machines that run the tests are shared, and a slow example is no fault.
settings.register_profile("ticker", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ticker")

REFUSED = pytest.StashKey[int]()
"""How many tests were left out."""


@cache
def can_make_namespaces() -> bool:
    """Say whether this user may make a network namespace, as packet filters need."""
    try:
        return subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that can't run here; on the build machine (``CI=true``) they stay, and fail."""
    needy = [item for item in items if item.get_closest_marker("netns")]
    if not needy or os.environ.get("CI") == "true" or can_make_namespaces():
        return
    items[:] = [item for item in items if item not in needy]
    config.hook.pytest_deselected(items=needy)
    config.stash[REFUSED] = len(needy)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how many tests were left out, and why."""
    if count := config.stash.get(REFUSED, 0):
        terminalreporter.write_line(f"{count} tests left out: this kernel or user may not `unshare -Urn`.", yellow=True)
