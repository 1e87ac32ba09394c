"""``ticker lab``."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from ticker.cli.common import DEFAULT_URL, Ca, Token, Url, absolute, greet, make_request, run
from ticker.tools.comparison import compare, explain, make_table
from ticker.tools.lab import Lab, check
from ticker.tools.load.plan import Plan, Way

Clients = Annotated[int, typer.Option(help="Clients that measure each way.", min=1, max=1000)]
Seconds = Annotated[float, typer.Option(help="Measure each way for so long; then come the cuts.", min=0.1)]
Cuts = Annotated[int, typer.Option(help="Cuts of 3 s for each way.", min=0, max=100)]
Seed = Annotated[int, typer.Option(help="Of the moments of the cuts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def lab(
    url: Url = DEFAULT_URL,
    clients: Clients = 10,
    seconds: Seconds = 20,
    cuts: Cuts = 3,
    seed: Seed = 1,
    json: Json = False,
    token: Token = None,
    ca: Ca = None,
) -> None:
    """Measure polling, long polling, SSE and WebSocket side by side, on one server.

    Each way is measured by itself, for some seconds undisturbed and then through cuts of 3 s: how old ticks are when
    they come, bytes and CPU a tick, requests, empty answers, and what is lost, with a cursor and without. A way with
    ten clients shows the server's CPU better than with one. It takes about five minutes; Ctrl-C prints what there is.

    \b
    Examples:
      ticker lab
      ticker lab http://127.0.0.1:8000 --seconds 5 --cuts 1
      ticker lab --clients 50 --json > lab.json
    """
    request = make_request(url, None, token, ca)
    plan = Plan(url, Way.sse, clients, token=token, ca=absolute(ca), seed=seed)
    run(_lab(plan, Lab(plan, seconds, cuts), json, request.url))


async def _lab(plan: Plan, lab: Lab, as_json: bool, url: str) -> None:
    from rich.console import Console
    from rich.live import Live

    await greet(plan.request())
    try:
        with Live(get_renderable=lambda: lab.stage, console=Console(stderr=True), transient=True):
            await lab.run()
    finally:
        data = {"url": url, "date": time.strftime("%Y-%m-%d"), **compare(lab)}
        if as_json:
            print(json.dumps(data, indent=2))
        else:
            Console().print(make_table(data))
            print("", *explain(data), sep="\n")
    check(lab.rows)
