"""Stream: one data connection after the other, each going on where the last one ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Literal, Protocol

from ticker.client.follower import Follower, Item
from ticker.client.messages import Ack, Bye, Event, Failure, Hello, Refusal
from ticker.client.poll import Poll
from ticker.client.request import OPEN_TIMEOUT, Request
from ticker.client.sse import EventStream
from ticker.client.websocket import WebSocket
from ticker.core.codes import ClientError, Disconnected, Violation
from ticker.core.limits import Backoff

Transport = Literal["sse", "websocket", "poll"]
"""A way to a server."""

# Seconds after which a connection counts as stable, and waits begin small again.
STABLE = 60.0

# Seconds between two events at most, until a hello names its own: PROTOCOL.md section 4.
HEARTBEAT = 15.0

# Failures in a row after which another transport is tried.
FAILURES_LIMIT = 2

# Errors of an op that pass.
TEMPORARY = frozenset({"rate_limited", "too_many", "not_ready"})

_log = logging.getLogger("ticker.client")


class Connection(Protocol):
    """A transport's connection, new for each attempt."""

    async def open(self, cursor: str | None) -> None:
        """Connect and resume after ``cursor``."""

    async def receive(self) -> Event:
        """Return the next message."""

    async def close(self) -> None:
        """Close it, also if it is not open."""


CONNECTIONS: dict[Transport, type[EventStream] | type[WebSocket] | type[Poll]] = {
    "sse": EventStream,
    "websocket": WebSocket,
    "poll": Poll,
}


class Stream:
    """Keeps a follower fed: connects, watches, waits, resumes, changes the transport.

    Nothing is read ahead: a message is taken from the socket when the consumer asks for more than the last one gave.
    """

    def __init__(
        self,
        request: Request,
        follower: Follower,
        transports: Sequence[Transport],
        random: Random,
        start: str | None = None,
    ) -> None:
        """``start`` is the reserved word to begin with where the follower has no position."""
        self.follower = follower
        self._request = request
        self._transports = transports
        self._random = random
        self._start = start
        self._backoff = Backoff(1.0, 1.5, 30.0, random)
        # Which of the transports is used, its failures in a row, and whether more than a hello came this time.
        self._index = 0
        self._failures = 0
        self._delivered = False
        # Seconds between two events at most, as the server said.
        self._heartbeat = HEARTBEAT
        # Connections that opened, and when the present one did, in the loop's time; None while there is none.
        self._connections = 0
        self._opened: float | None = None

    @property
    def transport(self) -> Transport:
        """The transport that is used, or will be tried next."""
        return self._transports[self._index]

    async def items(self) -> AsyncIterator[Item]:
        """Yield items for ever. Closing the generator, or cancelling it, closes the connection.

        Raises:
            ClientError: there is no coming back; the text has the server's reason.
        """
        while True:
            connection: Connection = CONNECTIONS[self.transport](self._request)
            try:
                message = await self._open(connection)
                while True:
                    self._heed(message)
                    for item in self.follower.receive(message):
                        yield item
                    message = await self._receive(connection)
            except (Disconnected, Violation) as error:
                wait = self._fail(error)
            except ClientError:
                self.follower.state = "closed"
                raise
            finally:
                await connection.close()
            await asyncio.sleep(wait)

    async def _open(self, connection: Connection) -> Event:
        """Return the first message: before it, nothing shows that a transport gets through."""
        position = self.follower.position
        self._delivered = False
        self.follower.begin()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await connection.open(str(position) if position is not None else self._start)
                message = await connection.receive()
        except TimeoutError as error:
            self._failures = FAILURES_LIMIT
            raise Disconnected("timeout", f"nothing came in {OPEN_TIMEOUT:g} s") from error
        self.follower.statistics.reconnects += self._connections > 0
        self._connections += 1
        self._opened = asyncio.get_running_loop().time()
        _log.info("connected to %s over %s at %s", self._request.url, self.transport, position)
        return message

    async def _receive(self, connection: Connection) -> Event:
        """Return the next message; two heartbeats without one mean that the connection is dead."""
        try:
            async with asyncio.timeout(2 * self._heartbeat):
                return await connection.receive()
        except TimeoutError as error:
            raise Disconnected("silent", f"nothing came in {2 * self._heartbeat:g} s") from error

    def _heed(self, message: Event) -> None:
        """Act on what is meant for the connection and not for the consumer."""
        match message:
            case Hello(heartbeat=heartbeat):
                self._heartbeat = heartbeat or HEARTBEAT
            case Bye(reconnect=False, reason=reason):
                raise ClientError(reason, "another connection has taken this session")
            case Bye(reason=reason, retry=retry):
                raise Disconnected("bye", reason, retry / 1000)
            case Refusal(code=code, retry_after=wait):
                raise Disconnected(code, "the server asks for patience", wait)
            case Failure(code=code, message=text, retry_after=wait) if code in TEMPORARY:
                raise Disconnected(code, text, wait or 1.0)
            case Failure(code=code, message=text, field=field):
                raise ClientError(code, text, field)
            case Ack():
                pass
            case _:
                self._delivered = True

    def _fail(self, error: Disconnected | Violation) -> float:
        """Take note of the end of a connection; return the seconds to wait before the next."""
        now = asyncio.get_running_loop().time()
        if self._opened is not None and now - self._opened >= STABLE:
            self._backoff.reset()
        self._opened = None
        if isinstance(error, Violation):
            self.follower.statistics.violations += 1
        _log.log(logging.WARNING if isinstance(error, Violation) else logging.INFO, "%s: %s", self.transport, error)
        wait = error.retry_after if isinstance(error, Disconnected) else None
        if wait is not None:
            return self._wait_as_told(error.code, wait)
        self.follower.state = "reconnecting"
        self._change_transport(error)
        return self._backoff.next()

    def _wait_as_told(self, code: str, wait: float) -> float:
        """Return how long to stay away: a farewell's time is jittered by the server, a refusal's is here."""
        self.follower.state = "reconnecting" if code == "bye" else "refused"
        return wait if code == "bye" else max(wait, 0.1) * self._random.uniform(1, 1.25)

    def _change_transport(self, error: Disconnected | Violation) -> None:
        """Pass over a transport that did not open in time, or failed twice in a row.

        One that had delivered before it was cut did not fail, and a server that is not there at all says nothing.
        """
        if isinstance(error, Disconnected) and not error.reached:
            return
        self._failures = 0 if self._delivered else self._failures + 1
        if self._failures >= FAILURES_LIMIT:
            self._index = (self._index + 1) % len(self._transports)
            self._failures = 0
