"""Follower: what each message does to a client's position, its counts, and what comes out of it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ticker.client.messages import (
    Event,
    Gap,
    Heartbeat,
    Hello,
    Page,
    QuoteRecord,
    Snapshot,
    SubscriptionChange,
    Ticks,
    TradeRecord,
)
from ticker.core.codes import BadCursor, Violation
from ticker.core.cursor import Cursor
from ticker.core.tick import Bar, Quote, Trade

State = Literal["connecting", "live", "replaying", "paused", "reconnecting", "refused", "closed"]
"""What a subscription is doing. ``replaying``: ticks of the past come; ``refused``: the server asked for patience."""

Item = Quote | Trade | Bar | Gap | Snapshot
"""What a subscription yields."""

# Bars that are remembered while the position stands still: more than any server sends between two heartbeats.
BARS_LIMIT = 100_000


@dataclass
class Statistics:
    """Counts since a subscription began."""

    # Quotes and trades that were yielded.
    received: int = 0
    # Quotes and trades that came again, and were dropped.
    duplicates: int = 0
    # Those of ``received`` that were older than their connection.
    replayed: int = 0
    # Gaps, and the ticks of the whole market inside them as far as the server knew.
    gaps: int = 0
    lost: int = 0
    # Connections after the first.
    reconnects: int = 0
    # Times that the server's bytes broke the contract: something may be missing without a gap.
    violations: int = 0


class Follower:
    """The place of one client in the market's one order.

    Its position is the cursor it resumed with, then that of the last snapshot, tick, ``ticks.to``, subscription or
    heartbeat (PROTOCOL.md section 4). ``receive`` is a generator and moves the position along with what it yields, so
    a consumer that stops in the middle of a batch can resume behind the last tick that it took.
    """

    def __init__(self, position: Cursor | None = None, *, snapshots: bool = False) -> None:
        self.position = position
        self.statistics = Statistics()
        self.state: State = "connecting"
        self._snapshots = snapshots
        # Bars since the position last moved: around a cut they come again. A dict, because it keeps their order.
        self._bars: dict[Bar, None] = {}
        self.begin()

    def begin(self) -> None:
        """Forget what belongs to one connection, because another one begins."""
        # A gap whose snapshot is still to come: until then it can come again, and would count twice.
        self._gap: Gap | None = None
        # The newest tick when the connection began: up to it ticks are replayed.
        self._newest: Cursor | None = None
        # Quotes and trades of this connection, to compare with ``heartbeat.sent``.
        self._sent = 0
        # True if none came since the last heartbeat.
        self._silent = False

    def receive(self, message: Event) -> Iterator[Item]:
        """Yield what a message means for the consumer.

        Raises:
            Violation: the message shows that something is missing without a gap. The position is still good: resume.
        """
        match message:
            case QuoteRecord() | TradeRecord():
                yield from self._tick(message)
            case Ticks():
                yield from self._ticks(message)
            case Bar():
                yield from self._bar(message)
            case Hello():
                self._hello(message)
            case Gap():
                self._gap = message
            case Snapshot():
                yield from self._snapshot(message)
            case SubscriptionChange(cursor=cursor):
                self._advance(_place(cursor))
            case Heartbeat():
                self._heartbeat(message)
            case Page():
                yield from self._page(message)

    def _hello(self, hello: Hello) -> None:
        self.begin()
        self._newest = _place(hello.newest)
        self.state = "replaying" if hello.replay else "live"
        if hello.follows is not None:
            return
        place = _place(hello.cursor)
        if self.position is not None and place > self.position:
            raise Violation(f"the stream goes on at {place}, after {self.position}, without a gap")
        self.position = self.position or place

    def _tick(self, record: QuoteRecord | TradeRecord) -> Iterator[Item]:
        place = _place(record.cursor)
        self._sent += 1
        self._silent = False
        if self.position is not None and place <= self.position:
            self.statistics.duplicates += 1
            return
        self.statistics.received += 1
        self.statistics.replayed += self._newest is not None and place <= self._newest
        if self.state == "paused":
            self.state = "live"
        self._advance(place)
        yield record.tick()

    def _ticks(self, batch: Ticks) -> Iterator[Item]:
        begin, end = _place(batch.from_), _place(batch.to)
        if self.position is not None and not begin <= self.position <= end:
            raise Violation(f"a batch from {begin} to {end} does not go on from {self.position}")
        yield from self._records(batch.ticks)
        self._advance(end)

    def _records(self, records: list[QuoteRecord | TradeRecord | Bar]) -> Iterator[Item]:
        for record in records:
            yield from self._bar(record) if isinstance(record, Bar) else self._tick(record)

    def _bar(self, bar: Bar) -> Iterator[Item]:
        if bar not in self._bars:
            if len(self._bars) >= BARS_LIMIT:
                del self._bars[next(iter(self._bars))]
            self._bars[bar] = None
            yield bar

    def _snapshot(self, snapshot: Snapshot) -> Iterator[Item]:
        place, gap = _place(snapshot.cursor), self._gap
        if snapshot.scope == "added":
            self._advance(place)
        elif gap is None and self.position is not None:
            raise Violation(f"a snapshot at {place} replaces what came after {self.position}, without a gap")
        else:
            self._jump(place)
        if gap is not None and snapshot.scope == "all":
            self._gap = None
            self.statistics.gaps += 1
            self.statistics.lost += gap.lost or 0
            yield gap
        if self._snapshots:
            yield snapshot

    def _heartbeat(self, heartbeat: Heartbeat) -> None:
        place = _place(heartbeat.cursor)
        if heartbeat.sent != self._sent:
            raise Violation(f"{heartbeat.sent} ticks were sent up to {place}, {self._sent} have come")
        if self._silent and place == self.position and _place(heartbeat.newest) > place:
            self.state = "paused"
        elif self.state == "paused":
            self.state = "live"
        self._silent = True
        self._advance(place)

    def _page(self, page: Page) -> Iterator[Item]:
        self.state = "replaying" if page.more else "live"
        self._gap = page.gap
        if page.snapshot is not None:
            yield from self._snapshot(page.snapshot)
        yield from self._records(page.ticks)
        self._advance(_place(page.cursor))

    def _advance(self, place: Cursor) -> None:
        """Move the position forward; a place behind it, as a heartbeat's of a paused session, changes nothing."""
        if self.position is None or place > self.position:
            self._jump(place)
        if self.state == "replaying" and self._newest is not None and place >= self._newest:
            self.state = "live"

    def _jump(self, place: Cursor) -> None:
        self.position = place
        self._bars.clear()


def _place(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except BadCursor as error:
        raise Violation(f"{text!r} is no cursor") from error
