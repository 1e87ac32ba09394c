"""``ticker serve``: starts a node and prints where to look."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from os import environ

from ticker.log import configure
from ticker.node import Node
from ticker.server import run, say_what_is_low, spare_the_collector
from ticker.server import serve as serve_app
from ticker.settings import Settings
from ticker.web.app import create_app


def serve(overrides: Mapping[str, object]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        overrides: settings from the command line, by name; None where not given.

    Raises:
        StartError, BadRecording: it can't start as told; one sentence with the mend.
    """
    settings = Settings.load(environ, overrides)
    configure(json=settings.log_json, level=settings.log_level)

    async def main(shutdown: asyncio.Event) -> None:
        say_what_is_low(settings)
        node = Node(settings)
        node.open()
        await serve_app(create_app(node), settings, ready=_greet, drain=node.drain, shutdown=shutdown)

    run(main, settings)


def _greet(urls: list[str]) -> None:
    """Print where the page, the stream and the API are: the server is ready."""
    spare_the_collector()
    first = urls[0]
    lines = [f"page    {url}/" for url in urls]
    lines += [
        f"stream  curl -N {first}/v1/stream",
        f"api     {first}/v1/symbols  /v1/snapshot  /v1/bars/<symbol>  /v1/poll",
        "stop    Ctrl-C",
    ]
    print("ticker is live", *lines, sep="\n  ", flush=True, file=sys.stdout)
