"""WebSocket: the handshake of one WebSocket of a client, over HTTP/1.1 or HTTP/2."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hypercorn.protocol.events import Body, Data, EndBody, Request, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ASGISendEvent

# Bytes that may come between the acceptance and the take-over, which follows at once.
HELD = 1024 * 1024


class WebSocket(WSStream):
    """A WebSocket up to the moment at which it is taken over, with these remedies.

    - Hypercorn always accepts permessage-deflate: 93 kB per connection, and 204 kB on the wire became 245 MB before the
      limit of a message was looked at. The header is taken away, so nothing is compressed.
    - It sends pings and never looks for pongs, answers a frame against the protocol but goes on, and keeps what a
      client sends without a limit: frames are not its business any more, see ``ticker.lane.Socket``.
    - It leaves a refused handshake, bytes before the acceptance and a stream that the peer has ended (HTTP/2) as they
      are, with the connection's idle timer off: now the stream is closed.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # What has come since the acceptance, for whoever takes the stream over.
        self.held: list[bytes] = []

    async def handle(self, event: StreamEvent) -> None:
        """Take an event from the connection."""
        if isinstance(event, Request):
            headers = [header for header in event.headers if header[0].lower() != b"sec-websocket-extensions"]
            await super().handle(replace(event, headers=headers))
            if self.closed:
                await self._end()
        elif isinstance(event, Body | Data) and self.handshake.accepted:
            self.held.append(bytes(event.data))
            if sum(map(len, self.held)) > HELD:
                await self._end()
        elif isinstance(event, EndBody | Body | Data):
            await self._end()
        else:
            await super().handle(event)

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Take an event from the app."""
        if self.closed:
            # An app that sends in a loop must not keep everyone else from running, its own cancellation neither.
            await asyncio.sleep(0)
        await super().app_send(message)

    async def _end(self) -> None:
        await self.send(StreamClosed(stream_id=self.stream_id))
