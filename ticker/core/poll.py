"""Poll: one answer of a client that asks again and again, as a state machine without waiting."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ticker.core.cursor import Cursor
from ticker.core.follower import Follower, Start, adds
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
        # True from a pause until the next read: ticks that went meanwhile are `evicted`, not `slow`.
        self._rested = False

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
        if self.session.paused:
            self._rested = True
            return None
        return self._read(now)

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
            return self._lose("evicted" if self._rested else "slow", now)
        self._rested = False
        items, more = self._collect(self.position, self.newest(now))
        if more:
            items = self._up_to_the_last_tick(items)
            self._offer_again(self.pending())
        if items or more or (self._snapshot and not self._offered):
            return self._answer(items, more)
        return None

    def _collect(self, position: int, newest: int) -> tuple[list[Entry | ClosedBar], bool]:
        """Read up to the limit, or up to a change whose snapshot is the next answer's; return whether more is left."""
        items: list[Entry | ClosedBar] = []
        room = self._limit
        while True:
            steps = [step for step in self.pending() if step.position <= position]
            if steps and adds(steps) and (items or self._snapshot):
                return items, True
            self._meet(steps)
            ahead = self.pending()
            end = min(newest, ahead[0].position) if ahead else newest
            if end <= position:
                return items, False
            selected = self.view().select(position, end, room)
            items += selected.items
            room -= selected.ticks
            self.position = position = selected.to
            if not room:
                return items, self._is_left(position, newest)

    def _offer_again(self, steps: list[Step]) -> None:
        """Let the next poll answer at once, as ``more`` says, though an earlier one carried the snapshots ahead."""
        if steps:
            self.session.offered = min(self.session.offered, steps[0].serial - 1)

    def _is_left(self, position: int, newest: int) -> bool:
        """Return whether anything comes after a place, across the changes ahead; if not, go to the newest."""
        met = self._met
        for step in [step for step in self.pending() if step.position <= newest]:
            if adds([step]) or self.view().select(position, step.position, 1).items:
                self._met = met
                return True
            position, self._met = step.position, step.serial
        left = position < newest and bool(self.view().select(position, newest, 1).items)
        self._met = met
        if not left:
            self.position = max(position, newest)
        return left

    def _up_to_the_last_tick(self, items: list[Entry | ClosedBar]) -> list[Entry | ClosedBar]:
        """Leave bars that come after the last tick to the next answer: this one's cursor is that tick's."""
        ticks = [index for index, item in enumerate(items) if isinstance(item, Entry)]
        if not ticks:
            return items
        last = items[ticks[-1]]
        assert isinstance(last, Entry)
        self.position = last.position
        return items[: ticks[-1] + 1]

    def _meet(self, steps: list[Step]) -> None:
        if not steps:
            return
        self.meet(steps)
        added = self.added(steps)
        if added is not None:
            self._snapshot = added
            self._offered = steps[-1].serial <= self.session.offered
            self.session.offered = max(self.session.offered, steps[-1].serial)

    def _answer(self, items: list[Entry | ClosedBar], more: bool) -> Answer:
        if self.position is not None and not self.session.paused:
            self.known = self.tape.ring.cursor(self.position)
        ticks = [self._codec.record(item) for item in items]
        return Answer(self.session.id, str(self.known), self._gap, self._snapshot, ticks, more)
