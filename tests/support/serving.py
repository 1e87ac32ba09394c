"""A real server in the test's own loop, on free ports, and the two loops that it must work on."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from ticker.server import serve
from ticker.settings import Settings

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run_on(loop: str, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine on one of the loops, for a minute at most."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(test(), 60))


def on_both_loops(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
    """Make two tests of one: on asyncio's loop and on uvloop."""

    @pytest.mark.parametrize("loop", LOOPS)
    def run(loop: str) -> None:
        run_on(loop, test)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class Serving:
    """A server that runs: its ports, what it logged, and the event that ends it."""

    def __init__(self) -> None:
        self.shutdown = asyncio.Event()
        self.urls: list[str] = []
        # What was logged at WARNING or above, by anyone.
        self.complaints: list[str] = []

    @property
    def port(self) -> int:
        """The port without TLS."""
        return int(self.urls[0].rpartition(":")[2])

    @property
    def tls_port(self) -> int:
        """The port with TLS."""
        return int(self.urls[1].rpartition(":")[2])


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self._lines.append(self.format(record))


async def _no_streams() -> None:
    """Drain an app that has no streams to end."""


@asynccontextmanager
async def serving(
    app: Any, *, drain: Callable[[], Awaitable[None]] = _no_streams, **overrides: object
) -> AsyncIterator[Serving]:
    """Serve an ASGI app for a while; fails if anything was logged at WARNING or above that the test did not take."""
    settings = Settings.load({}, {"port": 0, "tls_port": 0, **overrides})
    served, is_ready = Serving(), asyncio.Event()
    listener = _Listener(served.complaints)
    logging.getLogger().addHandler(listener)

    def ready(urls: list[str]) -> None:
        served.urls = urls
        is_ready.set()

    task = asyncio.create_task(serve(app, settings, ready=ready, drain=drain, shutdown=served.shutdown))
    try:
        waiter = asyncio.create_task(is_ready.wait())
        await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not is_ready.is_set():
            await task
        yield served
    finally:
        served.shutdown.set()
        await task
        logging.getLogger().removeHandler(listener)
    assert served.complaints == []


def trusting() -> ssl.SSLContext:
    """Return a client's TLS context that takes any certificate and offers HTTP/2."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def eventually(check: Callable[[], object], seconds: float = 10) -> None:
    """Wait until a check holds; fails when it does not within a time."""
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 (what is looked at, such as the loop's tasks, has no event)
            await asyncio.sleep(0.005)
