"""Connection: what the server lets the app know of the TCP connection that a request came on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Connection:
    """One TCP connection; every request on it finds it as ``scope["state"]["connection"]``."""

    # The peer's address and port, None where the socket has none.
    peer: tuple[str, int] | None
    # True if the connection is encrypted.
    tls: bool
    # "1.1", or "2" once the client has shown that it speaks HTTP/2.
    http_version: str = "1.1"
    # Event streams that are open on it; the app counts them, to leave room for requests beside them on HTTP/2.
    event_streams: int = 0
    # Cuts the connection at once, with all that it carries.
    abort: Callable[[], None] = lambda: None
