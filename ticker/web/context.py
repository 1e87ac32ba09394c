"""Context: what a request handler finds of the process and of the client."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, cast

from quart import Request, Websocket, current_app, has_websocket_context, request, websocket
from werkzeug.datastructures import Headers

from ticker.core.codes import RequestError
from ticker.lane import TakeOver
from ticker.node import Node
from ticker.web.connection import Connection

EXTENSION = "ticker"


class Client(NamedTuple):
    """Who asks, and what that allows; outlives the request on a connection that is taken over."""

    principal: str
    # Whether the client is on this machine.
    is_local: bool


_LOOPBACK = re.compile(r"(::ffff:)?127\..*|::1")


def node() -> Node:
    """Return the node that serves this request."""
    return cast(Node, current_app.extensions[EXTENSION])


def current() -> Request | Websocket:
    """Return the request or the handshake that is being served."""
    return websocket if has_websocket_context() else request


def connection() -> Connection:
    """Return the TCP connection of this request; one of its own where no server has made one, as in tests."""
    return cast("Connection | None", _state().get("connection")) or Connection(None, False)


def abort() -> Callable[[], None]:
    """Return what cuts this request as a network would: its stream on HTTP/2, else its connection."""
    return cast("Callable[[], None] | None", _state().get("abort")) or connection().abort


def take_over() -> TakeOver:
    """Return what takes this request's connection, or its stream on HTTP/2, away from the web server."""
    return cast(TakeOver, _state()["take_over"])


def _state() -> dict[str, object]:
    return cast("dict[str, dict[str, object]]", current().scope).get("state", {})


def address() -> str:
    """Return the client's address."""
    return current().remote_addr or "unknown"


def principal() -> str:
    """Return who the client is: without credentials, its address."""
    return address()


def is_local() -> bool:
    """Whether the client is on this machine."""
    return _LOOPBACK.fullmatch(address()) is not None


def client() -> Client:
    """Return who asks."""
    return Client(principal(), is_local())


def accepts(*types: str) -> str:
    """Return which of our content types the client likes best.

    Raises:
        RequestError: it takes none of them (``not_acceptable``).
    """
    if not request.headers.get("Accept"):
        return types[0]
    best = request.accept_mimetypes.best_match(types)
    if best is None:
        raise RequestError("not_acceptable", f"this answers with {' or '.join(types)}", "Accept")
    return best


def is_own_origin(headers: Headers) -> bool:
    """Whether a request comes from one of our own pages, or from none.

    Host and port are compared, not the scheme, which a proxy changes.
    """
    origin = headers.get("Origin")
    if origin is None or origin in node().settings.origins:
        return True
    _, _, host = origin.partition("://")
    return host != "" and host == headers.get("Host")
