"""A bystander: ``python -m tests.bench.bystander SPEC`` watches one stream until its input ends.

It prints ``ready`` when ticks flow, and at the end when each tick arrived (by time.monotonic) and how late it was
(microseconds), as JSON.
"""

from __future__ import annotations

import json
import select
import sys
import time

import msgspec

from tests.bench.load import OPENING, Load
from tests.bench.spec import Spec


def main() -> None:
    """Watch."""
    load = Load(msgspec.json.decode(sys.argv[1], type=Spec))
    load.connect()
    if not load.poll(OPENING, load.flows):
        raise TimeoutError("nothing flows")
    print("ready", flush=True)
    arrivals: list[tuple[float, int]] = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        load.clock.latencies = []
        load.poll(0.005)
        now = time.monotonic()
        arrivals += [(now, latency) for latency in load.clock.latencies]
    print(json.dumps(arrivals))
    load.close()


if __name__ == "__main__":
    main()
