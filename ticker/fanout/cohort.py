"""Cohort: clients that stand at one place with one view, for whom it is read and framed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ticker.core.follower import newest_place
from ticker.core.framing import Framing, framed
from ticker.core.stream import Stream
from ticker.core.view import View
from ticker.core.wire import Message
from ticker.fanout.members import StreamMember, next_window

# Members of one cohort: about 2 ms of writes, after which the loop looks whether others wait for their turn.
LIMIT = 256


class Cohort:
    """Streams of which nothing differs but the sink.

    What a flush changes in each of their streams (place, cursor, count, last event) is kept here once, and goes back
    into a stream when it steps out: because its sink is full, its heartbeat is due or its session has changed. So what
    is done for each client of a flush is one write.

    Args:
        first: its first member, whose stream is plain.
    """

    def __init__(self, first: StreamMember) -> None:
        stream = first.stream
        assert stream.position is not None
        self.view: View = stream.view()
        self.framing: Framing = first.sink.framing
        self.conflate = stream.session.conflate
        # The place up to which all members have everything that matches, and the place that they hold.
        self.position: int = stream.position
        self.known = stream.known
        # Quotes and trades sent since the cohort began.
        self._sent = 0
        # When the cohort was sent something last; a stream that joined later has its own last event, which counts.
        self._last_event = 0
        # When the first member must step out though ticks go on (microseconds).
        self._deadline = stream.deadline
        # Silence after which a heartbeat is due (microseconds).
        self._heartbeat = stream.heartbeat
        self._tape = stream.tape
        # What sends to each member.
        self._sends: dict[StreamMember, Callable[[bytes], int]] = {}
        self.add(first)

    def __len__(self) -> int:
        return len(self._sends)

    def fits(self, member: StreamMember) -> bool:
        """Whether a plain stream of the same view and framing stands where this cohort does, and there is room."""
        stream = member.stream
        return stream.position == self.position and stream.known == self.known and len(self._sends) < LIMIT

    def add(self, member: StreamMember) -> None:
        """Take a member that fits."""
        stream = member.stream
        member.cohort = self
        stream.sent -= self._sent
        self._deadline = min(self._deadline, stream.deadline)
        self._sends[member] = member.sink.send

    def remove(self, member: StreamMember) -> None:
        """Let a member step out; its stream goes on by itself."""
        del self._sends[member]
        member.cohort = None
        stream = member.stream
        stream.stand(self.position, self.known, stream.sent + self._sent, self._heard(stream))

    def _heard(self, stream: Stream) -> int:
        """Return when a member was sent something last."""
        return max(stream.last_event, self._last_event)

    def merge(self, other: Cohort) -> None:
        """Take all members of a cohort that stands at the same place."""
        for member in list(other._sends):
            other.remove(member)
            self.add(member)

    def flush(self, now: int) -> list[StreamMember]:
        """Read up to the newest place and write to all; return who had to step out."""
        is_due = now >= self._deadline or now - self._last_event >= self._heartbeat
        out = self._release(now) if is_due else []
        newest = newest_place(self._tape, self.conflate, now)
        while self.position < newest and self._sends:
            if self.position < self._tape.ring.oldest:
                return out + self.release_all()
            chunk = self.view.chunk(self.known, self.position, newest)
            self.position = chunk.to
            self.known = chunk.known or self.known
            self._sent += chunk.ticks
            if chunk.messages:
                self._last_event = now
                self._write(chunk.messages)
        return out

    def _write(self, messages: Sequence[Message]) -> None:
        """Send to all. Nothing but the socket's own ``send`` is called for a client that takes it."""
        data = framed(messages, self.framing)
        size = len(data)
        rests: list[tuple[StreamMember, int]] = []
        sends = iter(self._sends.items())
        is_done = False
        while not is_done:
            try:
                for member, send in sends:
                    sent = send(data)
                    if sent != size:
                        rests.append((member, sent))
                is_done = True
            except OSError:
                rests.append((member, 0))
        for member, sent in rests:
            # A sink that is full by that has its member step out.
            member.sink.keep(data[sent:])

    def _release(self, now: int) -> list[StreamMember]:
        """Let those step out to whom more than ticks is due."""
        quiet = now - self._heartbeat
        out = [member for member in self._sends if now >= member.stream.deadline or self._heard(member.stream) <= quiet]
        for member in out:
            self.remove(member)
        self._deadline = min((member.stream.deadline for member in self._sends), default=now)
        return out

    def release_all(self) -> list[StreamMember]:
        """Let all step out, and return them."""
        out = list(self._sends)
        for member in out:
            self.remove(member)
        return out

    def next_window(self, now: int) -> int | None:
        """Return when something will be due by the clock alone, or None."""
        return next_window(self.conflate, now)


class Cohorts:
    """All cohorts of a fan-out."""

    def __init__(self) -> None:
        self._cohorts: dict[Cohort, None] = {}
        # The cohort of each view and framing that took a member last.
        self._newest: dict[tuple[View, Framing], Cohort] = {}

    def __iter__(self) -> Iterator[Cohort]:
        return iter(list(self._cohorts))

    def __len__(self) -> int:
        return len(self._cohorts)

    def candidate(self, member: StreamMember) -> Cohort | None:
        """Return the cohort that a member may fit into."""
        return self._newest.get((member.stream.view(), member.sink.framing))

    def seat(self, member: StreamMember) -> None:
        """Put a member whose stream is plain into the cohort that it fits into, or into a new one."""
        cohort = self.candidate(member)
        if cohort is not None and cohort.fits(member):
            cohort.add(member)
            return
        cohort = Cohort(member)
        self._cohorts[cohort] = None
        self._newest[cohort.view, cohort.framing] = cohort

    def leave(self, member: StreamMember) -> None:
        """Let a member step out of its cohort, if it has one."""
        if member.cohort is not None:
            cohort = member.cohort
            cohort.remove(member)
            self.drop(cohort)

    def drop(self, cohort: Cohort) -> None:
        """Forget a cohort if it has no members left."""
        key = cohort.view, cohort.framing
        if not cohort:
            self._cohorts.pop(cohort, None)
            if self._newest.get(key) is cohort:
                del self._newest[key]

    def merge(self) -> None:
        """Make one of those that have come to stand at the same place, as far as there is room."""
        met: dict[tuple[object, ...], Cohort] = {}
        for cohort in self:
            place = cohort.view, cohort.framing, cohort.position, cohort.known
            other = met.get(place)
            if other is not None and len(other) + len(cohort) <= LIMIT:
                other.merge(cohort)
                self.drop(cohort)
            elif other is None or len(cohort) < len(other):
                met[place] = cohort
                self._newest[cohort.view, cohort.framing] = cohort
