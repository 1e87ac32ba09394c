"""Binance: the live market of an exchange, from its public combined streams."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException
from websockets.uri import parse_uri

from feeds import FeedContext, FeedOption, FeedType
from feeds.catalogue import Catalogue
from feeds.frames import TICK_STREAMS, decode_frame, describe_pair
from feeds.pace import Sleep
from ticker.core.codes import FeedError, StartError
from ticker.core.limits import Backoff
from ticker.core.tick import Bar, Instrument, Tick

ENDPOINT = "wss://stream.binance.com:9443"

# What the exchange allows on one connection.
STREAM_LIMIT = 1024
# Seconds after which a connection from which nothing came, or its handshake, counts as dead.
SILENCE = 30.0
# Microseconds after which a connection counts as stable, and the next wait is short again.
STABLE = 60_000_000
# A bookTicker has 150 bytes, a trade 200; what is much longer is no frame of ours.
FRAME_LIMIT = 64 * 1024
# Answers to a handshake that no later one would change: 451 is how the exchange refuses a whole country.
FINAL = frozenset({400, 401, 404, 405, 410, 451})

_SYMBOL = re.compile(r"[a-z0-9][a-z0-9._-]{0,19}", re.ASCII)

_log = logging.getLogger(__name__)


class Binance:
    """A feed that never ends: it connects again, with backoff, whatever happens to its connection.

    What the exchange sent meanwhile is not to be had again.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        context: FeedContext,
        endpoint: str = ENDPOINT,
        streams: Sequence[str] = TICK_STREAMS,
        *,
        random: Random | None = None,
        sleep: Sleep = asyncio.sleep,
        silence: float = SILENCE,
    ) -> None:
        """Take symbols in lower case; ``silence`` is in seconds.

        Raises:
            StartError: a symbol, a stream, or the endpoint is wrong.
        """
        self.name = f"binance:{','.join(symbols)}"
        self._uri = _uri(endpoint, symbols, streams)
        self._clock = context.clock
        self._sleep = sleep
        self._silence = silence
        self._backoff = Backoff(1, 2, 30, random or Random())
        # Frames received, those of them that were damaged or carry no tick, and connections that were made.
        self._counts = Counter(frames=0, damaged=0, skipped=0, connections=0)
        self._catalogue = Catalogue(describe_pair)
        for symbol in symbols:
            self._catalogue.expect(symbol.upper())
        self._symbols = frozenset(symbol.upper() for symbol in symbols)
        self.instruments: Sequence[Instrument] = self._catalogue.instruments

    def history(self) -> Iterable[list[Bar]]:
        """Return nothing: the streams begin now."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Return how many ``frames`` came, were ``damaged`` or ``skipped``, and over how many ``connections``."""
        return dict(self._counts)

    async def batches(self) -> AsyncIterator[list[Tick]]:
        """Yield each tick when its frame comes, for ever.

        Raises:
            FeedError: the exchange refuses for good.
        """
        while True:
            opened = self._clock()
            try:
                async with connect(
                    self._uri,
                    open_timeout=self._silence,
                    close_timeout=1,
                    ping_interval=None,  # silence is noticed without
                    max_size=FRAME_LIMIT,
                    compression=None,
                ) as connection:
                    self._counts["connections"] += 1
                    _log.info("%s: connected", self.name)
                    while True:
                        tick = await self._receive(connection)
                        if tick is not None:
                            yield [tick]
            except InvalidStatus as error:
                self._give_up_if_final(error)
                reason: Exception = error
            except (OSError, TimeoutError, WebSocketException) as error:
                reason = error
            await self._wait(opened, reason)

    async def _receive(self, connection: ClientConnection) -> Tick | None:
        """Wait for a frame and return its tick, if it carries one."""
        async with asyncio.timeout(self._silence):
            frame = await connection.recv(decode=False)
        self._counts["frames"] += 1
        try:
            tick = decode_frame(frame, self._clock())
            if tick is not None:
                self._learn(tick)
        except ValueError as error:
            self._count_damaged(error)
            return None
        self._counts["skipped"] += tick is None
        return tick

    def _learn(self, tick: Tick) -> None:
        if tick.symbol not in self._symbols:
            raise ValueError("a symbol that was not asked for")
        self._catalogue.observe(tick)
        self.instruments = self._catalogue.instruments

    def _count_damaged(self, error: ValueError) -> None:
        self._counts["damaged"] += 1
        if self._counts["damaged"] == 1:
            # The error's text may quote the frame: repr keeps its control characters out of the log.
            _log.warning("%s: a damaged frame is skipped, more are only counted: %r", self.name, str(error))

    def _give_up_if_final(self, error: InvalidStatus) -> None:
        status = error.response.status_code
        if status in FINAL:
            raise FeedError(f"{self.name}: the exchange refuses with HTTP status {status}") from error

    async def _wait(self, opened: int, reason: Exception) -> None:
        if self._clock() - opened >= STABLE:
            self._backoff.reset()
        wait = self._backoff.next()
        # Quoted, since the exchange may have a part in the text; a timeout has none.
        cause = str(reason) or type(reason).__name__
        _log.warning("%s: %r; connecting again in %.1f s", self.name, cause, wait)
        await self._sleep(wait)


def _uri(endpoint: str, symbols: Sequence[str], streams: Sequence[str]) -> str:
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            raise StartError(f"binance: {symbol!r} is no symbol: write them as binance:btcusdt,ethusdt")
    for stream in streams:
        if stream not in TICK_STREAMS:
            raise StartError(f"binance: unknown stream {stream!r}: there are {', '.join(TICK_STREAMS)}")
    names = [f"{symbol}@{stream}" for symbol in symbols for stream in streams]
    if len(names) > STREAM_LIMIT:
        raise StartError(f"binance: {len(names)} streams are too many: {STREAM_LIMIT} is the limit of a connection")
    uri = f"{endpoint.rstrip('/')}/stream?streams={'/'.join(names)}"
    try:
        parse_uri(uri)
    except InvalidURI:
        raise StartError(f"binance: url is a WebSocket endpoint such as {ENDPOINT}") from None
    return uri


def _open(path: str, query: dict[str, str], context: FeedContext) -> Binance:
    symbols = dict.fromkeys(path.lower().split(","))
    streams = dict.fromkeys(query.get("streams", ",".join(TICK_STREAMS)).split(","))
    return Binance(list(symbols), context, query.get("url", ENDPOINT), list(streams))


BINANCE = FeedType(
    scheme="binance",
    summary="the live market of Binance, from its public streams",
    usage="binance:btcusdt,ethusdt?streams=bookTicker,trade",
    options=(
        FeedOption("streams", ",".join(TICK_STREAMS), "which streams of each symbol"),
        FeedOption("url", ENDPOINT, "another WebSocket endpoint of the same interface"),
    ),
    open=_open,
)
