"""Http1: one HTTP/1.1 connection, until it turns out to speak HTTP/2."""

from __future__ import annotations

from typing import cast

import h11
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H2ProtocolAssumedError, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream

from ticker.hypercorn_remedies.websocket import WebSocket

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"


class Http1(H11Protocol):
    """HTTP/1.1 with the remedies of ``WebSocket``, and without the upgrade to h2c.

    Hypercorn obeys ``Upgrade: h2c``, which RFC 9113 took out of HTTP/2, and a wrong ``HTTP2-Settings`` in it is an
    exception that ends the connection with a traceback. The header is ignored, as RFC 9110 7.8 allows; HTTP/2 without
    TLS works by prior knowledge.
    """

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI" and event.target == b"*" and event.http_version == b"2.0":
            raise H2ProtocolAssumedError(PREFACE + cast(h11.Connection, self.connection).trailing_data[0])

    async def _create_stream(self, request: h11.Request) -> None:
        kind = WebSocket if _asks_for_websocket(request) else HTTPStream
        self.stream = kind(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        if kind is WebSocket:
            self.connection = H11WSConnection(cast(h11.Connection, self.connection))
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1


def _asks_for_websocket(request: h11.Request) -> bool:
    headers = {name.lower(): value.strip().lower() for name, value in request.headers}
    tokens = [token.strip() for token in headers.get(b"connection", b"").split(b",")]
    return request.method == b"GET" and b"upgrade" in tokens and headers.get(b"upgrade") == b"websocket"
