"""Figures: an outcome of ``ticker bench`` as data, and as lines for people. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ticker.tools.bench import Outcome
from ticker.tools.load.histogram import Histogram

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return everything as it is printed with ``--json``; times of ticks in microseconds, None is what is not known."""
    plan, result, spent = outcome.plan, outcome.result, outcome.spent
    counts, traffic, total = result.counts, result.traffic, result.total
    cpu_seconds = None if spent.cpu is None else spent.cpu * spent.seconds
    return {
        "url": plan.url,
        "transport": plan.way.value,
        "clients": result.clients,
        "connected": result.connected,
        "seconds": round(result.seconds, 3),
        "market_ticks_per_second": _rounded(spent.rate),
        "ticks": {
            "received": counts.received,
            "per_second": _rounded(_ratio(counts.received, result.seconds)),
            "per_message": _rounded(_ratio(counts.received, counts.messages)),
            "replayed": total.replayed,
            "lost": total.missing,
            "duplicates": total.duplicates,
            "continuity_breaks": total.breaks,
            "gaps": total.gaps,
            "gap_ticks": total.gap_ticks,
        },
        "age_us": spread(result.ages),
        "bytes": {
            "received": traffic.received,
            "sent": traffic.sent,
            "per_tick": _rounded(_ratio(traffic.received + traffic.sent, counts.received)),
        },
        "requests": {"sent": traffic.requests, "empty_answers": counts.empty},
        "cuts": {
            "count": result.cuts,
            "unrecovered": result.unrecovered,
            "first_tick_us": spread(result.first_tick),
            "live_again_us": spread(result.live_again),
        },
        "server": {
            "cores": _rounded(spent.cpu),
            "cpu_us_per_tick": _rounded(None if cpu_seconds is None else _ratio(cpu_seconds * 1e6, counts.received)),
            "memory_bytes": spent.memory,
            "memory_bytes_per_client": _rounded(outcome.memory_per_client),
            "refusal": spent.refusal,
        },
        "load": {"processes": result.processes, "cores": _rounded(result.cpu), "busiest": _rounded(result.busiest)},
        "endings": result.endings,
        "final": result.final,
    }


def spread(counts: Sequence[int]) -> dict[str, int | None]:
    """Return the percentiles of a histogram by name, ``p50`` to ``max``."""
    names = [f"p{percent:g}".replace("p100", "max") for percent in PERCENTILES]
    return dict(zip(names, Histogram(counts).percentiles(*PERCENTILES), strict=True))


def lines(outcome: Outcome, remarks: Sequence[str]) -> Iterator[str]:
    """Yield the same for people, the remarks last."""
    data = figures(outcome)
    ticks, server = data["ticks"], data["server"]
    market = data["market_ticks_per_second"]
    yield f"{data['transport']}, {counted(data['clients'], 'client')}, {data['seconds']:.1f} s of {data['url']}"
    share = "" if not market else f", {ticks['per_second'] / market / data['clients']:.0%} of the market to each"
    yield _row("delivered", f"{ticks['received']:,} ticks, {ticks['per_second']:,.0f}/s{share}")
    yield _row("age", _times(data["age_us"]))
    yield _row(
        "bytes", f"{_number(data['bytes']['per_tick'], 1)} a tick, {_number(ticks['per_message'], 1)} ticks a message"
    )
    yield _row("lost", f"{ticks['lost']:,} without a word, {ticks['gap_ticks']:,} in {counted(ticks['gaps'], 'gap')}")
    yield _row("duplicates", f"{ticks['duplicates']:,}, {ticks['continuity_breaks']:,} breaks of continuity")
    if data["cuts"]["count"]:
        yield _row("cuts", f"{data['cuts']['count']:,}, {ticks['replayed']:,} ticks replayed")
        yield _row("live again", _times(data["cuts"]["live_again_us"]))
    if data["requests"]["sent"]:
        yield _row("requests", f"{data['requests']['sent']:,}, {data['requests']['empty_answers']:,} empty answers")
    if server["cores"] is not None:
        yield _row("server", _server(server))
    load = data["load"]
    yield _row("clients", f"{load['cores']:.0%} of a core in {counted(load['processes'], 'process', 'processes')}")
    for reason, count in sorted(data["endings"].items()):
        yield _row("ended", f"{reason} ({count:,})")
    for remark in remarks:
        yield _row("note", remark)


def counted(number: int, noun: str, several: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "process", "processes")
    '1 process'
    """
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def _server(server: dict[str, Any]) -> str:
    text = f"{server['cores']:.0%} of a core, {_number(server['cpu_us_per_tick'], 2)} µs a tick"
    if server["memory_bytes"] is not None:
        text += f", {server['memory_bytes'] / 2**20:,.0f} MiB"
    if server["memory_bytes_per_client"]:
        text += f", {server['memory_bytes_per_client'] / 2**10:,.1f} KiB a client"
    return text


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"


def _times(spread: dict[str, int | None]) -> str:
    return "  ".join(f"{name} {duration(value)}" for name, value in spread.items())


def duration(microseconds: float | None) -> str:
    """Return a time with its unit, in three digits.

    >>> duration(1234)
    '1.23 ms'
    """
    if microseconds is None:
        return "-"
    for limit, factor, unit in ((1e3, 1, "µs"), (1e6, 1e3, "ms"), (1e9, 1e6, "s"), (float("inf"), 8.64e10, "days")):
        if microseconds < limit:
            value = microseconds / factor
            return f"{value:.{0 if value >= 100 or factor == 1 else 1 if value >= 10 else 2}f} {unit}"
    raise AssertionError


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _ratio(amount: float, of: float) -> float | None:
    return amount / of if of else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
