"""Members: what the fan-out serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ticker.core.framing import framed
from ticker.core.poll import Answer, Poll
from ticker.core.stream import Ending, Stream
from ticker.fanout.sink import Sink

if TYPE_CHECKING:
    from ticker.fanout.cohort import Cohort

# A client whose bytes wait for so long without progress is cut, in seconds.
STALL_LIMIT = 30


class Member(Protocol):
    """A client that is served by itself."""

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

    __slots__ = ("_ended", "_stalled", "behind", "cohort", "sink", "stream")

    def __init__(self, stream: Stream, sink: Sink, ended: Callable[[], None]) -> None:
        self.stream = stream
        self.sink = sink
        self._ended = ended
        # The cohort that reads for it, while it has one; the stream itself then stands where it joined.
        self.cohort: Cohort | None = None
        # Whether there is more to read as soon as the sink is ready again.
        self.behind = False
        # Since when the sink has not been ready (microseconds), and None when it is.
        self._stalled: int | None = None

    @property
    def position(self) -> int | None:
        """The place up to which everything that matches has been sent."""
        return self.stream.position if self.cohort is None else self.cohort.position

    def flush(self, now: int) -> bool:
        if not self.sink.ready:
            self.behind = True
            self._watch_stall(now)
            return False
        self._stalled = None
        messages = self.stream.pull(now)
        if messages:
            self.sink.write(framed(messages, self.sink.framing))
        if self.stream.ended:
            self._ended()
            return False
        self.behind = bool(messages) and self.stream.due(now)
        return self.behind and self.sink.ready

    def _watch_stall(self, now: int) -> None:
        self._stalled = self._stalled or now
        if now - self._stalled > STALL_LIMIT * 1_000_000:
            self.sink.abort()

    @property
    def can_join(self) -> bool:
        """Whether a cohort may read for it: it is writable, and nothing but ticks is due."""
        return not self.behind and self.sink.ready and self.stream.is_plain

    def next_window(self, now: int) -> int | None:
        return next_window(self.stream.session.conflate, now)

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
        return next_window(self._poll.session.conflate, now)

    def end(self, reason: Ending) -> None:
        """Answer with what there is."""
        if not self._answered.done():
            self._answered.set_result(None)

    def abort(self) -> None:
        """Cut the request as a network would."""
        self._answered.cancel()


def next_window(conflate: int, now: int) -> int | None:
    """Return when the open window closes, or None without conflation."""
    if not conflate:
        return None
    window = conflate * 1000
    return now - now % window + window
