"""A plugin of pytest: Hypothesis stops at the first example that fails, where nobody reads it."""

from __future__ import annotations

from hypothesis import Phase, settings


def pytest_collection_finish() -> None:
    """Leave shrinking out."""
    settings.register_profile("unshrunk", settings.get_profile("ticker"), phases=[Phase.explicit, Phase.generate])
    settings.load_profile("unshrunk")
