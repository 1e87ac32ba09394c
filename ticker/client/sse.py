"""EventStream: a data connection over Server-Sent Events (PROTOCOL.md section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx

from ticker.client.exchange import ERROR_LIMIT, answer_error, lost, read_body
from ticker.client.messages import Event, read_event
from ticker.client.request import Request
from ticker.core.codes import Disconnected
from ticker.core.eventstream import EventStreamParser, ServerEvent


class EventStream:
    """One stream of events. Bytes are taken from the socket only when ``receive`` has no event left."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._http = request.http()
        self._parser = EventStreamParser()
        # Events that have come with the last chunk and were not asked for yet.
        self._events: Iterator[ServerEvent] = iter(())
        self._chunks: AsyncIterator[bytes]

    async def open(self, cursor: str | None) -> None:
        """Connect and resume after ``cursor``.

        Raises:
            Disconnected: no stream now.
            ClientError: no stream ever, with the server's reason.
        """
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        url, query = self._request.address("/v1/stream"), self._request.query(cursor)
        try:
            request = self._http.build_request("GET", url, params=query, headers=headers)
            response = await self._http.send(request, stream=True)
            if response.status_code != 200:
                raise answer_error(response.status_code, response.headers, await read_body(response, ERROR_LIMIT))
        except httpx.TransportError as error:
            raise lost(error) from error
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Disconnected("no_stream", "the answer is no event stream")
        self._chunks = response.aiter_raw()

    async def receive(self) -> Event:
        """Return the next event.

        Raises:
            Disconnected: the stream has ended.
            Violation: it breaks the contract.
        """
        while True:
            for event in self._events:
                message = read_event(event)
                if message is not None:
                    return message
            self._parser.feed(await self._chunk())
            self._events = self._parser.events()

    async def _chunk(self) -> bytes:
        try:
            chunk = await anext(self._chunks, None)
        except (httpx.TransportError, httpx.StreamError) as error:
            raise lost(error) from error
        if chunk is None:
            raise Disconnected("cut", "the stream has ended")
        return chunk

    async def close(self) -> None:
        """Close the socket at once."""
        await self._http.aclose()
