"""Report: the rows of a benchmark, each a figure and its limit, and the options that all benchmarks share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import SubprocessError
from typing import NamedTuple

from tests.bench.machine import describe_cores


class Options(NamedTuple):
    """How long to measure."""

    # Turns of each server, and seconds of each turn.
    rounds: int
    seconds: float
    # Only what has this text in its title is measured.
    only: str

    def wants(self, title: str) -> bool:
        """Whether something is to be measured."""
        return self.only.lower() in title.lower()


def parse_options(purpose: str, rounds: int = 3, seconds: float = 2) -> Options:
    """Return the options of the command line: ``--rounds``, ``--seconds``, ``--quick`` and ``--only``."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each server")
    parser.add_argument("--seconds", type=float, default=seconds, help="of each turn")
    parser.add_argument("--quick", action="store_true", help="one turn of a second: to see that it runs")
    parser.add_argument("--only", default="", metavar="TEXT", help="measure only what has this in its title")
    given = parser.parse_args()
    if given.quick:
        return Options(1, 1, given.only)
    return Options(given.rounds, given.seconds, given.only)


def shorten(value: float) -> str:
    """Return a figure with three digits, or all before the point.

    >>> shorten(1.2345), shorten(506123.4)
    ('1.23', '506,123')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Report:
    """The rows of one benchmark, printed as they come."""

    def __init__(self, title: str, options: Options) -> None:
        self.failed = 0
        turns = f"{options.rounds} times {options.seconds:g} s" if options.seconds else f"{options.rounds} times"
        _print(f"\n{title}  ({turns}; {describe_cores()})")

    def note(self, text: str) -> None:
        """Print what is no figure with a limit."""
        _print(f"    {text}")

    def most(self, what: str, value: float, limit: float, measured: str, unit: str = "") -> None:
        """Print a row whose value may be at most its limit."""
        self._row(what, value <= limit, f"{shorten(value)}{unit}", f"at most {limit:,g}{unit}", measured)

    def least(self, what: str, value: float, limit: float, measured: str, unit: str = "") -> None:
        """Print a row whose value must be at least its limit."""
        self._row(what, value >= limit, f"{shorten(value)}{unit}", f"at least {limit:,g}{unit}", measured)

    def either(self, what: str, verdicts: list[tuple[float, float, str]], measured: str) -> None:
        """Print a row that holds where one of its values is at most its limit: (value, limit, unit)."""
        values = " or ".join(f"{shorten(value)}{unit}" for value, _, unit in verdicts)
        limits = " or ".join(f"{limit:,g}{unit}" for _, limit, unit in verdicts)
        self._row(what, any(value <= limit for value, limit, _ in verdicts), values, f"at most {limits}", measured)

    def all_of(self, what: str, count: int, wanted: int, measured: str) -> None:
        """Print a row that holds where all are there."""
        self._row(what, count == wanted, f"{count:,}", f"all of {wanted:,}", measured)

    def missing(self, what: str, reason: str) -> None:
        """Print a row that could not be measured."""
        _print(f"  - {what:<52} not measured: {reason}")

    @contextmanager
    def row(self, what: str) -> Iterator[None]:
        """Have a row fail where what is done for it fails, and the others go on."""
        try:
            yield
        except (RuntimeError, SubprocessError) as error:
            self.failed += 1
            _print(f"  ✕ {what:<52} failed: {error}")

    def _row(self, what: str, is_kept: bool, value: str, limit: str, measured: str) -> None:
        self.failed += not is_kept
        print(f"  {'✓' if is_kept else '✕'} {what:<52} {value:>10}  {limit:<20} {measured}")

    def finish(self) -> None:
        """Exit, with 1 if a row is beyond its limit."""
        sys.exit(1 if self.failed else 0)


def _print(line: str) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(line, flush=True)


def progress(text: str) -> None:
    """Show what is being done; on a terminal the next line takes its place."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K    {text} …\r", end="", file=sys.stderr, flush=True)
    else:
        print(f"    {text} …", file=sys.stderr, flush=True)
