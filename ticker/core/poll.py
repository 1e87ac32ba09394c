"""Poll: one answer of a client that asks again and again, as a state machine without waiting."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ticker.core.cursor import Cursor
from ticker.core.follower import Follower, Start
from ticker.core.ring import ClosedBar, Entry, Reason
from ticker.core.session import Session, Step
from ticker.core.tape import Tape
from ticker.core.wire import Codec


class Answer(NamedTuple):
    """What a poll returns, to be read in this order: gap, snapshot, ticks; then ask with ``cursor``."""

    session: str
    cursor: str
    gap: dict[str, object] | None
    snapshot: dict[str, object] | None
    ticks: list[msgspec.Raw]
    more: bool


class Poll(Follower):
    """One poll of a session.

    Args:
        limit: ticks in the answer at the most.
    """

    def __init__(self, tape: Tape, session: Session, codec: Codec, start: Start, limit: int, now: int) -> None:
        super().__init__(tape, session, codec, batched=False, start=start, now=now)
        self._limit = limit
        self._gap: dict[str, object] | None = None
        self._snapshot: dict[str, object] | None = None
        # True when an earlier poll has already carried the snapshot of the changes met here: it is sent again, since
        # that answer may be lost, but nobody is woken for it.
        self._offered = False

    def look(self, now: int) -> Answer | None:
        """Return the answer if there is anything to say, else None: look again when the market has moved."""
        if self.position is None:
            found = self.locate(now)
            if found is None:
                return None
            if not isinstance(found, int):
                return self._lose(found, now)
            self.begin(found, resumed=isinstance(self._start, Cursor))
            if self._start is None:
                self._snapshot = self.snapshot()
                return self._answer([], more=False)
        return None if self.session.paused else self._read(now)

    def finish(self, now: int) -> Answer | None:
        """Return the answer, empty if need be; None only while a future cursor may still be reached."""
        answer = self.look(now)
        if answer is not None or (self.position is None and not self.session.paused):
            return answer
        return self.give_up()

    def give_up(self) -> Answer:
        """Return an empty answer."""
        return self._answer([], more=False)

    def _lose(self, reason: Reason, now: int) -> Answer | None:
        if self.session.paused and reason != "unknown":
            return None
        gap, to = self.gap(reason, now)
        self.begin(to, resumed=False)
        self._gap, self._snapshot = gap.data(), self.snapshot()
        return self._answer([], more=False)

    def _read(self, now: int) -> Answer | None:
        assert self.position is not None
        if self.position < self.tape.ring.oldest:
            return self._lose("slow", now)
        self._meet([step for step in self.pending() if step.position <= self.position])
        steps = self.pending()
        newest = self.newest(now)
        limit = min(newest, steps[0].position) if steps else newest
        if limit <= self.position:
            return self._answer([], more=False) if self._snapshot and not self._offered else None
        selected = self.view().select(self.position, limit, self._limit)
        self.position = selected.to
        if steps and not selected.items and self._snapshot is None:
            return self._read(now)
        more = bool(steps) or (selected.to < newest and bool(self.view().select(selected.to, newest, 1).items))
        if not more:
            self.position = limit
        if selected.items or more or (self._snapshot and not self._offered):
            return self._answer(selected.items, more)
        self.known = self.tape.ring.cursor(self.position)
        return None

    def _meet(self, steps: list[Step]) -> None:
        if not steps:
            return
        self.meet(steps)
        self._snapshot = self.added(steps)
        self._offered = steps[-1].serial <= self.session.offered
        self.session.offered = max(self.session.offered, steps[-1].serial)

    def _answer(self, items: list[Entry | ClosedBar], more: bool) -> Answer:
        if self.position is not None and not self.session.paused:
            self.known = self.tape.ring.cursor(self.position)
        ticks = [self._codec.record(item) for item in items]
        return Answer(self.session.id, str(self.known), self._gap, self._snapshot, ticks, more)
