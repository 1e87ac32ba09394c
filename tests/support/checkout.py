"""The project's own files, as a fresh clone would have them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def tracked_files() -> list[str]:
    """Return the paths, relative to ROOT, of all files that belong to the project."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, text=True, capture_output=True, check=True)
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]
