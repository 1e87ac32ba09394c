"""Feeding: runs the feeds of this process and publishes what they bring; one that dies is opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

import msgspec

from feeds import Feed, FeedContext
from feeds.registry import open_feed
from ticker.core.codes import FeedError, TickerError
from ticker.core.cursor import LIMIT
from ticker.core.limits import Backoff
from ticker.core.tick import Bar, Instrument, Quote, Tick, Trade
from ticker.log import get_logger
from ticker.market import Market

log = get_logger(__name__)

State = Literal["starting", "running", "ended", "failed"]
"""Of a feed: ``ended`` is a recording that is over, ``failed`` one that waits to be opened again."""

# Seconds after which a feed that runs counts as mended.
STABLE = 60

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Tick]).decode


class Feeding:
    """The feeds of this process.

    Args:
        urls: the feeds' URLs.
        market: where they publish.
        random: spreads the restarts.
    """

    def __init__(self, urls: Sequence[str], market: Market, random: Random) -> None:
        context = FeedContext(market.clock, alone=len(urls) == 1)
        self.runs = [Run(url, context, market, random) for url in urls]

    def open(self) -> None:
        """Open every feed for the first time.

        Raises:
            StartError, BadRecording: one can't be opened.
        """
        for run in self.runs:
            run.open()

    async def load(self) -> None:
        """Load what of history the market needs before it is shown."""
        for run in self.runs:
            await run.load()

    async def run(self) -> None:
        """Run all feeds until cancelled."""
        async with asyncio.TaskGroup() as group:
            for run in self.runs:
                group.create_task(run.run(), name=f"feed {run.name}")

    @property
    def ready(self) -> bool:
        """Whether every feed runs, or has come to its end."""
        return all(run.state in ("running", "ended") for run in self.runs)


class Run:
    """One feed through all its openings."""

    def __init__(self, url: str, context: FeedContext, market: Market, random: Random) -> None:
        # Without secrets once it was opened.
        self.name = url
        self.state: State = "starting"
        self._url = url
        self._context = context
        self._market = market
        self._backoff = Backoff(1, 2, 30, random)
        self._feed: Feed | None = None
        self._history: Iterator[list[Bar]] = iter(())
        self._defined: Sequence[Instrument] | None = None

    def open(self) -> None:
        """Open the feed.

        Raises:
            StartError, BadRecording: it can't be opened.
        """
        self._feed = open_feed(self._url, self._context)
        self.name = self._feed.name

    async def load(self) -> None:
        """Publish the instruments and load the newest part of the history; the rest comes while the feed runs."""
        assert self._feed is not None
        await self._define(self._feed)
        self._history = _chunks(self._feed)
        await self._load_chunk()

    async def _load_chunk(self) -> bool:
        # Made in a thread: it takes up to seconds of arithmetic.
        try:
            chunk: list[Bar] = await asyncio.to_thread(next, self._history, [])
            self._market.tape.bars.load(chunk)
        except Exception as error:  # a feed may be a third party's; its ticks do without its past
            log.exception("history_failed", error, feed=self.name)
            return False
        return bool(chunk)

    async def _load_rest(self) -> None:
        while await self._load_chunk():
            pass

    async def run(self) -> None:
        """Publish what the feed brings; open it again when it dies, until it ends by itself."""
        rest = asyncio.create_task(self._load_rest(), name=f"history of {self.name}")
        try:
            while not await self._run_once():
                seconds = self._backoff.next()
                await asyncio.sleep(seconds)
            await rest
        finally:
            rest.cancel()

    async def _run_once(self) -> bool:
        """Return whether the feed has come to its end."""
        started = self._market.clock()
        try:
            if self._feed is None:
                self.open()
            assert self._feed is not None
            self.state = "running"
            await self._publish(self._feed)
        except (Exception, asyncio.CancelledError) as error:
            # A feed may be a third party's: whatever it raises, the others go on. A cancellation may come from a task
            # of its own; while this one is cancelled nothing may hold up the end.
            if _is_cancelled():
                raise
            self._fail(error, started)
            return False
        self.state = "ended"
        log.info("feed_ended", feed=self.name)
        return True

    async def _publish(self, feed: Feed) -> None:
        async for ticks in feed.batches():
            check(ticks)
            await self._define(feed)
            await self._market.publish(ticks)

    async def _define(self, feed: Feed) -> None:
        if feed.instruments is not self._defined:
            self._defined = feed.instruments
            await self._market.bus.define(feed.instruments)

    def _fail(self, error: BaseException, started: int) -> None:
        self.state = "failed"
        self._feed = None
        if self._market.clock() - started > STABLE * 1_000_000:
            self._backoff.reset()
        if isinstance(error, TickerError):
            log.warning("feed_failed", feed=self.name, reason=error)
        else:
            log.exception("feed_failed", error, feed=self.name)


def _chunks(feed: Feed) -> Iterator[list[Bar]]:
    """Yield a feed's history; nothing of the feed runs before the first chunk is asked for."""
    yield from feed.history()


def check(ticks: Sequence[Tick]) -> None:
    """Check that these are ticks with finite numbers: anything else would leave the market half way through a batch.

    Raises:
        FeedError: names the index and the field.
    """
    try:
        # JSON has neither NaN nor infinity: they come back as null, which is no number.
        _decode(_encode(ticks))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise FeedError(f"the feed brought what is no tick: {error}") from None
    for tick in ticks:
        if not (isinstance(tick, (Quote, Trade)) and 0 <= tick.ts < LIMIT):
            raise FeedError("the feed brought what is no tick, or has no time since 1970")


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
