"""Orphans: Quart's two connection classes, made to end everything that they began.

Quart 0.22 runs each request in two tasks. When its own task is cancelled, because the connection has died, it leaves
them alone: stream generators go on for ever without a client (hundreds after a rapid reset). Set the classes as
``app.asgi_http_class`` and ``app.asgi_websocket_class``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection
from quart.wrappers import Request

Receive = Callable[[], Awaitable[Any]]
"""Returns the next ASGI event of a connection."""

Send = Callable[[Any], Awaitable[None]]
"""Sends an ASGI event; returns when the client's buffer has room for another."""

# Methods whose body nobody reads. Quart would keep it as long as the stream that answers: 16 MiB for one request.
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "DELETE")


class HTTPConnection(ASGIHTTPConnection):
    """One HTTP request, whose tasks end with it."""

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Handle the request until the answer has been sent or the client has gone."""
        request = self._create_request_from_scope(send)
        receiver = asyncio.create_task(self.handle_messages(request, receive), name="http_receiver")
        await _until_one_ends(receiver, asyncio.create_task(self.handle_request(request, send), name="http_handler"))

    async def handle_messages(self, request: Request, receive: Receive) -> None:
        """Take the request's body, if its method has one, and the news that the client has gone."""

        async def receive_what_is_read() -> Any:
            event = await receive()
            return {**event, "body": b""} if request.method in WITHOUT_BODY else event

        await super().handle_messages(request, receive_what_is_read)


class WebSocketConnection(ASGIWebsocketConnection):
    """The handshake of one WebSocket, whose tasks end with it; then its connection is taken over."""

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Handle the handshake until the handler ends or the client has gone."""
        websocket = self._create_websocket_from_scope(send)
        receiver = asyncio.create_task(self.handle_messages(receive), name="websocket_receiver")
        await _until_one_ends(
            receiver, asyncio.create_task(self.handle_websocket(websocket, send), name="websocket_handler")
        )


async def _until_one_ends(*tasks: asyncio.Task[None]) -> None:
    """Wait until a task ends, or this one is cancelled; then end the others, and raise what a task failed with."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
