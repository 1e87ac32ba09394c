"""Measure how long a bystander waits while hundreds of clients come back at once.

Run it with ``python -m tests.bench.bench_return``. Server, clients and bystander share the machine; the bystander's
longest pause without them is shown beside, from the same run.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.herd import MISSED, measure

CLIENTS = 500
# The limit of the bystander's longest pause, in seconds.
PAUSE = 0.25


def main() -> None:
    """Print the pauses and the time until all have got all."""
    with TemporaryDirectory() as state:
        came = asyncio.run(measure(Path(state), CLIENTS))
    ticks = CLIENTS * MISSED
    print(f"came back       {came.complete} of {CLIENTS} clients with all of {MISSED:,} missed ticks each")
    print(f"in              {came.seconds:.2f} s, {ticks / came.seconds:,.0f} ticks a second")
    print(f"longest pause   {came.disturbed * 1e3:.0f} ms of a bystander (at most {PAUSE * 1e3:.0f})")
    print(f"                {came.undisturbed * 1e3:.0f} ms before they came")


if __name__ == "__main__":
    main()
