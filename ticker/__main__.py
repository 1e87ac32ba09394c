"""The entry of ``python -m ticker`` and of the command ``ticker``."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

# Where ticker lies; the package feeds lies beside it, in a checkout as in an installation.
HOME = Path(__file__).resolve().parent.parent


def find_foreign_feeds() -> str | None:
    """Return the place of a module ``feeds`` that would be imported instead of ours, without running it.

    ``python -m`` searches the current folder first, so a ``feeds`` that lies there by chance would come before ours.
    """
    spec = find_spec("feeds")
    place = spec.origin if spec is not None else None
    if place is None or Path(place).resolve().parent == HOME / "feeds":
        return None
    return place


def main() -> None:
    """Run the command line, or exit with code 2 where another package ``feeds`` stands before ours."""
    foreign = find_foreign_feeds()
    if foreign is not None:
        print(
            f"ticker: {foreign} would be imported instead of ticker's own feeds; "
            "run the command `ticker` or `python -P -m ticker`, or start it in another folder.",
            file=sys.stderr,
        )
        raise SystemExit(2)
    from ticker.cli.main import main as run  # only now: the command line imports feeds

    run()


if __name__ == "__main__":
    main()
