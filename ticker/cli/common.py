"""What the commands that talk to a server share: their options, asking the server first, stopping on a signal."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from ticker.client import Api, ClientError, Request
from ticker.core.codes import Disconnected, StartError
from ticker.core.tick import Instrument

Url = Annotated[str, typer.Argument(help="The server.", envvar="TICKER_URL")]
Symbols = Annotated[
    str | None, typer.Option(help="Names and patterns, such as AAPL,BTC*,sector:Energy. [default: all]")
]
Token = Annotated[str | None, typer.Option(help="A bearer token.", envvar="TICKER_TOKEN", show_envvar=True)]
Ca = Annotated[Path | None, typer.Option(help="A certificate to trust on https, such as the development one.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0)]

DEFAULT_URL = "http://127.0.0.1:8000"


def make_request(url: str, symbols: str | None, token: str | None, ca: Path | None) -> Request:
    """Return what the options say.

    Raises:
        StartError: the URL or the certificate is wrong.
    """
    if not url.startswith(("http://", "https://")):
        raise StartError(f"{url} is no server's URL: it begins with http:// or https://")
    names = None if symbols is None else [name for name in symbols.split(",") if name]
    return Request(url, names, token=token, tls=_trust(ca))


def _trust(ca: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise StartError(f"{ca} can't be used as a certificate: {error.strerror or error}") from None


def absolute(ca: Path | None) -> str | None:
    """Return a certificate's path as a plan of load holds it: other processes may stand in other folders."""
    return None if ca is None else str(ca.resolve())


async def greet(request: Request) -> list[Instrument]:
    """Return the server's instruments, having seen that it is there and takes the symbols and the token.

    Raises:
        StartError: it is not, or does not; one sentence.
    """
    try:
        async with Api(request) as api:
            if request.symbols is not None:
                await api.snapshot()
            return await api.instruments()
    except Disconnected as error:
        hint = "" if error.reached else "; start one with `ticker serve`"
        raise StartError(f"no server answers at {request.url} ({error.message}){hint}") from None
    except ClientError as error:
        raise StartError(f"{request.url}: {error}") from None


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1200, "tick")
    '1,200 ticks'
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run until it is done or the process gets SIGINT or SIGTERM, which end it in order."""
    asyncio.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work, name="command")
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            loop.add_signal_handler(name, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
