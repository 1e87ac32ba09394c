"""Comparison: the rows of ``ticker lab`` as data, and as a table for people."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from ticker.tools.figures import duration
from ticker.tools.lab import CUT_SECONDS, Lab, Row
from ticker.tools.load.histogram import Histogram

# Enough to draw the distribution.
PERCENTILES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9, 100)

# Linux counts a process's time in steps of 10 ms, that in the kernel apart; it is read four times. In microseconds.
CLOCK_STEP = 4 * 10_000

HEADS = (
    "",
    "ticks/s",
    "age p50",
    "age p99",
    "bytes a tick",
    "requests/min",
    "empty",
    "CPU a tick",
    "lost",
    "lost without cursor",
    "live again",
)


def compare(lab: Lab) -> dict[str, Any]:
    """Return everything as it is printed with ``--json``; None is what is not known."""
    return {
        "idle_server_cores": _rounded(lab.idle.cpu if lab.idle else None),
        "market_ticks_per_second": _rounded(lab.idle.rate if lab.idle else None),
        "cut_seconds": CUT_SECONDS,
        "rows": [_data(row) for row in lab.rows],
    }


def _data(row: Row) -> dict[str, Any]:
    result, cuts = row.result, row.cuts
    counts, traffic = result.counts, result.traffic
    answers = counts.messages + counts.empty
    polls = row.trial.way.is_poll
    return {
        "name": row.trial.name,
        "transport": row.trial.way.value,
        "interval": row.trial.interval if row.trial.pause else None,
        "clients": result.clients,
        "seconds": round(result.seconds, 3),
        "ticks": counts.received,
        "market_ticks_per_second": _rounded(row.spent.rate),
        "age_us": _spread(result.ages),
        "bytes_per_tick": _ratio(traffic.received + traffic.sent, counts.received),
        "requests_per_minute": _ratio(traffic.requests * 60, result.seconds * result.clients),
        "empty_answers": counts.empty if polls else None,
        "empty_share": _ratio(counts.empty, answers) if polls else None,
        "cpu_us_per_tick": None if row.cores is None else _ratio(row.cores * row.spent.seconds * 1e6, counts.received),
        "cpu_us_per_tick_resolution": _ratio(CLOCK_STEP, counts.received),
        "cuts": {
            "count": cuts.count,
            "lost_per_cut": _ratio(cuts.gap_ticks + cuts.missing, cuts.count),
            "duplicates": cuts.duplicates,
            "lost_per_cut_without_cursor": _ratio(cuts.skipped, cuts.count),
            "first_tick_us": _spread(cuts.first_tick.counts()),
            "live_again_us": _spread(cuts.live_again.counts()),
        },
        "endings": result.endings,
        "final": result.final,
    }


def cells(data: dict[str, Any]) -> list[str]:
    """Return one row of the data as the cells of a table."""
    age, cuts = data["age_us"], data["cuts"]
    live = cuts["live_again_us"]
    return [
        data["name"],
        _number(data["market_ticks_per_second"]),
        duration(age["p50"]),
        duration(age["p99"]),
        _number(data["bytes_per_tick"]),
        _number(data["requests_per_minute"]),
        _number(data["empty_share"], " %", 100),
        _cpu(data["cpu_us_per_tick"], data["cpu_us_per_tick_resolution"]),
        _number(cuts["lost_per_cut"]),
        _number(cuts["lost_per_cut_without_cursor"]),
        f"{duration(live['p50'])} … {duration(live['max'])}",
    ]


def make_table(data: dict[str, Any]) -> Table:
    """Return the table that is printed."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for index, head in enumerate(HEADS):
        table.add_column(head, justify="right" if index else "left")
    for row in data["rows"]:
        table.add_row(*cells(row))
    return table


def explain(data: dict[str, Any]) -> list[str]:
    """Return how the columns were computed, in one sentence each."""
    cores = data["idle_server_cores"]
    lines = [
        "ticks/s: of the market while the way was measured; age: this machine's clock less the tick's ts",
        "bytes: all on the TCP connection, both ways, heads and frames included, by the ticks received",
        "requests: of one client; empty: answers to polls without a tick",
        "CPU: the server's, less what the same market takes without clients "
        f"({'not known' if cores is None else f'{cores:.1%} of a core'}), by the ticks delivered",
        f"lost: in a cut of {data['cut_seconds']:g} s, of a client that comes back with its cursor; beside it one that "
        "comes back without, cut at the same moments",
        "live again: from the moment at which the network is back to that at which all missed ticks are there, "
        "median … longest",
    ]
    for row in data["rows"]:
        lines += [f"{row['name']}: {reason} ({count})" for reason, count in row["endings"].items()]
        lines += [f"{row['name']}: {row['final']}"] if row["final"] else []
    return lines


def _spread(counts: list[int]) -> dict[str, int | None]:
    names = [f"p{percent:g}".replace("p100", "max") for percent in PERCENTILES]
    return dict(zip(names, Histogram(counts).percentiles(*PERCENTILES), strict=True))


def _number(value: float | None, unit: str = "", factor: float = 1, digits: int = 0) -> str:
    return "-" if value is None else f"{value * factor:,.{digits}f}{unit}"


def _cpu(value: float | None, resolution: float | None) -> str:
    if value is None or resolution is None:
        return "-"
    return f"{value:.1f} µs" if value >= resolution else f"< {resolution:.1f} µs"


def _ratio(amount: float, of: float) -> float | None:
    return round(amount / of, 3) if of else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
