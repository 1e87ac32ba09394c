"""The lab: each way against a real server, through real cuts, and the table that is made of it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

import pytest
from rich.console import Console

from tests.client.peer import Peer, answer
from tests.support.checkout import ROOT
from tests.support.live import live
from tests.support.trading_on import trading_on
from ticker.tools import lab as lab_module
from ticker.tools.comparison import HEADS, cells, compare, explain, make_table
from ticker.tools.lab import TRIALS, Cuts, Lab, LostTicks, Row, Trial, check
from ticker.tools.load.ledger import Counts
from ticker.tools.load.meter import Result
from ticker.tools.load.plan import Plan, Way
from ticker.tools.usage import Spent

QUICK = (Trial("quick polling", Way.poll, 0.05), *(trial for trial in TRIALS if trial.way is not Way.poll))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cuts be short."""
    monkeypatch.setattr(lab_module, "CUT_SECONDS", 0.1)
    monkeypatch.setattr(lab_module, "WARM_UP", 0.05)


async def test_measures_each_way_and_what_a_cut_costs_with_and_without_a_cursor() -> None:
    async with live() as server, trading_on(server):
        lab = Lab(Plan(server.url, Way.sse, 2, connect_rate=1000), seconds=0.2, cuts=1, trials=QUICK)
        await lab.run()
    data = compare(lab)

    assert [row["name"] for row in data["rows"]] == [trial.name for trial in QUICK]
    assert data["market_ticks_per_second"] > 0
    for row in data["rows"]:
        assert row["ticks"] > 0
        assert row["age_us"]["p50"] > 0
        assert row["bytes_per_tick"] > 50
        assert row["cuts"] | {"count": 1, "lost_per_cut": 0, "duplicates": 0} == row["cuts"]
        assert row["cuts"]["lost_per_cut_without_cursor"] > 0
        assert row["cuts"]["live_again_us"]["max"] > 0
        assert row["cpu_us_per_tick"] is not None
        assert row["endings"] == {}
    by_way = {row["transport"]: row for row in data["rows"]}
    assert by_way["long-poll"]["requests_per_minute"] > by_way["poll"]["requests_per_minute"] > 0
    assert by_way["sse"]["requests_per_minute"] == 0
    check(lab.rows)


async def test_the_command_prints_what_it_has_when_it_is_stopped() -> None:
    instruments, metrics = answer(200, b'{"instruments":[]}'), answer(200, b"up 1\n")
    async with Peer(instruments, metrics, answer(200, b"", end="hold")) as peer:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "ticker", "lab", peer.url, "--seconds=0.1", "--json")
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=ROOT)
        async with asyncio.timeout(20):
            while len(peer.asked) < 3:  # noqa: ASYNC110  the peer announces nothing
                await asyncio.sleep(0.02)
            process.terminate()
            out, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert json.loads(out) | {"url": peer.url, "rows": [], "idle_server_cores": None} == json.loads(out)


def row(**counts: int) -> Row:
    counted = Counts(**{"received": 1000, "messages": 100, "empty": 100, **counts})
    result = Result(seconds=1.0, clients=1, counts=counted, total=counted, endings={"refused: too_many": 2}, final="no")
    cuts = Cuts(count=2, gap_ticks=4, missing=2, skipped=1400)
    cuts.live_again.add(2000)
    return Row(TRIALS[1], result, Spent(1.0, 0.5, None, None, 1000.0, None), 0.25, cuts)


def data_of(*rows: Row) -> dict[str, Any]:
    lab = Lab(Plan("http://server", Way.sse, 1), 1.0, 2)
    lab.rows = list(rows)
    return compare(lab)


def test_a_row_shows_each_figure_with_its_unit() -> None:
    (data,) = data_of(row())["rows"]

    assert cells(data) == [
        *("polling every 1 s", "1,000", "-", "-", "0", "0", "50 %", "250.0 µs", "3", "700", "2.02 ms … 2.02 ms"),
    ]


def test_what_the_clock_of_a_process_can_not_tell_is_no_figure() -> None:
    (data,) = data_of(row(received=100_000, messages=1))["rows"]
    data["cpu_us_per_tick"] = 0.1

    assert cells(data)[HEADS.index("CPU a tick")] == "< 0.4 µs"


def test_the_table_and_its_explanations_hold_what_was_measured() -> None:
    data = data_of(row())
    console = Console(width=200, record=True, file=None)
    with console.capture() as captured:
        console.print(make_table(data))

    assert "polling every 1 s" in captured.get()
    assert "polling every 1 s: refused: too_many (2)" in explain(data)
    assert "polling every 1 s: no" in explain(data)
    assert any("(not known)" in line for line in explain(data))


@pytest.mark.parametrize("counts", [{"missing": 1}, {"duplicates": 1}])
def test_a_broken_promise_is_an_error(counts: dict[str, int]) -> None:
    whole = row()
    whole.cuts.missing = 0
    check([whole])
    with pytest.raises(LostTicks, match="polling every 1 s: "):
        check([Row(whole.trial, row(**counts).result, whole.spent, None, whole.cuts)])


def test_the_document_holds_a_run_with_each_way_and_its_plots() -> None:
    text = (ROOT / "docs" / "transports.md").read_text()
    plots = re.findall(r"!\[[^]]+\]\((transports-\w+\.png)\)", text)

    assert all(f"\n| {trial.name} | " in text for trial in TRIALS)
    assert "\n| " + " | ".join(HEADS) + " |\n" in text
    assert len(plots) == 3
    assert all((ROOT / "docs" / name).stat().st_size < 150 * 1024 for name in plots)
