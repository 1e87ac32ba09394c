"""Poll: a data connection by long polling (PROTOCOL.md section 6)."""

from __future__ import annotations

from ticker.client.exchange import exchange
from ticker.client.messages import Event, read_page
from ticker.client.request import Request

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
        query = self._request.query(self._cursor) | {"wait": str(self._wait)}
        page = read_page(await exchange(self._http, "GET", self._request.address("/v1/poll"), params=query))
        self._cursor, self._wait = page.cursor, WAIT
        return page

    async def close(self) -> None:
        """Close the socket at once."""
        await self._http.aclose()
