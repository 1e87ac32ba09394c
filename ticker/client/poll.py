"""Poll: a data connection by long polling (PROTOCOL.md section 6)."""

from __future__ import annotations

import httpx

from ticker.client.messages import Event, read_page
from ticker.client.request import Request, answer_error, unreachable
from ticker.client.sse import read_body
from ticker.core.codes import Disconnected, Violation
from ticker.core.eventstream import EVENT_LIMIT

# Seconds that the server may wait for a tick: the most that the contract allows.
WAIT = 25


class Poll:
    """Polls one after the other. The first asks for what is there now, so that it shows at once whether this works."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._http = request.http()
        self._cursor: str | None = None
        self._wait = 0

    async def open(self, cursor: str | None) -> None:
        """Begin after ``cursor``; nothing is sent yet."""
        self._cursor = cursor

    async def receive(self) -> Event:
        """Return the answer to the next poll.

        Raises:
            Disconnected: no answer now.
            ClientError: no answer ever, with the server's reason.
            Violation: the answer breaks the contract.
        """
        status, headers, body = await self._ask(self._request.query(self._cursor) | {"wait": str(self._wait)})
        if status != 200:
            raise answer_error(status, headers, body)
        page = read_page(body)
        self._cursor, self._wait = page.cursor, WAIT
        return page

    async def _ask(self, query: dict[str, str]) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with self._http.stream("GET", self._request.address("/v1/poll"), params=query) as response:
                body = await read_body(response, 2 * EVENT_LIMIT)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise unreachable(error) from error
        except httpx.TransportError as error:
            raise Disconnected("cut", str(error) or type(error).__name__) from error
        if len(body) >= 2 * EVENT_LIMIT:
            raise Violation(f"an answer of more than {2 * EVENT_LIMIT} bytes")
        return response.status_code, response.headers, body

    async def close(self) -> None:
        """Close the socket at once."""
        await self._http.aclose()
