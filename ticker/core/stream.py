"""Stream: a live data connection as a state machine, from ``hello`` to ``bye``.

``pull(now)`` returns the next messages for the transport, or nothing until the market or the clock has moved on. There
is no other way in which data reaches a client, so a replay and the live market are the same read.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from ticker.core.cursor import Cursor
from ticker.core.follower import Follower, Start
from ticker.core.ring import Reason
from ticker.core.session import SECOND, Session, Step
from ticker.core.tape import Tape
from ticker.core.wire import Codec, Message, short

# The nearest to never that EventSource knows: one day.
NEVER = 86_400_000

Ending = Literal["shutdown", "expired", "replaced", "lifetime"]
"""Why the server ends a stream."""


class Terms(NamedTuple):
    """What every stream of this node says of it, and how long things last (seconds)."""

    node: str
    version: str
    heartbeat: float = 15
    lifetime: float = 86_400


def reconnect_after(random: Random) -> int:
    """Return how many milliseconds a client waits before it comes back: spread, so that not all come at once."""
    return random.randint(1000, 2000)


class Stream(Follower):
    """One data connection of a session. Its owner writes what ``pull`` returns and calls it again when it can.

    Args:
        start: where the client wants to begin.
        batched: ``ticks`` events instead of ``quote`` and ``trade``.
        now: microseconds since the Unix epoch, like every ``now`` here.
    """

    def __init__(
        self,
        tape: Tape,
        session: Session,
        codec: Codec,
        *,
        start: Start,
        batched: bool,
        terms: Terms,
        random: Random,
        now: int,
    ) -> None:
        super().__init__(tape, session, codec, batched, start, now)
        self._terms = terms
        self._random = random
        # Quotes and trades sent on this connection since `hello`, without snapshots.
        self.sent = 0
        # Gaps told on this connection.
        self.gaps = 0
        # Why the stream ends, once it does.
        self.ending: Ending | None = None
        # True after `bye`: nothing comes any more.
        self.ended = False
        self._greeted = False
        # True from a pause until the next read: ticks that went meanwhile are `evicted`, not `slow`.
        self._rested = False
        # Why the beginning of a paused stream can't be served; told when it plays.
        self._unserved: Reason | None = None
        # The place at which a replay is over; None without one.
        self._replay_end: int | None = None
        # Silence after which a heartbeat is due, and when the last event was sent (microseconds).
        self.heartbeat = int(terms.heartbeat * SECOND)
        self.last_event = self._last_heartbeat = now
        self._expires = now + int(terms.lifetime * SECOND * random.uniform(0.8, 1))

    def due(self, now: int) -> bool:
        """Whether the next pull has something to read at once."""
        if self.session.paused or self.position is None:
            return False
        # A change of the subscription may stand at this place, or the end of a replay.
        return self.position < self.newest(now) or self._replay_end is not None or bool(self.pending())

    @property
    def deadline(self) -> int:
        """When a heartbeat is due though ticks go on, or the stream has lived its time."""
        return min(self._last_heartbeat + 2 * self.heartbeat, self._expires)

    @property
    def is_plain(self) -> bool:
        """Whether up to the deadline nothing but what its view has comes next, unless the session changes.

        Someone else may then read the view for it, and say with ``stand`` how far.
        """
        return (
            self.position is not None
            and self.ending is None
            and not self.session.paused
            and not self._rested
            and self._unserved is None
            and self._replay_end is None
            and not self.pending()
        )

    def stand(self, position: int, known: Cursor, sent: int, last_event: int) -> None:
        """Go on where its view was read to and sent on its behalf."""
        self.position, self.known, self.sent, self.last_event = position, known, sent, last_event

    def end(self, reason: Ending) -> None:
        """End the stream: the next pull returns ``bye``."""
        self.ending = self.ending or reason

    def pull(self, now: int) -> Sequence[Message]:
        """Return what comes next, as few messages as one write should hold; empty when nothing is due."""
        messages = self._next(now)
        if messages:
            self.last_event = now
        return messages

    def _next(self, now: int) -> Sequence[Message]:
        if self.ended:
            return ()
        if now >= self._expires:
            self.end("lifetime")
        if self.ending:
            return self._bye(self.ending)
        if not self._greeted:
            return self._greet(now)
        if self.session.paused:
            self._rested = True
            return self._beat(now)
        if now - self._last_heartbeat >= 2 * self.heartbeat:
            return [self._heart(now)]
        return self._advance(now) or self._beat(now)

    def _greet(self, now: int) -> Sequence[Message]:
        found = self.locate(now)
        if found is None:
            return ()
        self._greeted = True
        if isinstance(found, int):
            return self._greet_at(found, now)
        # What was changed before now is in force; what is changed from now on is told.
        self._met = self.session.serial
        if self.session.paused and found != "unknown":
            self._unserved = found
            return [self._hello(now, None, False)]
        messages = self._lose(found, now)
        return [self._hello(now, "gap", False), *messages]

    def _greet_at(self, position: int, now: int) -> Sequence[Message]:
        resumed = isinstance(self._start, Cursor)
        self.begin(position, resumed)
        if self._start is None:
            return [self._hello(now, "snapshot", False), self._snapshot()]
        return [self._hello(now, None, resumed)]

    def _hello(self, now: int, follows: str | None, resumed: bool) -> Message:
        ring = self.tape.ring
        newest = self.newest(now)
        replay = self._count(newest) if self.position is not None and follows is None else 0
        if replay:
            self._replay_end = newest
        subscription = self.subscription()
        data = {
            "session": self.session.id,
            "cursor": str(self.known),
            "oldest": str(ring.cursor(ring.oldest)),
            "newest": str(ring.cursor(newest)),
            "resumed": resumed,
            "replay": replay,
            "follows": follows,
            "heartbeat": short(self._terms.heartbeat),
            "symbols": subscription.symbols,
            "types": subscription.types,
            "node": self._terms.node,
            "version": self._terms.version,
        }
        return self._codec.event("hello", data, None if follows else self.known)

    def _count(self, newest: int) -> int:
        """Return how many ticks a replay has, across the changes of the subscription within it."""
        assert self.position is not None
        place, met, ticks = self.position, self._met, 0
        for step in self.pending():
            if step.position < newest:
                ticks += self.view().select(place, step.position).ticks
                place, self._met = step.position, step.serial
        ticks += self.view().select(place, newest).ticks if place < newest else 0
        self._met = met
        return ticks

    def _advance(self, now: int) -> Sequence[Message]:
        if self._unserved:
            reason, self._unserved = self._unserved, None
            return self._lose(reason, now)
        assert self.position is not None
        if self.position < self.tape.ring.oldest:
            return self._lose("evicted" if self._rested else "slow", now)
        self._rested = False
        return self._read(self.position, now)

    def _read(self, position: int, now: int) -> Sequence[Message]:
        steps = self.pending()
        if steps and steps[0].position <= position:
            return self._change([step for step in steps if step.position <= position])
        if self._replay_end is not None and position >= self._replay_end:
            self._replay_end = None
            return [self._heart(now)]
        limit = self.newest(now)
        if self._replay_end is not None:
            limit = min(limit, self._replay_end)
        if steps:
            limit = min(limit, steps[0].position)
        messages = self._chunks(position, limit)
        if messages or self.position == position:
            return messages
        # Nothing matched on the way to a change, or to the end of a replay: that is due now.
        return self._read(limit, now)

    def _chunks(self, position: int, limit: int) -> Sequence[Message]:
        """Read on until something matches; a stretch without a match costs the client nothing."""
        while position < limit:
            chunk = self.view().chunk(self.known, position, limit)
            self.position = position = chunk.to
            self.known = chunk.known or self.known
            self.sent += chunk.ticks
            if chunk.messages:
                return chunk.messages
        return ()

    def _change(self, steps: list[Step]) -> Sequence[Message]:
        messages = [self._codec.event("subscription", self.meet(steps), self.known)]
        added = self.added(steps)
        if added is not None:
            messages.append(self._codec.event("snapshot", added, self.known))
        return messages

    def _lose(self, reason: Reason, now: int) -> list[Message]:
        """Say what is lost, and go on at the newest place with a snapshot."""
        gap, to = self.gap(reason, now)
        steps = self.pending()
        self.gaps += 1
        self._replay_end = None
        self.begin(to, resumed=False)
        messages = [self._codec.event("gap", gap.data()), self._snapshot()]
        if steps:
            messages.append(self._codec.event("subscription", self.meet(steps), self.known))
        return messages

    def _snapshot(self) -> Message:
        return self._codec.event("snapshot", self.snapshot(), self.known)

    def _beat(self, now: int) -> Sequence[Message]:
        return [self._heart(now)] if now - self.last_event >= self.heartbeat else ()

    def _heart(self, now: int) -> Message:
        self._last_heartbeat = now
        self._name_place()
        newest = str(self.tape.ring.cursor(self.newest(now)))
        data = {"cursor": str(self.known), "newest": newest, "sent": self.sent, "ts": now}
        return self._codec.event("heartbeat", data, self.known)

    def _bye(self, reason: Ending) -> Sequence[Message]:
        self.ended = True
        self._name_place()
        # Who has no cursor and was not greeted yet gets none: with one it would come back without its snapshot.
        cursor = self.known if self._greeted or isinstance(self._start, Cursor) else None
        retry = NEVER if reason == "replaced" else reconnect_after(self._random)
        data = {"reason": reason, "reconnect": reason != "replaced", "retry": retry}
        return [*self._codec.retry(retry), self._codec.event("bye", data, cursor)]

    def _name_place(self) -> None:
        """Let the client hold the place that it has been served up to, also where nothing matched."""
        if self.position is not None and self.position >= self.tape.ring.oldest:
            self.known = self.tape.ring.cursor(self.position)
