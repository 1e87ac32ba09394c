"""A herd: ``python -m tests.bench.returning SPEC MISSED live|quiet`` comes back at once.

Every client has missed ``MISSED`` ticks or a few more, so that not all read the same, and every other one asks for
batches; 0 is a herd that has missed nothing, whose cost is that of setting up. It prints a Return as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection

import msgspec

from tests.bench.connections import Tally
from tests.bench.load import CLOSING, OPENING, Load
from tests.bench.machine import cpu_ns, raise_file_limit
from tests.bench.spec import Return, Spec

# Seconds in which a quiet market must send nothing twice.
REST = 0.3


def newest(port: int) -> tuple[str, int]:
    """Return the epoch and the seq of the newest tick."""
    server = HTTPConnection("127.0.0.1", port)
    server.request("GET", "/v1/poll")
    epoch, _, seq = json.loads(server.getresponse().read())["cursor"].partition("-")
    server.close()
    return epoch, int(seq)


def come_back(spec: Spec, missed: int, is_live: bool) -> Return:
    """Connect all, and wait until each has got what it missed; in a market that lives, ticks go on coming."""
    epoch, seq = newest(spec.port)
    firsts = [seq - missed - index % 10 * bool(missed) for index in range(spec.connections)]
    load = Load(spec, [f"{spec.path}?cursor={epoch}-{first}&batch={index % 2}" for index, first in enumerate(firsts)])
    for tally, first in zip(load.tallies, firsts, strict=True):
        tally.marks.append((first, 0))
    load.clock.marks = 1
    started, cpu = time.monotonic(), cpu_ns(spec.pid)
    load.connect()
    if missed:
        load.poll(OPENING, lambda: any(tally.messages for tally in load.tallies))
    first_tick, first_cpu = time.monotonic(), cpu_ns(spec.pid)
    is_complete = load.poll(
        OPENING, lambda: load.is_served() and all(tally.messages >= missed for tally in load.tallies)
    )
    ended, last_cpu, ticks = time.monotonic(), cpu_ns(spec.pid), load.totals()[1]
    load.mark()
    load.poll(CLOSING if is_live else REST, load.is_marked)
    whole = sum(_is_whole(tally, None if is_live else seq) for tally in load.tallies)
    load.close()
    return Return(started, first_tick, ended, first_cpu - cpu, last_cpu - first_cpu, ticks, whole * is_complete)


def _is_whole(tally: Tally, newest: int | None) -> bool:
    """Whether each tick after the first mark has come once, up to the second mark or to the newest tick there is."""
    first, _ = tally.marks[0]
    if newest is not None:
        return tally.messages == newest - first
    last, count = tally.marks[-1]
    return len(tally.marks) == 2 and last - first == count


def main() -> None:
    """Come back and print what it took."""
    raise_file_limit()
    herd = come_back(msgspec.json.decode(sys.argv[1], type=Spec), int(sys.argv[2]), sys.argv[3] == "live")
    print(json.dumps(msgspec.to_builtins(herd)))


if __name__ == "__main__":
    main()
