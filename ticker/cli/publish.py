"""``ticker publish``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ticker.cli.common import DEFAULT_URL, Ca, Token, Url, counted, greet, make_request, run
from ticker.client import Api, Request
from ticker.tools.publish import Progress, Publisher


class Speed(StrEnum):
    """How fast a file is sent."""

    max = "max"
    x1 = "x1"


File = Annotated[Path, typer.Argument(help="Ticks, one JSON object a line; compressed if its name ends in .gz.")]
SpeedOption = Annotated[Speed, typer.Option(help="As fast as the server takes them, or as they happened.")]


def publish(
    file: File, url: Url = DEFAULT_URL, speed: SpeedOption = Speed.max, token: Token = None, ca: Ca = None
) -> None:
    """Send a file of ticks to a server, in batches.

    A line is a quote or a trade of the server's own form, its time `ts` in microseconds or left out for now. A file of
    `ticker record` will do: its cursors and gaps are left out, and what its header says of symbols is told to a server
    that doesn't know them. A line that is no tick, or that the server
    refuses, is named, and nothing after its batch is sent. Publishing needs the scope `publish` or a server on this
    machine without credentials.

    \b
    Examples:
      ticker publish ticks.ndjson
      ticker publish day.ndjson.gz http://localhost:8000 --speed x1
      echo '{"type":"trade","symbol":"XYZ","price":1.5,"size":10,"side":"buy"}' > t.ndjson; ticker publish t.ndjson
    """
    run(_publish(file, make_request(url, None, token, ca), speed))


async def _publish(file: Path, request: Request, speed: Speed) -> None:
    from rich.console import Console
    from rich.live import Live

    known = await greet(request)
    async with Api(request) as api:
        publisher = Publisher(api, known)
        try:
            with Live(
                get_renderable=lambda: describe(publisher.progress), console=Console(stderr=True), transient=True
            ):
                await publisher.run(file, paced=speed is Speed.x1)
        finally:
            print(f"{file}: {describe(publisher.progress)}")


def describe(progress: Progress) -> str:
    """Return how far a file has come."""
    skipped = f", {counted(progress.skipped, 'line')} without a tick" if progress.skipped else ""
    return f"{counted(progress.accepted, 'tick')} accepted{skipped}, last {progress.last or '-'}"
