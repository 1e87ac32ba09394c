"""WebSocket: one WebSocket of a client, over HTTP/1.1 or HTTP/2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from hypercorn.protocol.events import Body, Data, EndBody, Request, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.ws_stream import FrameTooLargeError, WSStream
from hypercorn.typing import ASGISendEvent
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.events import Event as SocketEvent
from wsproto.utilities import LocalProtocolError

from ticker.core.codes import Close


class Reply(Data):
    """Bytes that the reading side of a WebSocket answers with; sending them must never wait (see ``Http2``)."""


class WebSocket(WSStream):
    """A WebSocket with these remedies.

    - Hypercorn always accepts permessage-deflate: 93 kB per connection, and 204 kB on the wire became 245 MB before the
      limit of a message was looked at. The header is taken away, so nothing is compressed.
    - It sends pings and never looks for pongs: a peer that vanished behind a proxy stays for ever. One from which
      nothing came for 7/3 of the interval of pings (35 s of 15) is closed with 4009.
    - It answers a frame against the protocol, or a message too big, without or with a close frame, but goes on: now the
      close frame has the right code and the app is told at once.
    - It leaves a refused handshake, bytes before the acceptance and a stream that the peer has ended (HTTP/2) as they
      are, with the connection's idle timer off: now the stream is closed.
    """

    # When the peer was last heard, on the loop's clock.
    _heard = 0.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Set when the stream is closed; ends the pings.
        self._gone = asyncio.Event()

    async def handle(self, event: StreamEvent) -> None:
        """Take an event from the connection."""
        if isinstance(event, Request):
            await self._request(event)
        elif isinstance(event, EndBody) or (isinstance(event, Body | Data) and not self.handshake.accepted):
            await self._end()
        else:
            self._heard = self.context.time()
            await super().handle(event)
            if isinstance(event, StreamClosed):
                self._gone.set()

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Take an event from the app."""
        if self.closed:
            # An app that sends in a loop must not keep everyone else from running, its own cancellation neither.
            await asyncio.sleep(0)
        await super().app_send(message)

    async def _request(self, event: Request) -> None:
        headers = [header for header in event.headers if header[0].lower() != b"sec-websocket-extensions"]
        self._heard = self.context.time()
        await super().handle(replace(event, headers=headers))
        if self.closed:
            await self._end()

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, Message):
                await self._message(event)
            elif isinstance(event, Ping):
                await self._reply(event.response())
            elif isinstance(event, CloseConnection):
                await self._peer_closes(event)
            if self.closed:
                break

    async def _message(self, event: Message[Any]) -> None:
        try:
            self.buffer.extend(event)
        except FrameTooLargeError:
            await self._fail(Close.TOO_BIG, "message too big")
            return
        if event.message_finished:
            await cast(Callable[..., Any], self.app_put)(self.buffer.to_message())
            self.buffer.clear()

    async def _peer_closes(self, event: CloseConnection) -> None:
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._reply(event.response())
        elif self.connection.state is ConnectionState.OPEN:
            # wsproto found a frame that breaks the protocol; the event has the code to close with.
            await self._reply(CloseConnection(code=event.code, reason=event.reason))
        await self._end()

    async def _fail(self, code: int, reason: str) -> None:
        await self._reply(CloseConnection(code=code, reason=reason))
        await self._end()

    async def _reply(self, event: SocketEvent) -> None:
        with suppress(LocalProtocolError):
            await self.send(Reply(stream_id=self.stream_id, data=self.connection.send(event)))

    async def _end(self) -> None:
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _send_pings(self) -> None:
        interval = cast(float, self.config.websocket_ping_interval)
        while not self.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._gone.wait()
            if self.context.time() - self._heard > interval * 7 / 3:
                await self._fail(Close.HEARTBEAT_TIMEOUT, "heartbeat_timeout")
            elif not self.closed:
                await self._send_wsproto_event(Ping())
