"""``ticker bench``."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Annotated

import typer

from ticker.cli.common import DEFAULT_URL, Ca, Symbols, Token, Url, absolute, counted, greet, make_request, run
from ticker.tools.bench import Bench, Progress, advice, check, make_room
from ticker.tools.figures import figures, lines
from ticker.tools.load.plan import Plan, Way

Transport = Annotated[Way, typer.Option(help="How ticks travel; `msgpack` is a WebSocket with MessagePack.")]
Clients = Annotated[int, typer.Option(help="Clients.", min=1, max=100_000)]
Seconds = Annotated[float, typer.Option(help="Measure for so long, once all are connected.", min=0.1)]
Cuts = Annotated[float, typer.Option(help="Cut each client's connection so often a minute, at random.", min=0, max=600)]
Away = Annotated[float, typer.Option(help="Seconds that a client stays away after a cut.", min=0, max=600)]
Interval = Annotated[float, typer.Option(help="Seconds between two polls of `poll`.", min=0.01, max=600)]
Processes = Annotated[int, typer.Option(help="Processes that share the clients.", min=1, max=64)]
ConnectRate = Annotated[float, typer.Option(help="Connections opened in a second.", min=1, max=10_000)]
Seed = Annotated[int, typer.Option(help="Of the moments of the cuts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def bench(
    url: Url = DEFAULT_URL,
    transport: Transport = Way.sse,
    clients: Clients = 100,
    seconds: Seconds = 10,
    cuts: Cuts = 0,
    away: Away = 1,
    interval: Interval = 1,
    symbols: Symbols = None,
    processes: Processes = 1,
    connect_rate: ConnectRate = 200,
    seed: Seed = 1,
    json: Json = False,
    token: Token = None,
    ca: Ca = None,
) -> None:
    """Measure a server under the load of many clients.

    Prints what came: the rate, the age of ticks at the clients (their `ts` against this machine's clock), bytes of the
    connections a tick, and what was lost or came twice, proved by cursors. With cuts each client drops its connection
    as a network would and comes back with its cursor: what it is then owed must come, once. The server's CPU and
    memory are those that it shows at /metrics. Ctrl-C ends it early. HTTP/1.1 is spoken.

    Exit code 1 means that ticks were lost without a gap, or came twice.

    \b
    Examples:
      ticker bench
      ticker bench --transport websocket --clients 1000 --seconds 30 --processes 2
      ticker bench --clients 200 --cuts 6 --away 3 --json
    """
    request = make_request(url, symbols, token, ca)
    make_room(-(-clients // processes))
    names = None if request.symbols is None else list(request.symbols)
    plan = Plan(
        url, transport, clients, names, token, absolute(ca), connect_rate, cuts, away, interval, seed=seed
    )  # fmt: skip
    run(_bench(plan, processes, seconds, json))


async def _bench(plan: Plan, processes: int, seconds: float, as_json: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    await greet(plan.request())
    bench = Bench(plan, processes)
    now = asyncio.get_running_loop().time
    with Live(
        get_renderable=lambda: describe(bench.progress, plan.clients, seconds, now()),
        console=Console(stderr=True),
        transient=True,
    ):
        outcome = await bench.run(seconds)
    if as_json:
        print(json.dumps(figures(outcome), indent=2))
    else:
        print(*lines(outcome, advice(outcome, os.cpu_count())), sep="\n")
    check(outcome)


def describe(progress: Progress, clients: int, seconds: float, now: float) -> str:
    """Return how far a run is."""
    connected = f"{progress.total('connected'):,} of {counted(clients, 'client')}"
    if progress.began is None:
        return f"connecting: {connected}"
    passed = min(now - progress.began, seconds)
    return (
        f"{passed:.0f} of {seconds:.0f} s: {connected}, {counted(progress.total('received'), 'tick')}, "
        f"{counted(progress.total('cuts'), 'cut')}, {progress.total('missing'):,} lost, "
        f"{counted(progress.total('duplicates'), 'duplicate')}"
    )
