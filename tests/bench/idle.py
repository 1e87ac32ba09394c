"""Idle connections: ``python -m tests.bench.idle SPEC`` opens them, prints a line, and keeps them until its input ends.

Pings are answered meanwhile; the ticks that come are none or few.
"""

from __future__ import annotations

import select
import sys

import msgspec

from tests.bench.load import OPENING, Load
from tests.bench.machine import raise_file_limit
from tests.bench.spec import Spec


def main() -> None:
    """Hold the connections."""
    raise_file_limit()
    load = Load(msgspec.json.decode(sys.argv[1], type=Spec))
    load.connect()
    if not load.poll(OPENING, load.is_served):
        raise TimeoutError(f"not all were served within {OPENING} s")
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        load.poll(0.1)
    if load.lost:
        raise SystemExit(f"{load.lost} connections were lost")
    load.close()


if __name__ == "__main__":
    main()
