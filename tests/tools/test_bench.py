"""The bench: processes of clients against a real server and a fake one, and what is made of their results."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.client.peer import Peer, Play, answer, batch, hello, quote, refuse, sse
from tests.support.checkout import ROOT
from tests.support.live import live
from tests.support.serving import eventually
from tests.support.trading_on import trading_on
from ticker.core.codes import StartError
from ticker.tools import bench as bench_module
from ticker.tools.bench import Bench, BrokenPromise, Outcome, WorkerLost, advice, check, make_room, share
from ticker.tools.figures import duration, figures, lines
from ticker.tools.load.histogram import Histogram
from ticker.tools.load.ledger import Counts
from ticker.tools.load.meter import Result, Traffic
from ticker.tools.load.plan import Plan, Way
from ticker.tools.usage import Spent, Usage, read_usage, spent

INSTRUMENTS = answer(200, b'{"instruments":[]}')
METRICS = answer(200, b"# HELP\nprocess_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 3.0e+07\n")


async def ticker(*arguments: str) -> tuple[int | None, str, str]:
    """Run ``ticker bench`` in a process of its own."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ticker", "bench", *arguments), stdout=pipe, stderr=pipe, cwd=ROOT
    )
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


class TestAgainstAServer:
    @pytest.mark.parametrize("way", [Way.sse, Way.msgpack])
    async def test_measures_both_sides_and_loses_nothing_through_cuts(self, way: Way) -> None:
        async with live() as server, trading_on(server):
            plan = Plan(server.url, way, 4, connect_rate=1000, cuts=240, away=0.05)
            outcome = await Bench(plan, processes=2).run(0.6)
        data = figures(outcome)

        assert (data["clients"], data["connected"] > 0, data["load"]["processes"]) == (4, True, 2)
        assert data["ticks"]["received"] > 100
        assert data["ticks"] | {"lost": 0, "duplicates": 0, "continuity_breaks": 0, "gaps": 0} == data["ticks"]
        assert data["cuts"]["count"] > 0
        assert data["cuts"]["unrecovered"] == 0
        assert data["cuts"]["live_again_us"]["max"] >= data["cuts"]["live_again_us"]["p50"] > 0
        assert data["market_ticks_per_second"] > 0
        assert data["server"]["cores"] >= 0
        assert data["server"]["memory_bytes"] > 2**20
        assert data["endings"] == {}
        check(outcome)

    async def test_the_command_prints_json(self) -> None:
        async with live() as server, trading_on(server):
            code, out, errors = await ticker(
                server.url, "--clients=2", "--seconds=0.3", "--symbols=AAPL,BTC*", "--json"
            )
        data = json.loads(out)

        assert (code, errors) == (0, "")
        assert set(data) == set(figures(OUTCOME))
        assert data["ticks"]["received"] > 0
        assert data["age_us"]["p50"] <= data["age_us"]["p99"] <= data["age_us"]["max"]

    async def test_a_run_that_is_stopped_has_what_it_measured(self) -> None:
        async with live() as server:
            bench = Bench(Plan(server.url, Way.sse, 1))
            task = asyncio.create_task(bench.run(60.0))
            await eventually(lambda: bench.progress.began is not None)
            await server.publish_numbered(5)
            await eventually(lambda: bench.progress.total("received") == 5)
            task.cancel()
            outcome = await task

        assert outcome.result.total.received == 5
        assert outcome.result.seconds < 60


class TestAgainstAFakeServer:
    async def test_a_server_that_loses_and_repeats_is_reported_and_is_code_1(self) -> None:
        stream = sse(hello("1-0"), batch("1-0", "1-4", *map(quote, ["1-1", "1-2", "1-2", "1-4"])), end="hold")
        async with Peer(INSTRUMENTS, METRICS, stream, METRICS, METRICS) as peer:
            code, out, errors = await ticker(peer.url, "--clients=1", "--seconds=0.2")

        assert code == 1
        assert "lost        1 without a word, 0 in 0 gaps" in out
        assert "duplicates  1, " in out
        assert errors == (
            "ticker: the server broke its promise: 1 ticks were lost without a gap, 1 came twice, "
            "0 times it did not go on where a client stood\n"
        )

    async def test_a_refusal_is_shown(self) -> None:
        refusal = sse({"type": "refused", "code": "too_many", "retry_after": 0})
        stream = sse(hello("1-0"), quote("1-1"), end="hold")
        async with Peer(INSTRUMENTS, METRICS, refusal, stream, METRICS, METRICS) as peer:
            code, out, _ = await ticker(peer.url, "--clients=1", "--seconds=0.2")

        assert code == 0
        assert "  ended       refused: too_many (1)\n" in out

    async def test_a_server_that_wants_nobody_is_code_1_with_its_own_words(self) -> None:
        refusal = refuse(403, "forbidden", "not yours")
        async with Peer(INSTRUMENTS, METRICS, refusal, METRICS, METRICS) as peer:
            code, out, errors = await ticker(peer.url, "--clients=1", "--seconds=0.2")

        assert (code, errors) == (1, "ticker: forbidden: not yours\n")
        assert "1 of 1 clients were not connected at the end" in out

    async def test_a_process_of_clients_that_ends_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bench_module, "HOME", os.devnull)
        monkeypatch.setattr(sys, "executable", "false")
        async with Peer(METRICS, METRICS) as peer:
            with pytest.raises(WorkerLost, match="a process of clients has ended with code 1"):
                await Bench(Plan(peer.url, Way.sse, 1)).run(1.0)


class TestUsage:
    async def ask(self, *plays: Play) -> Usage:
        async with Peer(*plays) as peer:
            return await read_usage(Plan(peer.url, Way.sse, 1).request())

    async def test_reads_what_the_server_tells(self) -> None:
        usage = await self.ask(METRICS)

        assert (usage.cpu, usage.memory, usage.ticks, usage.refusal) == (1.5, 3e7, None, None)

    async def test_says_why_it_knows_nothing(self) -> None:
        assert (await self.ask(refuse(403, "forbidden", "no"))).refusal == "forbidden: no"
        assert (await self.ask(answer(200, b"up 1\n"))).refusal == "no process_cpu_seconds_total at /metrics"

    def test_what_was_spent_lies_between_two_moments(self) -> None:
        usage = spent(Usage(1.0, 2.0, 100.0, 10.0), Usage(3.0, 3.0, 150.0, 30.0))

        assert usage == Spent(2.0, 0.5, 150.0, 50.0, 10.0, None)
        assert spent(Usage(1.0), Usage(2.0, refusal="no")) == Spent(1.0, None, None, None, None, "no")


RESULT = Result(
    seconds=2.0,
    clients=10,
    connected=10,
    cpu=0.5,
    busiest=0.5,
    processes=1,
    counts=Counts(received=2000, messages=500),
    total=Counts(received=2500, messages=600),
    traffic=Traffic(received=198_000, sent=2000, requests=10),
    ages=Histogram.of([1000, 2000, 1_500_000]).counts(),
)
OUTCOME = Outcome(Plan("http://server", Way.sse, 10), RESULT, Spent(2.0, 0.25, 2.0**26, 2.0**20, 100.0, None), 2048.0)


def test_prints_every_figure_with_its_unit() -> None:
    text = "\n".join(lines(OUTCOME, ["a note"]))

    assert text == (
        "sse, 10 clients, 2.0 s of http://server\n"
        "  delivered   2,000 ticks, 1,000/s, 100% of the market to each\n"
        "  age         p50 2.02 ms  p90 1.51 s  p99 1.51 s  p99.9 1.51 s  max 1.51 s\n"
        "  bytes       100.0 a tick, 4.0 ticks a message\n"
        "  lost        0 without a word, 0 in 0 gaps\n"
        "  duplicates  0, 0 breaks of continuity\n"
        "  requests    10, 0 empty answers\n"
        "  server      25% of a core, 250.00 µs a tick, 64 MiB, 2.0 KiB a client\n"
        "  clients     50% of a core in 1 process\n"
        "  note        a note"
    )


def test_a_run_without_ticks_has_no_figures_but_no_error_either() -> None:
    nothing = Outcome(
        Plan("http://server", Way.poll, 1), Result(seconds=1.0, clients=1), spent(Usage(0), Usage(1)), None
    )

    assert figures(nothing)["bytes"]["per_tick"] is None
    assert "  bytes       - a tick, - ticks a message" in list(lines(nothing, []))


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (None, "-"),
        (0, "0 µs"),
        (999, "999 µs"),
        (1234, "1.23 ms"),
        (45_600, "45.6 ms"),
        (2e6, "2.00 s"),
        (1e12, "11.6 days"),
    ],
)
def test_a_duration_has_three_digits(microseconds: float | None, text: str) -> None:
    assert duration(microseconds) == text


@pytest.mark.parametrize(
    ("changed", "remark"),
    [
        ({"busiest": 0.9}, "the clients are at their own limit (90% of a core): use more --processes"),
        ({"connected": 7}, "3 of 10 clients were not connected at the end"),
        ({"unrecovered": 2, "cuts": 3}, "2 clients that were cut were not back in time"),
        ({"early": 5}, "ticks came before their own time: the clocks differ, and ages are too small"),
        ({"final": "no"}, "the server sent clients away for good: no"),
    ],
)
def test_says_what_makes_figures_doubtful(changed: dict[str, Any], remark: str) -> None:
    assert advice(OUTCOME, 2) == []
    assert advice(replace(OUTCOME, result=replace(RESULT, **changed)), 2) == [remark]


def test_knows_when_more_processes_would_not_help() -> None:
    busy = replace(OUTCOME, result=replace(RESULT, busiest=1.0, processes=2))

    assert advice(busy, 2)[0].endswith("use another machine for the clients")


@pytest.mark.parametrize("counts", [Counts(received=1, missing=1), Counts(received=1, duplicates=1), Counts(breaks=1)])
def test_a_broken_promise_is_an_error(counts: Counts) -> None:
    with pytest.raises(BrokenPromise):
        check(replace(OUTCOME, result=replace(RESULT, total=counts)))


def test_results_of_processes_add_up() -> None:
    other = replace(RESULT, seconds=2.5, busiest=0.7, ages=Histogram.of([5]).counts(), endings={"x": 1}, final="no")
    both = RESULT + other

    assert (both.clients, both.seconds, both.cpu, both.busiest, both.final) == (20, 2.5, 1.0, 0.7, "no")
    assert (both.counts.received, both.traffic.sent, both.endings) == (4000, 4000, {"x": 1})
    assert sum(both.ages) == 4


def test_processes_share_the_clients() -> None:
    plans = share(Plan("http://server", Way.sse, 10, connect_rate=300), 3)

    assert [(plan.first, plan.clients, plan.connect_rate) for plan in plans] == [(0, 3, 100), (3, 3, 100), (6, 4, 100)]
    assert [plan.clients for plan in share(Plan("http://server", Way.sse, 1), 3)] == [1]


class TestRoom:
    def limits(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
        """Stand in for the machine's limits; return what they are set to."""
        raised: list[tuple[int, int]] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
        return raised

    def test_raises_the_soft_limit_where_it_is_too_low(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raised = self.limits(monkeypatch, 1024, 4096)
        make_room(100)
        make_room(2000)

        assert raised == [(2064, 4096)]

    def test_says_how_to_raise_the_hard_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.limits(monkeypatch, 1024, 4096)
        with pytest.raises(StartError, match=r"5,000 clients .* need 5,064 open files, and .* `ulimit -Hn 5064`"):
            make_room(5000)

    def test_nothing_is_to_be_raised_where_there_is_no_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raised = self.limits(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        make_room(5000)

        assert raised == []
