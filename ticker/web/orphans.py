"""Orphans: Quart's two connection classes, made to end everything that they began and to bound what they keep.

Quart 0.22 runs each request in two tasks. When its own task is cancelled, because the connection has died, it leaves
them alone: stream generators go on for ever without a client (hundreds after a rapid reset). Set the classes as
``app.asgi_http_class`` and ``app.asgi_websocket_class``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from quart import Quart
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection
from quart.wrappers import Request

from ticker.core.codes import Close

Receive = Callable[[], Awaitable[Any]]
"""Returns the next ASGI event of a connection."""

Send = Callable[[Any], Awaitable[None]]
"""Sends an ASGI event; returns when the client's buffer has room for another."""

# What may wait for a WebSocket's handler. Quart's queue has no limit: a flood made +747 MB in 2 s.
INBOX_MESSAGES, INBOX_SIZE = 256, 4 * 1024 * 1024
# Seconds to get a close frame through to a client that floods and may not read.
CLOSE_TIMEOUT = 1.0


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
    """One WebSocket, whose tasks end with it, whose inbox is bounded, and on which an empty message arrives as b""."""

    def __init__(self, app: Quart, scope: Any) -> None:
        super().__init__(app, scope)
        self.queue: Inbox = Inbox()

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Handle the WebSocket until the handler ends or the client has gone."""
        websocket = self._create_websocket_from_scope(send)
        receiver = asyncio.create_task(self._receive_all(receive, send), name="websocket_receiver")
        await _until_one_ends(
            receiver, asyncio.create_task(self.handle_websocket(websocket, send), name="websocket_handler")
        )

    async def _receive_all(self, receive: Receive, send: Send) -> None:
        """Fill the inbox; on overflow close, since a receiver that waits would not see the client go."""
        while (event := await receive())["type"] != "websocket.disconnect":
            if event["type"] == "websocket.receive":
                data = event.get("bytes")
                self.queue.put_nowait(event["text"] or "" if data is None else data)
            if self.queue.is_flooded:
                # RuntimeError: the handler has closed it already.
                with suppress(TimeoutError, RuntimeError):
                    async with asyncio.timeout(CLOSE_TIMEOUT):
                        await self.close_connection(send, Close.RATE_LIMITED, "rate_limited")
                return


class Inbox(asyncio.Queue[str | bytes]):
    """Messages that wait for a WebSocket's handler, and their size."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        # Of all messages, in characters or bytes.
        self._size = 0

    def _put(self, item: str | bytes) -> None:
        super()._put(item)
        self._size += len(item)

    def _get(self) -> str | bytes:
        item = super()._get()
        self._size -= len(item)
        return item

    @property
    def is_flooded(self) -> bool:
        """True if more waits than may."""
        return self.qsize() > INBOX_MESSAGES or self._size > INBOX_SIZE


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
