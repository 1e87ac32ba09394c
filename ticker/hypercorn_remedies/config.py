"""Config: the remedies that are settings of Hypercorn."""

from __future__ import annotations

import logging

from hypercorn.config import Config

from ticker.settings import Settings

# Seconds that a connection may idle between requests: longer than the 60 s of nginx's upstream keepalive, since the
# proxy must be the one to close, else it answers 502 now and then.
KEEP_ALIVE = 75.0


def make_config(settings: Settings) -> Config:
    """Return Hypercorn's settings.

    - ``keep_alive_max_requests`` is 1000: on HTTP/2 the 1,001st request makes a GOAWAY after which the streams that are
      open stay silent for ever. ``Http2`` has a budget of its own against floods.
    - ``read_timeout`` must be None: it would cut every client that only listens.
    - The access log writes ``%0a`` of a path as a newline: off.
    - The header ``Server`` tells attackers the version's defects: off.
    """
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("ticker.hypercorn")
    config.include_server_header = False
    config.keep_alive_max_requests = 10**9
    config.keep_alive_timeout = KEEP_ALIVE
    config.read_timeout = None
    config.h2_max_concurrent_streams = settings.h2_max_concurrent_streams
    return config
