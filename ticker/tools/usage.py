"""Usage: what a server says at ``/metrics`` of its own work, so that it need not run on this machine."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from ticker.client import ClientError, Request
from ticker.client.exchange import exchange

# A sample without labels: Prometheus' text format.
_SAMPLE = re.compile(r"^(\w+) ([-+.\deE]+)$", re.MULTILINE)


class Usage(NamedTuple):
    """A server at one moment; None is what it does not tell."""

    # Monotonic seconds of this machine, half way between question and answer: a busy server takes its time.
    at: float
    # Seconds of CPU and bytes of memory of its process (the process collector of Prometheus' clients).
    cpu: float | None = None
    memory: float | None = None
    # Quotes and trades since it began.
    ticks: float | None = None
    # Why it tells nothing.
    refusal: str | None = None


class Spent(NamedTuple):
    """What a server spent between two moments."""

    seconds: float
    # Cores, and bytes at the end and by how much they have grown.
    cpu: float | None
    memory: float | None
    growth: float | None
    # Ticks of the market in a second.
    rate: float | None
    refusal: str | None


async def read_usage(request: Request) -> Usage:
    """Ask a server; one that does not answer, or not with figures, is no error."""
    asked = time.monotonic()
    try:
        async with request.http() as http:
            http.timeout = 10.0
            text = (await exchange(http, "GET", request.address("/metrics"))).decode(errors="replace")
    except ClientError as error:
        return Usage(time.monotonic(), refusal=str(error))
    samples = {name: float(value) for name, value in _SAMPLE.findall(text)}
    names = ("process_cpu_seconds_total", "process_resident_memory_bytes", "ticker_ticks_total")
    cpu, memory, ticks = (samples.get(name) for name in names)
    refusal = None if cpu is not None else "no process_cpu_seconds_total at /metrics"
    return Usage((asked + time.monotonic()) / 2, cpu, memory, ticks, refusal)


def spent(before: Usage, after: Usage) -> Spent:
    """Return what happened between two moments."""
    seconds = max(after.at - before.at, 1e-9)
    return Spent(
        seconds,
        _difference(before.cpu, after.cpu, seconds),
        after.memory,
        _difference(before.memory, after.memory),
        _difference(before.ticks, after.ticks, seconds),
        after.refusal or before.refusal,
    )


def _difference(before: float | None, after: float | None, per: float = 1.0) -> float | None:
    return None if before is None or after is None else (after - before) / per
