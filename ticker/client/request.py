"""Request: what a client asks of a server, and how it says so on each transport."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

# Seconds in which a transport must have answered, else another is tried.
OPEN_TIMEOUT = 4.0

Codec = Literal["json", "msgpack"]
"""How a WebSocket's messages are written."""

Token = str | Callable[[], str]
"""A bearer token, or what returns the newest one: it is asked at each connection."""


@dataclass(frozen=True)
class Request:
    """A server, what is wanted of it, and as whom."""

    # Where the server is, such as ``http://localhost:8000``.
    url: str
    # Names and patterns; None is every symbol.
    symbols: Sequence[str] | None = None
    types: Sequence[str] = ("quote", "trade")
    # Of bars.
    interval: str = "1m"
    batch: bool = True
    # Width of a window in milliseconds, 0 for every tick.
    conflate: int = 0
    # The session's id, which tells the server that a connection goes on with another.
    session: str | None = None
    token: Token | None = None
    codec: Codec = "json"
    # What to trust on https; None is the system's authorities.
    tls: ssl.SSLContext | None = None

    @property
    def secure(self) -> bool:
        """True if the server is spoken to over TLS."""
        return self.url.startswith("https:")

    def address(self, path: str) -> str:
        """Return the URL of a path such as ``/v1/stream``."""
        return self.url.rstrip("/") + path

    def query(self, cursor: str | None) -> dict[str, str]:
        """Return the parameters of a data connection; the same each time, so that the session's state holds."""
        symbols = "*" if self.symbols is None else ",".join(self.symbols)
        query = {"symbols": symbols, "types": ",".join(self.types), "interval": self.interval}
        query["conflate"] = str(self.conflate)
        optional = {"batch": "1" if self.batch else "", "session": self.session or "", "cursor": cursor or ""}
        return query | {name: value for name, value in optional.items() if value}

    def headers(self) -> dict[str, str]:
        """Return the credential's header, if there is one."""
        token = self.token() if callable(self.token) else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def http(self) -> httpx.AsyncClient:
        """Return an HTTP client of its own: closing it closes the socket at once, on HTTP/2 too.

        HTTP/2 is spoken over TLS only. The read timeout is the caller's.
        """
        verify = (self.tls or ssl.create_default_context()) if self.secure else False
        timeout = httpx.Timeout(OPEN_TIMEOUT, read=None)
        return httpx.AsyncClient(http2=self.secure, verify=verify, timeout=timeout, headers=self.headers())
