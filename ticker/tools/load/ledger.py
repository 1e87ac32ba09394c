"""Ledger: what came to a client, and whether something is missing, by the rules of cursors alone. No I/O.

It does not mend and does not stop, as the real client does: what breaks a rule is counted, and the count is the result.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from ticker.client.messages import Gap, Heartbeat, Hello
from ticker.core.cursor import Cursor


@dataclass
class Counts:
    """What came to all clients of a process."""

    # Quotes and trades, each once, and those of them that a reconnected client was owed.
    received: int = 0
    replayed: int = 0
    # Ticks that came again.
    duplicates: int = 0
    # Ticks that should have come and did not, without a word of the server.
    missing: int = 0
    # Times that continuity was not proved: something may be missing, how much is not known.
    breaks: int = 0
    # Gaps that the server announced, and the ticks of the market in them as far as it knew.
    gaps: int = 0
    gap_ticks: int = 0
    # Ticks of the market that were passed over by clients that came back without their cursor.
    skipped: int = 0
    # Events, or answers to polls, that carried ticks.
    messages: int = 0
    # Answers to polls without a tick.
    empty: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(sum, zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __sub__(self, other: Self) -> Self:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return type(self)(*(mine - theirs for mine, theirs in pairs))


@dataclass(frozen=True, slots=True)
class Batch:
    """Ticks that came together, as places and times in microseconds since the Unix epoch.

    ``start`` is the place from which on they are everything that matches, None where the message did not say it.
    """

    start: Cursor | None
    to: Cursor
    places: tuple[Cursor, ...]
    times: tuple[int, ...]
    # Whether the places rise, none comes twice, and none lies beyond ``to``.
    is_rising: bool = field(init=False)
    # Whether they are neighbours in one epoch, up to ``to``: of the whole market nothing is left out.
    is_solid: bool = field(init=False)

    def __post_init__(self) -> None:
        first, last = (self.places[0], self.places[-1]) if self.places else (self.to, self.to)
        rising = last <= self.to and all(earlier < later for earlier, later in pairwise(self.places))
        span = last.seq - first.seq + 1 if first.epoch == last.epoch else -1
        object.__setattr__(self, "is_rising", rising)
        object.__setattr__(self, "is_solid", rising and last == self.to and span == len(self.places))


class Ledger:
    """The place of one client.

    Args:
        counts: shared by the clients of a process.
        whole: True if the client subscribes to every tick of the market: then cursors have no holes, and what is
            missing can be counted. Else it is seen, and counted where a heartbeat says how many were sent.
    """

    def __init__(self, counts: Counts, whole: bool) -> None:
        self.position: Cursor | None = None
        self._counts = counts
        self._whole = whole
        self.begin()

    def begin(self, *, forget: bool = False) -> None:
        """Begin a connection; ``forget`` if the client comes back without its cursor."""
        # Ticks of this connection, as ``heartbeat.sent`` counts them.
        self._sent = 0
        # A gap whose snapshot is still to come: until then it can come again, and would count twice.
        self._gap: Gap | None = None
        self._forget = forget

    def hello(self, hello: Hello) -> None:
        """Take where the stream goes on."""
        # A client that kept its cursor counts from there, whatever hello says: the next batch shows what is missing.
        if hello.follows is None and (self._forget or self.position is None):
            self._pass_over(Cursor.parse(hello.cursor))

    def gap(self, gap: Gap) -> None:
        """Take what the server says is lost; what lies before it and did not come is lost without a word."""
        self._gap = gap
        if gap.from_ is not None and self.position is not None:
            self._count_holes(self.position, Cursor.parse(gap.from_), before=True)

    def snapshot(self, cursor: str, scope: str) -> None:
        """Take a snapshot's place."""
        place, gap, self._gap = Cursor.parse(cursor), self._gap, None
        if gap is not None:
            self._counts.gaps += 1
            self._counts.gap_ticks += gap.lost or 0
            self.position = place
        elif scope == "added":
            self._advance(place)
        elif self._forget or self.position is None:
            self._pass_over(place)
        else:
            self._counts.breaks += 1
            self._count_holes(self.position, place)
            self.position = place

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Compare what was sent with what came."""
        if heartbeat.sent != self._sent:
            self._counts.breaks += 1
            if not self._whole:
                self._counts.missing += max(heartbeat.sent - self._sent, 0)
            self._sent = heartbeat.sent
        place = Cursor.parse(heartbeat.cursor)
        if self._whole and self.position is not None:
            self._count_holes(self.position, place)
        self._advance(place)

    def move(self, cursor: str) -> None:
        """Take a place that the server says has been reached."""
        self._advance(Cursor.parse(cursor))

    def page(self, batch: Batch) -> int:
        """Take the answer to a poll; return how many of its ticks are new."""
        if self._forget or self.position is None:
            self._pass_over(batch.places[0] if batch.places else batch.to, is_tick=bool(batch.places))
        self._counts.empty += not batch.places
        self._counts.messages -= not batch.places
        return self.batch(batch)

    def batch(self, batch: Batch) -> int:
        """Take ticks; return how many of them are new."""
        self._sent += len(batch.places)
        self._counts.messages += 1
        if self._continues(batch):
            new = len(batch.places)
            self.position = batch.to
        else:
            new = self._count_each(batch)
        self._counts.received += new
        return new

    def _continues(self, batch: Batch) -> bool:
        """Return whether a batch goes on where the client stands, with nothing to be counted one by one."""
        position = self.position
        if position is None or not batch.places or (batch.start is not None and batch.start > position):
            return False
        first = batch.places[0]
        if self._whole:
            return batch.is_solid and first.seq == position.seq + 1 and first.epoch == position.epoch
        return batch.is_rising and first > position

    def _count_each(self, batch: Batch) -> int:
        position = self.position if self.position is not None else batch.start
        if batch.start is not None and position is not None and batch.start > position:
            self._counts.breaks += 1
        new = 0
        for place in batch.places:
            if position is not None and place <= position:
                self._counts.duplicates += 1
                continue
            if position is not None and self._whole:
                self._count_holes(position, place, before=True)
            position, new = place, new + 1
        if position is not None and self._whole and batch.start is not None:
            self._count_holes(position, batch.to)
        self._advance(batch.to if position is None else max(position, batch.to))
        return new

    def _count_holes(self, position: Cursor, place: Cursor, *, before: bool = False) -> None:
        """Count the ticks after ``position`` up to ``place``, itself left out with ``before``, as missing.

        An epoch's last tick is not known, so at the beginning of another one only what is missing of that counts.
        """
        holes = place.seq - before - (position.seq if place.epoch == position.epoch else 0)
        if self._whole and place > position and holes > 0:
            self._counts.missing += holes

    def _pass_over(self, place: Cursor, *, is_tick: bool = False) -> None:
        """Stand at a place, or just before a tick, and count what a client without a cursor does not see."""
        place = Cursor(place.epoch, place.seq - is_tick)
        if self.position is not None and place.epoch == self.position.epoch:
            self._counts.skipped += max(place.seq - self.position.seq, 0)
        self.position, self._forget = place, False

    def _advance(self, place: Cursor) -> None:
        if self.position is None or place > self.position:
            self.position = place
