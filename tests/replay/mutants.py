"""Plant faults one at a time into a copy of the source, and see that the replay tests catch each.

Run it with ``make mutants``. Prints which test caught which fault; exits with 1 if one survives, with 2 if a fault no
longer fits the source or the tests fail without one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.support.checkout import ROOT

TESTS = [
    "tests/replay/test_machine.py",
    "tests/replay/test_cuts.py::test_cuts_at_any_byte[by turns-uvloop]",
    "tests/replay/test_shutdown.py::test_clients_go_on_at_another_server_of_the_same_history[uvloop]",
]
# Seconds for all of them; a fault that keeps clients waiting is caught by it.
LIMIT = 90

_FAILED = re.compile(r"^(?:FAILED|ERROR) \S*?(\w+\.py::\w+)", re.MULTILINE)


class Mutant(NamedTuple):
    """A fault: what it breaks, and how."""

    name: str
    path: str
    # Must stand in the file exactly once.
    text: str
    fault: str


MUTANTS = [
    Mutant(
        "a slice of the ring begins one tick late",
        "ticker/core/ring.py",
        "first, last = (after + 1) % self.size",
        "first, last = (after + 2) % self.size",
    ),
    Mutant(
        "an evicted slot is served",
        "ticker/core/ring.py",
        "return max(0, self.newest - self.size)",
        "return max(0, self.newest - self.size - 1)",
    ),
    Mutant(
        "the oldest place that is kept counts as evicted",
        "ticker/core/ring.py",
        "return position if position >= self.oldest",
        "return position if position > self.oldest",
    ),
    Mutant(
        "the epoch of a cursor is ignored",
        "ticker/core/ring.py",
        "if cursor.epoch == epoch:",
        "if cursor.epoch <= epoch:",
    ),
    Mutant(
        "a gap is forgotten",
        "ticker/core/stream.py",
        'messages = [self._codec.event("gap", gap.data()), self._snapshot()]',
        "messages = [self._snapshot()]",
    ),
    Mutant(
        "a gap counts one tick too few",
        "ticker/core/follower.py",
        "return self.to.seq - self.start.seq + 1",
        "return self.to.seq - self.start.seq",
    ),
    Mutant(
        "a snapshot's cursor is one too new",
        "ticker/core/tape.py",
        '"cursor": str(self.ring.cursor(position)),',
        '"cursor": str(self.ring.cursor(min(position + 1, self.ring.newest))),',
    ),
    Mutant(
        "a snapshot is one tick behind its cursor",
        "ticker/core/book.py",
        "entry.position > position:",
        "entry.position >= position:",
    ),
    Mutant(
        "a batch's `to` is too far after a filter",
        "ticker/core/view.py",
        "items, end = selected.items, self._ring.cursor(selected.to)",
        "items, end = selected.items, self._ring.cursor(min(selected.to + 1, self._ring.newest))",
    ),
    Mutant(
        "clients at different places share a batch",
        "ticker/core/view.py",
        "key = (known if self._batched else None, after, to)",
        "key = (None, after, to)",
    ),
    Mutant(
        "a poll waits before it looks",
        "ticker/core/poll.py",
        "self.begin(found, resumed=isinstance(self._start, Cursor))",
        "self.begin(self.newest(now), resumed=isinstance(self._start, Cursor))",
    ),
    Mutant(
        "a poll promises more and goes on behind it",
        "ticker/core/poll.py",
        "        self.position = last.position\n",
        "",
    ),
    Mutant(
        "a tick comes twice at the seam of replay and live",
        "ticker/core/stream.py",
        "            self._replay_end = None\n            return [self._heart(now)]",
        "            self._replay_end, self.position = None, position - 1\n            return [self._heart(now)]",
    ),
    Mutant(
        "the heartbeat after a replay is forgotten",
        "ticker/core/stream.py",
        "            self._replay_end = None\n            return [self._heart(now)]",
        "            self._replay_end = None",
    ),
    Mutant(
        "a heartbeat's cursor is ahead of what was sent",
        "ticker/core/stream.py",
        "            self.known = self.tape.ring.cursor(self.position)",
        "            self.known = self.tape.ring.cursor(self.tape.ring.newest)",
    ),
    Mutant(
        "batches count as one tick",
        "ticker/core/stream.py",
        "self.sent += chunk.ticks",
        "self.sent += len(chunk.messages)",
    ),
    Mutant(
        "a change of the subscription is forgotten on resume",
        "ticker/core/follower.py",
        "self._met = steps[0].serial - 1 if resumed and steps else self.session.serial",
        "self._met = self.session.serial",
    ),
    Mutant(
        "names that were taken away are sent up to the change",
        "ticker/core/follower.py",
        "subscriptions = (steps[0].before, *(step.after for step in steps)) if steps",
        "subscriptions = (steps[0].before,) if steps",
    ),
    Mutant(
        "what is added comes without a snapshot",
        "ticker/core/follower.py",
        "        if not adds(steps):\n            return None",
        "        return None",
    ),
    Mutant(
        "a window of conflation is sent before it has closed",
        "ticker/core/follower.py",
        "return tape.ring.placed_before(now - now % window)",
        "return tape.ring.placed_before(now - now % window + window)",
    ),
    Mutant(
        "conflation drops quotes across windows",
        "ticker/core/view.py",
        "key = entry.placed // self._window, entry.tick.symbol",
        "key = 0, entry.tick.symbol",
    ),
    Mutant(
        "a paused stream goes on",
        "ticker/core/stream.py",
        "            self._rested = True\n            return self._beat(now)",
        "            self._rested = True",
    ),
    Mutant(
        "Last-Event-ID is ignored",
        "ticker/web/query.py",
        "    if last_event_id:\n",
        "    if last_event_id is None:\n",
    ),
    Mutant(
        "an event's id comes before its data",
        "ticker/core/wire.py",
        'b"event: %b\\ndata: %b\\nid: %b\\n\\n" % (entry.json[9:14], entry.json, tick_id(entry))',
        'b"event: %b\\nid: %b\\ndata: %b\\n\\n" % (entry.json[9:14], tick_id(entry), entry.json)',
    ),
]


def main() -> int:
    """Print the table and return the exit code."""
    for mutant in MUTANTS:
        if (count := (ROOT / mutant.path).read_text().count(mutant.text)) != 1:
            print(f"{mutant.name}: its text stands {count} times in {mutant.path}: {mutant.text!r}")
            return 2
    started = time.monotonic()
    if caught := check(None):
        print(f"without a fault: {caught}")
        return 2
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        survivors = sum(
            report(mutant, caught) for mutant, caught in zip(MUTANTS, pool.map(check, MUTANTS), strict=True)
        )
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} caught in {time.monotonic() - started:.0f} s")
    return 1 if survivors else 0


def report(mutant: Mutant, caught: str | None) -> bool:
    """Print a row; return whether the fault was not caught."""
    print(f"{mutant.name:55} {caught or 'SURVIVED'}", flush=True)
    return caught is None


def check(mutant: Mutant | None) -> str | None:
    """Run the tests on a copy of the source with a fault, and return the one that fails first."""
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("ticker", "feeds", "frontend", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", copy)
        if mutant is not None:
            path = copy / mutant.path
            path.write_text(path.read_text().replace(mutant.text, mutant.fault))
        return run(copy)


def run(copy: Path) -> str | None:
    """Return the first test that fails in a copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.replay.unshrunk", *TESTS]
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        result = subprocess.run(command, cwd=copy, env=env, text=True, capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"no end within {LIMIT} s"
    if result.returncode == 0:
        return None
    found = _FAILED.search(result.stdout)
    return found[1] if found else f"pytest ended with {result.returncode}: {result.stdout[-500:]}{result.stderr[-500:]}"


if __name__ == "__main__":
    raise SystemExit(main())
