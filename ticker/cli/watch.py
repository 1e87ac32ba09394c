"""``ticker watch``."""

from __future__ import annotations

from typing import Annotated

import typer

from ticker.cli.common import DEFAULT_URL, Ca, Seconds, Symbols, Token, Url, greet, make_request, run
from ticker.client import Request, subscribe

Conflate = Annotated[int, typer.Option(help="Milliseconds of which only the newest quote is sent.", min=0, max=60000)]


def watch(
    url: Url = DEFAULT_URL,
    symbols: Symbols = None,
    conflate: Conflate = 0,
    seconds: Seconds = None,
    token: Token = None,
    ca: Ca = None,
) -> None:
    """Show the market live in the terminal.

    A table of the last price, its change since the reference, bid, ask, age and a tiny chart, and above it the state
    of the connection and what was missed, replayed and lost. It reconnects by itself; Ctrl-C ends it. Where the output
    is no terminal, a line a second says how the connection stands.

    \b
    Examples:
      ticker watch
      ticker watch http://localhost:8000 --symbols AAPL,BTC*
      ticker watch --conflate 250 --seconds 60 > connection.log
    """
    run(_watch(make_request(url, symbols, token, ca), conflate, seconds))


async def _watch(request: Request, conflate: int, seconds: float | None) -> None:
    import logging

    from rich.console import Console

    from ticker.tools.board import Board
    from ticker.tools.watch import Watch

    # What it would warn of stands in the counts; a line on stderr would tear the table.
    logging.getLogger("ticker.client").addHandler(logging.NullHandler())
    board = Board(await greet(request))
    options = {"conflate": conflate, "snapshots": True, "token": request.token, "tls": request.tls}
    async with subscribe(request.url, request.symbols, **options) as subscription:  # type: ignore[arg-type]
        await Watch(request.url, subscription, board).run(Console(), seconds)
