"""``ticker record``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feeds.recording import Recorder
from ticker.cli.common import DEFAULT_URL, Ca, Seconds, Symbols, Token, Url, counted, greet, make_request, run
from ticker.client import Api, Request, subscribe
from ticker.core.tick import Instrument
from ticker.tools.record import Recorded, Recording

File = Annotated[Path, typer.Argument(help="The file to make; compressed if its name ends in .gz.")]
Ticks = Annotated[int | None, typer.Option(help="Stop after so many ticks.", min=1)]
From = Annotated[str | None, typer.Option("--from", help="A cursor, or `earliest`: what the server still has.")]


def record(
    file: File,
    url: Url = DEFAULT_URL,
    symbols: Symbols = None,
    start: From = None,
    seconds: Seconds = None,
    ticks: Ticks = None,
    token: Token = None,
    ca: Ca = None,
) -> None:
    """Write the ticks of a server to a file, which `ticker serve --feed recording:FILE` plays again.

    The file holds a header with the instruments, then each tick as it came, with its cursor, one JSON object a line.
    What the server could not replay after a cut stands there as a gap. Ctrl-C ends the file in order.

    \b
    Examples:
      ticker record day.ndjson.gz
      ticker record apple.ndjson --symbols AAPL --seconds 60
      ticker record all.ndjson http://localhost:8000 --from earliest --ticks 100000
    """
    run(_record(file, make_request(url, symbols, token, ca), start, ticks, seconds))


async def _record(file: Path, request: Request, start: str | None, ticks: int | None, seconds: float | None) -> None:
    from rich.console import Console
    from rich.live import Live

    known = await greet(request)
    options = {"cursor": start or "latest", "token": request.token, "tls": request.tls}
    console = Console(stderr=True)
    async with subscribe(request.url, request.symbols, **options) as subscription:  # type: ignore[arg-type]
        with Recorder(file, known) as recorder:
            recording = Recording(subscription, recorder, known, lambda: _instruments(request))
            try:
                with Live(
                    get_renderable=lambda: f"{subscription.state}: {progress(recording.recorded, ticks)}",
                    console=console,
                    transient=True,
                ):
                    await recording.run(ticks, seconds)
            finally:
                print(f"{file}: {progress(recording.recorded)}")


async def _instruments(request: Request) -> list[Instrument]:
    async with Api(request) as api:
        return await api.instruments()


def progress(recorded: Recorded, limit: int | None = None) -> str:
    """Return how far a recording has come, such as ``1,200 of 5,000 ticks, 1 gap (7 ticks lost)``."""
    ticks = counted(recorded.ticks, "tick") if limit is None else f"{recorded.ticks:,} of {counted(limit, 'tick')}"
    gaps = f"{counted(recorded.gaps, 'gap')} ({counted(recorded.lost, 'tick')} of the market lost)"
    return f"{ticks}, {gaps if recorded.gaps else 'no gap'}"
