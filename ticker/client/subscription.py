"""Subscription: what ``subscribe`` returns, an async iterator of market data that survives every cut."""

from __future__ import annotations

import asyncio
import random as random_module
import ssl
from collections.abc import AsyncGenerator, Sequence
from secrets import token_urlsafe
from typing import Self, cast

from ticker.client.follower import Follower, Item, State, Statistics
from ticker.client.request import Codec, Request, Token
from ticker.client.stream import CONNECTIONS, Stream, Transport
from ticker.core.codes import BadRequest
from ticker.core.cursor import Cursor

# Cursors that are words: the place before the oldest kept tick, and now.
RESERVED = ("earliest", "latest")


class Subscription:
    """Market data, item by item; made by ``subscribe``.

    Leave an ``async for`` early only inside ``async with``, or call ``aclose``: else the connection lasts until the
    object is collected. A cancelled ``anext`` closes the connection too; the next one resumes after the last item.
    """

    def __init__(self, stream: Stream, session: str) -> None:
        # The session's id on the server.
        self.session = session
        self._stream = stream
        # The running generator; a new one takes over after a cancellation. It doesn't know this object, so that
        # dropping the subscription drops the generator, and the loop closes that.
        self._items: AsyncGenerator[Item, None] | None = None
        self._closed = False
        # The task that waits for an item, so that closing can wake it.
        self._consumer: asyncio.Task[object] | None = None
        # Held while a consumer waits: closing is done when it has gone.
        self._busy = asyncio.Lock()

    @property
    def cursor(self) -> str | None:
        """The place to resume from: behind the last item, or the last batch or heartbeat if nothing came since."""
        position = self._stream.follower.position
        return None if position is None else str(position)

    @property
    def state(self) -> State:
        """What the subscription is doing."""
        return self._stream.follower.state

    @property
    def transport(self) -> Transport:
        """The transport in use, or to be tried next."""
        return self._stream.transport

    @property
    def statistics(self) -> Statistics:
        """Counts since the subscription began."""
        return self._stream.follower.statistics

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """Return the next item.

        Raises:
            StopAsyncIteration: the subscription is closed.
            ClientError: the server refused for good, or another connection took the session.
        """
        async with self._busy:
            if self._closed:
                raise StopAsyncIteration
            self._consumer = asyncio.current_task()
            try:
                return await self._next()
            except asyncio.CancelledError:
                if self._woken():
                    raise StopAsyncIteration from None
                raise
            finally:
                self._consumer = None

    async def _next(self) -> Item:
        if self._items is None:
            self._items = cast(AsyncGenerator[Item, None], self._stream.items())
        try:
            return await anext(self._items)
        except asyncio.CancelledError:
            self._items = None
            raise
        except Exception:
            self._closed = True
            raise

    def _woken(self) -> bool:
        """Return whether ``aclose`` alone cancelled the wait, and take its cancellation back."""
        return self._closed and self._consumer is not None and self._consumer.uncancel() == 0

    async def aclose(self) -> None:
        """Close the connection at once; a consumer that waits gets the end of the iteration. Twice does nothing."""
        self._closed = True
        if self._consumer is not None and self._consumer is not asyncio.current_task():
            self._consumer.cancel()
        async with self._busy:
            self._stream.follower.state = "closed"
            if self._items is not None:
                await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def subscribe(
    url: str,
    symbols: Sequence[str] | None = None,
    *,
    types: Sequence[str] = ("quote", "trade"),
    interval: str = "1m",
    cursor: str | None = None,
    batch: bool = True,
    conflate: int = 0,
    token: Token | None = None,
    transports: Sequence[Transport] = ("sse", "websocket", "poll"),
    snapshots: bool = False,
    session: str | None = None,
    codec: Codec = "json",
    tls: ssl.SSLContext | None = None,
    random: random_module.Random | None = None,
) -> Subscription:
    """Subscribe to a market, such as ``subscribe("http://localhost:8000", ["AAPL", "BTC*"])``.

    Nothing is sent before the first ``anext``. The subscription reconnects, resumes and changes its transport by
    itself, for ever; what can't be replayed is yielded as a ``Gap``.

    Args:
        url: where the server is, ``http`` or ``https``.
        symbols: names and patterns such as ``BTC*`` or ``sector:Energy``; None is every symbol.
        types: of ``quote``, ``trade`` and ``bar``.
        interval: of bars: 1s, 5s, 15s, 1m, 5m, 15m or 1h.
        cursor: where to resume: an earlier subscription's ``cursor``, ``earliest``, or ``latest``. None is now, after
            a snapshot.
        batch: let the server send several ticks in one event: less work for both.
        conflate: milliseconds of a window of which only the newest quote per symbol is sent; 0 is every tick.
        token: a bearer token, or a function that returns one.
        transports: which to use, in this order.
        snapshots: yield a ``Snapshot`` too at the beginning, after a gap, and for symbols that are added.
        session: the session's id, to control it from elsewhere; else a random one.
        codec: of a WebSocket's messages: ``json`` or ``msgpack``.
        tls: what to trust on https, such as a development certificate.
        random: where the jitter comes from.

    Raises:
        BadCursor: ``cursor`` is none.
        BadRequest: a transport that does not exist, or a URL that is not http.
    """
    if not transports or not set(transports) <= set(CONNECTIONS):
        raise BadRequest(f"transports are some of {', '.join(CONNECTIONS)}", "transports")
    if not url.startswith(("http://", "https://")):
        raise BadRequest("a URL begins with http:// or https://", "url")
    session = session or token_urlsafe(16)
    names = None if symbols is None else [symbols] if isinstance(symbols, str) else list(symbols)
    start = cursor if cursor in RESERVED else None
    position = Cursor.parse(cursor) if cursor and start is None else None
    request = Request(url, names, tuple(types), interval, batch, conflate, session, token, codec, tls)
    follower = Follower(position, snapshots=snapshots)
    return Subscription(Stream(request, follower, transports, random or random_module.Random(), start), session)
