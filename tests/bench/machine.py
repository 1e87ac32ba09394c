"""The machine: its cores, and the processor time and memory of a process (Linux only)."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
# Where the measured server runs, and where clients and the measuring do; one core of two must do for both.
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def describe_cores() -> str:
    """Say which core does what."""
    if SERVER_CORE == CLIENT_CORE:
        return f"ONE core ({SERVER_CORE}) for servers and clients: latencies and rates are too bad, costs too high"
    return f"servers on core {SERVER_CORE}, clients on core {CLIENT_CORE}"


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Pin this thread to a core for a while; processes that it starts meanwhile stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_ns(pid: int) -> int:
    """Return the processor time that a process's living threads have taken, in nanoseconds."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
    except FileNotFoundError:  # a kernel without scheduler statistics
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_NS


def waited_ns(pid: int) -> int:
    """Return how long a process's living threads could have run but had no core, in nanoseconds; 0 if unknown."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks)
    except FileNotFoundError:
        return 0


def resident(pid: int) -> int:
    """Return the memory of a process in bytes, as far as it lies in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def raise_file_limit() -> None:
    """Allow as many open files as the hard limit does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
