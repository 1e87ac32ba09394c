"""Fan-out: the one loop that reads the market for every client and hands the bytes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Protocol

from ticker.core.poll import Answer, Poll
from ticker.core.stream import Ending, Stream
from ticker.core.wire import Message
from ticker.log import get_logger
from ticker.market import Market

log = get_logger(__name__)

# Deadlines (heartbeats, closing windows aside) are looked at this often, in seconds.
CHECK_INTERVAL = 0.25

# A client whose bytes wait for so long without progress is cut, in seconds.
STALL_LIMIT = 30

# How long the loop works before it lets others run, in seconds: what a bystander waits for during a mass replay.
SLICE = 0.005


class Sink(Protocol):
    """Where a client's bytes go. It holds at most what was written while it was ready."""

    @property
    def ready(self) -> bool:
        """Whether it takes more now."""
        ...

    def write(self, messages: Sequence[Message]) -> None:
        """Take messages; called only when ready."""
        ...

    def abort(self) -> None:
        """End at once, without a word."""
        ...


class Member(Protocol):
    """What the loop serves."""

    def flush(self, now: int) -> bool:
        """Hand on what is due; return whether more is due at once."""
        ...

    def next_window(self, now: int) -> int | None:
        """Return when something will be due by the clock alone, or None."""
        ...

    def end(self, reason: Ending) -> None:
        """End at the next flush, and say why."""
        ...

    def abort(self) -> None:
        """End at once, without a word."""
        ...


class StreamMember:
    """A stream and its sink.

    Args:
        ended: called once after ``bye`` was written.
    """

    def __init__(self, stream: Stream, sink: Sink, ended: Callable[[], None]) -> None:
        self.stream = stream
        self.sink = sink
        self._ended = ended
        # Whether there is more to read as soon as the sink is ready again.
        self.behind = False
        # Since when the sink has not been ready (microseconds), and None when it is.
        self._stalled: int | None = None

    @property
    def position(self) -> int | None:
        """The place up to which everything that matches has been sent."""
        return self.stream.position

    def flush(self, now: int) -> bool:
        if not self.sink.ready:
            self.behind = True
            self._watch_stall(now)
            return False
        self._stalled = None
        messages = self.stream.pull(now)
        if messages:
            self.sink.write(messages)
        if self.stream.ended:
            self._ended()
            return False
        self.behind = bool(messages) and self.stream.due(now)
        return self.behind and self.sink.ready

    def _watch_stall(self, now: int) -> None:
        self._stalled = self._stalled or now
        if now - self._stalled > STALL_LIMIT * 1_000_000:
            self.sink.abort()

    def next_window(self, now: int) -> int | None:
        return _next_window(self.stream.session.conflate, now)

    def end(self, reason: Ending) -> None:
        self.stream.end(reason)

    def abort(self) -> None:
        """Cut the stream as a network would."""
        self.sink.abort()


class PollMember:
    """A poll and the future that its request waits for."""

    def __init__(self, poll: Poll, answered: asyncio.Future[Answer | None]) -> None:
        self._poll = poll
        self._answered = answered

    @property
    def position(self) -> int | None:
        """The place up to which everything that matches has been looked at."""
        return self._poll.position

    def flush(self, now: int) -> bool:
        if not self._answered.done():
            answer = self._poll.look(now)
            if answer is not None:
                self._answered.set_result(answer)
        return False

    def next_window(self, now: int) -> int | None:
        return _next_window(self._poll.session.conflate, now)

    def end(self, reason: Ending) -> None:
        """Answer with what there is."""
        if not self._answered.done():
            self._answered.set_result(None)

    def abort(self) -> None:
        """Cut the request as a network would."""
        self._answered.cancel()


def _next_window(conflate: int, now: int) -> int | None:
    if not conflate:
        return None
    window = conflate * 1000
    return now - now % window + window


class Fanout:
    """Flushes every member when the market has moved, at most once an interval, and by the clock.

    Args:
        interval: seconds from the start of one flush to the start of the next, at least. It grows with the time that
            a flush takes, so that at least half of the loop's time is free.
        timer: measures a flush in seconds. uvloop's own clock counts milliseconds, and most flushes are shorter.
    """

    def __init__(self, market: Market, interval: float = 0.01, timer: Callable[[], float] = perf_counter) -> None:
        self._market = market
        self._interval = interval
        self._timer = timer
        self._members: dict[Member, None] = {}
        # Members to be flushed at once, whatever the interval: new ones, and those that have become writable.
        self._woken: dict[Member, None] = {}
        self._moved = False
        self._wake = asyncio.Event()
        # Set while there is no member.
        self._empty = asyncio.Event()
        self._empty.set()
        # Flushes of all members, and the seconds that they took in all.
        self.flushes = 0
        self.flush_seconds = 0.0
        market.watch(self._on_move)

    def __len__(self) -> int:
        return len(self._members)

    def members(self) -> list[Member]:
        """Return who is served now."""
        return list(self._members)

    def _on_move(self) -> None:
        # While a flush is due already, another batch is no news: the loop sleeps through it.
        if not self._moved:
            self._moved = True
            self._wake.set()

    def join(self, member: Member) -> None:
        """Serve a member from now on."""
        self._members[member] = None
        self._empty.clear()
        self.wake(member)

    def leave(self, member: Member) -> None:
        """Forget a member."""
        self._members.pop(member, None)
        self._woken.pop(member, None)
        if not self._members:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until every member has left."""
        await self._empty.wait()

    def wake(self, member: Member) -> None:
        """Flush a member soon: it has become writable, or its session has changed."""
        if member in self._members:
            self._woken[member] = None
            self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        next_flush = next_check = loop.time()
        while True:
            if self._woken:
                self._flush_woken()
            now = loop.time()
            if now >= next_check or (self._moved and now >= next_flush):
                started = self._timer()
                await self._flush_all()
                taken = self._timer() - started
                self.flushes += 1
                self.flush_seconds += taken
                next_flush = now + max(self._interval, 2 * taken, min(5 * taken, 0.05))
                next_check = max(next_flush, now + self._until_check())
            else:
                await self._sleep((next_flush if self._moved else next_check) - now)

    def _until_check(self) -> float:
        """Return the seconds until something is due by the clock."""
        now = self._market.clock()
        windows = [due for member in self._members if (due := member.next_window(now)) is not None]
        return min([CHECK_INTERVAL, *((due - now) / 1_000_000 for due in windows)])

    async def _sleep(self, seconds: float) -> None:
        """Sleep for so long, less if there is something to do."""
        if self._woken:
            # Whoever keeps being ready for more must not keep the loop from everyone else.
            await asyncio.sleep(0)
            return
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _flush_all(self) -> None:
        # Those who were woken, hundreds when a herd comes back, get their turns by themselves: nobody waits for them.
        self._moved = False
        await self._flush([member for member in self._members if member not in self._woken])

    def _flush_woken(self) -> None:
        """Give those who were woken a turn, as many as fit into a slice of time; the others come next time."""
        loop = asyncio.get_running_loop()
        end, now = loop.time() + SLICE, self._market.clock()
        for member in list(self._woken):
            if member not in self._woken:  # another one's end was its own
                continue
            del self._woken[member]
            if self._flush_one(member, now):
                self.wake(member)
            if loop.time() >= end:
                return

    async def _flush(self, members: list[Member]) -> None:
        """Give each member a turn, and those that have more to read another one later."""
        loop = asyncio.get_running_loop()
        pause = loop.time() + SLICE
        now = self._market.clock()
        for member in members:
            if member in self._members and self._flush_one(member, now):
                self.wake(member)
            if loop.time() >= pause:
                await asyncio.sleep(0)
                pause = loop.time() + SLICE
                now = self._market.clock()

    def _flush_one(self, member: Member, now: int) -> bool:
        try:
            return member.flush(now)
        except Exception as error:  # a bug of ours: it ends one client, not all of them
            log.exception("flush_failed", error)
            self.leave(member)
            member.abort()
            return False
