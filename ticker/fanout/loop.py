"""Fan-out: the one loop that reads the market for every client and hands the bytes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from time import perf_counter
from typing import TypeVar

from ticker.fanout.cohort import Cohort, Cohorts
from ticker.fanout.members import Member, StreamMember
from ticker.log import get_logger
from ticker.market import Market

log = get_logger(__name__)

# Deadlines (heartbeats, closing windows aside) are looked at this often, in seconds.
CHECK_INTERVAL = 0.25

# How long the loop works before it lets others run, in seconds: what a bystander waits for during a mass replay.
SLICE = 0.005

# A flush may come so much before its time, and so much after it, in parts of the interval, without moving the next one:
# where ticks come at a beat, each would else meet a flush that is not quite due, and cost a second wake-up.
EARLY, LATE = 0.1, 0.5

Served = TypeVar("Served", Cohort, Member)


class Fanout:
    """Flushes every member when the market has moved, at most once an interval, and by the clock.

    Args:
        interval: seconds from the start of one flush to the start of the next, at least (see ``EARLY``). It grows with
            the time that a flush takes, so that at least half of the loop's time is free.
        timer: measures a flush in seconds. uvloop's own clock counts milliseconds, and most flushes are shorter.
    """

    def __init__(self, market: Market, interval: float = 0.01, timer: Callable[[], float] = perf_counter) -> None:
        self._market = market
        self._interval = interval
        self._timer = timer
        self._members: dict[Member, None] = {}
        # Streams that stand together are served together; the other members one by one.
        self._cohorts = Cohorts()
        self._alone: dict[Member, None] = {}
        # Members to be flushed at once, whatever the interval: new ones, and those that have become writable.
        self._woken: dict[Member, None] = {}
        self._moved = False
        # Set when it runs.
        self._loop: asyncio.AbstractEventLoop
        # Its own, not that of the request which happens to wake it, and which it would keep.
        self._context = Context()
        # The next turn, and when it is due; None while none is planned.
        self._handle: asyncio.Handle | None = None
        self._turn_at: float | None = None
        # The pass over all members that has begun, when it began on the loop's clock and on the timer.
        self._pass: Iterator[None] | None = None
        self._pass_began = self._pass_started = 0.0
        # When the next passes may come: one that the market wants, one for the clock's sake, one that merges cohorts.
        self._next_flush = self._next_check = self._next_merge = 0.0
        # What the loop has failed with; None before it runs.
        self._failed: asyncio.Future[None] | None = None
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
            self._plan()

    def join(self, member: Member) -> None:
        """Serve a member from now on."""
        self._members[member] = self._alone[member] = None
        self._empty.clear()
        self.wake(member)

    def leave(self, member: Member) -> None:
        """Forget a member."""
        self._step_out(member)
        self._members.pop(member, None)
        self._alone.pop(member, None)
        self._woken.pop(member, None)
        if not self._members:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until every member has left."""
        await self._empty.wait()

    def wake(self, member: Member) -> None:
        """Flush a member soon: it has become writable, or its session has changed."""
        if member in self._members:
            self._step_out(member)
            self._woken[member] = None
            self._plan()

    def full(self, member: StreamMember) -> None:
        """Serve a member no more until it is woken: its sink holds bytes."""
        member.behind = True
        self._step_out(member)

    def _step_out(self, member: Member) -> None:
        if isinstance(member, StreamMember) and member.cohort is not None:
            self._cohorts.leave(member)
            self._alone[member] = None

    async def run(self) -> None:
        """Serve until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._failed = self._loop.create_future()
        try:
            self._plan()
            await self._failed
        finally:
            self._failed.cancel()
            self._cancel_turn()

    def _plan(self) -> None:
        """See to it that the next turn comes when there is something to do.

        Callbacks, not a task that sleeps: a wake-up through an event and a timeout costs a flush of 200 clients a
        tenth more.
        """
        if self._failed is None or self._failed.done():
            return
        # At once, but not before others: whoever keeps being ready for more must not keep the loop from everyone else.
        when = 0.0 if self._woken or self._pass is not None else self._flush_due() if self._moved else self._next_check
        if self._turn_at is not None and self._turn_at <= when:
            return
        self._cancel_turn()
        self._turn_at = when
        delay = when - self._loop.time()
        if delay <= 0:
            self._handle = self._loop.call_soon(self._turn, context=self._context)
        else:
            # uvloop's clock and timers count milliseconds: less would come too early, again and again.
            self._handle = self._loop.call_later(max(delay, 0.001), self._turn, context=self._context)

    def _flush_due(self) -> float:
        return self._next_flush - EARLY * self._interval

    def _cancel_turn(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._turn_at = None

    def _turn(self) -> None:
        self._handle = self._turn_at = None
        try:
            if self._woken:
                self._flush_woken()
            self._go_on(self._loop.time())
        except Exception as error:  # a bug of ours that is no client's: the process must know
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)
            return
        self._plan()

    def _go_on(self, now: float) -> None:
        """Begin a pass over all members if one is due, or go on with it for a slice of time."""
        if self._pass is None:
            if now < self._next_check and not (self._moved and now >= self._flush_due()):
                return
            self._moved = False
            is_punctual = now - self._next_flush <= LATE * self._interval
            self._pass_began, self._pass_started = self._next_flush if is_punctual else now, self._timer()
            self._pass = self._flush_all()
        if next(self._pass, self) is self:
            self._finish_pass()

    def _finish_pass(self) -> None:
        self._pass = None
        taken = self._timer() - self._pass_started
        self.flushes += 1
        self.flush_seconds += taken
        began = self._pass_began
        self._next_flush = began + max(self._interval, 2 * taken, min(5 * taken, 0.05))
        if began >= self._next_merge:
            self._next_merge = began + CHECK_INTERVAL
            self._cohorts.merge()
        self._next_check = max(self._next_flush, self._loop.time() + self._until_check())

    def _until_check(self) -> float:
        """Return the seconds until something is due by the clock."""
        now = self._market.clock()
        served: list[Cohort | Member] = [*self._cohorts, *self._alone]
        windows = [due for each in served if (due := each.next_window(now)) is not None]
        return min([CHECK_INTERVAL, *((due - now) / 1_000_000 for due in windows)]) if windows else CHECK_INTERVAL

    def _flush_all(self) -> Iterator[None]:
        yield from self._in_turn(self._cohorts, self._flush_cohort)
        # Those who were woken, hundreds when a herd comes back, get their turns by themselves: nobody waits for them.
        yield from self._in_turn([member for member in self._alone if member not in self._woken], self._flush_alone)

    def _in_turn(self, served: Iterable[Served], flush: Callable[[Served, int], None]) -> Iterator[None]:
        """Flush one after the other, and yield after each slice of time, to let others run."""
        pause, now = self._loop.time() + SLICE, self._market.clock()
        for each in served:
            flush(each, now)
            if self._loop.time() >= pause:
                yield
                pause, now = self._loop.time() + SLICE, self._market.clock()

    def _flush_woken(self) -> None:
        """Give those who were woken a turn, as many as fit into a slice of time; the others come next time."""
        end, now = self._loop.time() + SLICE, self._market.clock()
        for member in list(self._woken):
            if member not in self._woken:  # another one's end was its own
                continue
            del self._woken[member]
            if self._flush_one(member, now):
                self.wake(member)
            if self._loop.time() >= end:
                return

    def _flush_alone(self, member: Member, now: int) -> None:
        if member not in self._alone or member in self._woken:
            return
        if self._flush_one(member, now):
            self.wake(member)
        elif isinstance(member, StreamMember) and member in self._alone and member.can_join:
            self._seat(member, now)

    def _seat(self, member: StreamMember, now: int) -> None:
        cohort = self._cohorts.candidate(member)
        if cohort is not None and cohort.position != member.position:
            # The market has moved on since its turn.
            self._flush_cohort(cohort, now)
        self._cohorts.seat(member)
        del self._alone[member]

    def _flush_cohort(self, cohort: Cohort, now: int) -> None:
        try:
            out = cohort.flush(now)
        except Exception as error:  # a bug of ours: who may have been sent half of it comes back with its cursor
            log.exception("flush_failed", error)
            for member in cohort.release_all():
                self.leave(member)
                member.abort()
            out = []
        for member in out:
            self._alone[member] = None
        self._cohorts.drop(cohort)

    def _flush_one(self, member: Member, now: int) -> bool:
        try:
            return member.flush(now)
        except Exception as error:  # a bug of ours: it ends one client, not all of them
            log.exception("flush_failed", error)
            self.leave(member)
            member.abort()
            return False
