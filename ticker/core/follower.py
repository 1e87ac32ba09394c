"""Follower: where a client stands in the market, and what of the stream it is owed next.

The part that a stream and a poll have in common. It holds a place, never a queue: what is owed is read from the ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ticker.core.cursor import Cursor
from ticker.core.ring import Reason
from ticker.core.session import SECOND, Session, Step
from ticker.core.subscription import Subscription, unknown
from ticker.core.tape import Tape
from ticker.core.view import Filter, View
from ticker.core.wire import Codec

# How long a cursor ahead of this node's newest tick is waited for, in microseconds.
FUTURE_WAIT = 2 * SECOND

Start = Cursor | Literal["earliest", "latest", "unknown"] | None
"""Where a client wants to begin: its cursor, a reserved word, ``unknown`` for a header that is none, None for now."""


class Gap(NamedTuple):
    """Ticks that can't be replayed, as the data of a ``gap`` event says it."""

    start: Cursor | None
    to: Cursor
    reason: Reason

    @property
    def lost(self) -> int | None:
        """How many ticks of the whole market it takes in; None across epochs."""
        if self.start is None or self.start.epoch != self.to.epoch:
            return None
        return self.to.seq - self.start.seq + 1

    def data(self) -> dict[str, object]:
        """Return the data of the event."""
        start = str(self.start) if self.start else None
        return {"from": start, "to": str(self.to), "lost": self.lost, "reason": self.reason}


class Follower:
    """A place in the stream, with the session's filter in force there."""

    def __init__(self, tape: Tape, session: Session, codec: Codec, batched: bool, start: Start, now: int) -> None:
        self.tape = tape
        self.session = session
        self._codec = codec
        self._batched = batched
        self._start = start
        self._opened_at = now
        # Everything that matches up to here has been sent; None until the beginning is known.
        self.position: int | None = None
        # The place that the client holds. Nothing between it and `position` matches.
        self.known = start if isinstance(start, Cursor) else tape.ring.cursor(tape.ring.newest)
        # The serial of the last change of the subscription that was sent.
        self._met = 0
        self._view: View | None = None

    def locate(self, now: int) -> int | Reason | None:
        """Return the position of the beginning, or why it can't be served, or None while it may yet be reached.

        With no cursor the beginning is the newest place that may be sent.
        """
        ring = self.tape.ring
        match self._start:
            case "earliest":
                return ring.oldest
            case None | "latest":
                return self.newest(now)
            case "unknown":
                return "unknown"
        found = ring.locate(self._start)
        reachable = self._start.epoch == ring.epoch and now < self._opened_at + FUTURE_WAIT
        return None if found == "future" and reachable else found

    def begin(self, position: int, resumed: bool) -> None:
        """Stand at a place; who resumes there with a cursor of its own meets the changes that come at or after it."""
        self.position = position
        self.known = self.tape.ring.cursor(position)
        steps = self.session.resume(position)
        self._met = steps[0].serial - 1 if resumed and steps else self.session.serial

    def pending(self) -> list[Step]:
        """Return the changes of the subscription that the stream has not come to, in their order."""
        return [step for step in self.session.steps if step.serial > self._met]

    def wanted(self) -> Filter:
        """Return the filter in force here.

        Before a change only what matches on both sides of it is sent: what is taken away is not sent any more, and
        what is added begins at the change.
        """
        steps = self.pending()
        subscriptions = (steps[0].before, *(step.after for step in steps)) if steps else (self.session.subscription,)
        return Filter(subscriptions, self.session.conflate)

    def view(self) -> View:
        """Return the view of the filter in force here."""
        wanted = self.wanted()
        if self._view is None or self._view.wanted != wanted:
            self._view = self.tape.views.get(wanted, self._codec, self._batched)
        return self._view

    def subscription(self) -> Subscription:
        """Return the subscription as the client knows it here."""
        steps = self.pending()
        return steps[0].before if steps else self.session.subscription

    def newest(self, now: int) -> int:
        """Return the last place that may be sent now."""
        return newest_place(self.tape, self.session.conflate, now)

    def gap(self, reason: Reason, now: int) -> tuple[Gap, int]:
        """Return the gap from the client's cursor to the place where its snapshot will stand, and that place."""
        to = self.newest(now)
        nowhere = reason in ("future", "unknown")
        start = None if nowhere else Cursor(self.known.epoch, self.known.seq + 1)
        return Gap(start, self.tape.ring.cursor(to), reason), to

    def snapshot(self) -> dict[str, object]:
        """Return the snapshot of all that is subscribed, at this place."""
        assert self.position is not None
        return self.tape.snapshot(self.position, self.view().wants, self._codec.record, "all")

    def meet(self, steps: Sequence[Step]) -> dict[str, object]:
        """Pass changes of the subscription at this place, and return the data of their ``subscription`` event."""
        assert self.position is not None
        self._met = steps[-1].serial
        self.known = self.tape.ring.cursor(self.position)
        return {"cursor": str(self.known), **describe(steps[-1].after, self.tape)}

    def added(self, steps: Sequence[Step]) -> dict[str, object] | None:
        """Return the snapshot of what changes add, or None if they add nothing. Call it just after ``meet``."""
        if not adds(steps):
            return None
        assert self.position is not None
        had = self.tape.views.get(Filter(_sides(steps)), self._codec, self._batched)
        has = self.view()

        def wants(symbol: str, kind: str) -> bool:
            return has.wants(symbol, kind) and not had.wants(symbol, kind)

        return self.tape.snapshot(self.position, wants, self._codec.record, "added")


def describe(subscription: Subscription, tape: Tape) -> dict[str, object]:
    """Return what acks and ``subscription`` events say of a subscription."""
    return {
        "symbols": subscription.symbols,
        "types": subscription.types,
        "unknown": unknown(subscription.symbols, tape.instruments),
    }


def newest_place(tape: Tape, conflate: int, now: int) -> int:
    """Return the last place that may be sent up to now: with conflation (milliseconds, 0 is off) a window's end."""
    if not conflate:
        return tape.ring.newest
    window = conflate * 1000
    return tape.ring.placed_before(now - now % window)


def adds(steps: Sequence[Step]) -> bool:
    """Whether changes at one place add names, or types of ticks."""
    return any(_adds(each, steps[-1].after) for each in _sides(steps))


def _sides(steps: Sequence[Step]) -> tuple[Subscription, ...]:
    # What one of the steps took away began anew with a later one: its ticks before them were left out.
    return (steps[0].before, *(step.after for step in steps))


def _adds(before: Subscription, after: Subscription) -> bool:
    new_types = set(after.types).difference(before.types, {"bar"})
    return bool(set(after.symbols).difference(before.symbols) or new_types)
