"""Plan: what clients are to do. It travels as JSON to the processes that do it."""

from __future__ import annotations

import ssl
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from ticker.client import Request
from ticker.core.cursor import Cursor


class Way(StrEnum):
    """How ticks travel."""

    sse = "sse"
    websocket = "websocket"
    msgpack = "msgpack"
    long_poll = "long-poll"
    poll = "poll"

    @property
    def is_poll(self) -> bool:
        """Whether a client asks again and again."""
        return self in (Way.poll, Way.long_poll)


# The most ticks that one answer may hold, and the seconds that a server may wait with it: the most of the contract.
POLL_LIMIT = 10_000
LONG_POLL_WAIT = 25


class Plan(msgspec.Struct, frozen=True):
    """Some clients of one server."""

    url: str
    way: Way
    clients: int
    # Names and patterns; None is every tick of the market.
    symbols: list[str] | None = None
    token: str | None = None
    # A certificate to trust.
    ca: str | None = None
    # Connections that are opened in a second.
    connect_rate: float = 200.0
    # How often a client is cut, in times a minute, and the seconds that it stays away.
    cuts: float = 0.0
    away: float = 1.0
    # Seconds between two polls.
    interval: float = 1.0
    # Whether clients come back without their cursor.
    forgets: bool = False
    seed: int = 1
    # The number of the first client, where several processes share the work.
    first: int = 0

    def context(self) -> ssl.SSLContext | None:
        """Return what to trust on https."""
        if not self.url.startswith("https:"):
            return None
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def request(self) -> Request:
        """Return the same for the client's own requests."""
        context = self.context() if self.ca is not None else None
        return Request(self.url, self.symbols, token=self.token, tls=context)


class Address(NamedTuple):
    """Where to connect to."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """Return that of a URL."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


class RequestHead(NamedTuple):
    """The head of a client's requests, in the pieces between which its cursor and its patience go."""

    before: bytes
    after: bytes

    def at(self, cursor: Cursor | None, wait: int | None) -> bytes:
        """Return the head of a request from a place, None for now; ``wait`` is that of a poll, in seconds."""
        patience = b"" if wait is None else b"&wait=%d" % wait
        return b"%b%b%b%b" % (self.before, str(cursor or "latest").encode(), patience, self.after)


def make_head(plan: Plan, session: str) -> RequestHead:
    """Return the head of a client's requests, without the empty line at its end."""
    request = Request(plan.url, plan.symbols, token=plan.token, session=session, batch=not plan.way.is_poll)
    parts, query = urlsplit(plan.url), request.query(None)
    if plan.way.is_poll:
        query["limit"] = str(POLL_LIMIT)
    path = f"{parts.path.rstrip('/')}{_PATHS[plan.way]}?{urlencode(query, safe='*,/:')}&cursor="
    headers = {"Host": parts.netloc.rpartition("@")[2], **request.headers(), "Accept": _ACCEPTS[plan.way]}
    if plan.way in (Way.websocket, Way.msgpack):
        headers |= _UPGRADE | {
            "Sec-WebSocket-Protocol": f"ticker.v1.{'msgpack' if plan.way is Way.msgpack else 'json'}"
        }
    lines = [" HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return RequestHead(f"GET {path}".encode(), "\r\n".join(lines).encode())


_PATHS = {
    Way.sse: "/v1/stream",
    Way.websocket: "/v1/ws",
    Way.msgpack: "/v1/ws",
    Way.long_poll: "/v1/poll",
    Way.poll: "/v1/poll",
}
_ACCEPTS = {
    Way.sse: "text/event-stream",
    Way.websocket: "*/*",
    Way.msgpack: "*/*",
    Way.long_poll: "application/json",
    Way.poll: "application/json",
}
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
