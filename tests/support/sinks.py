"""Sinks of the fan-out that take as much as the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.tapes import Data, read
from ticker.core.framing import Framing
from ticker.core.wire import Message


class Lines:
    """One message a line."""

    end = b""

    def join(self, messages: Sequence[Message]) -> bytes:
        """Return the lines."""
        return b"".join([message + b"\n" for message in messages])


LINES = Lines()


class FakeSink:
    """Keeps all that it is given, and has room for as much as the test says: beyond that it is full, as a socket is."""

    framing: Framing = LINES

    def __init__(self) -> None:
        self.ready = True
        # Bytes that the peer takes yet; no end to them if None.
        self.room: int | None = None
        # Told that it is full: what its owner does then.
        self.full: Callable[[], None] = lambda: None
        self.data = b""
        self.writes = 0
        self.aborted = 0

    def send(self, data: bytes) -> int:
        """Take what there is room for, as a socket does."""
        assert self.ready, "sent to a sink that is not ready"
        size = len(data) if self.room is None else min(self.room, len(data))
        if size < len(data) and size == 0:
            raise BlockingIOError
        if self.room is not None:
            self.room -= size
        self._take(data[:size])
        self.writes += 1
        return size

    def keep(self, data: bytes) -> None:
        """Hold the rest."""
        self._take(data)
        self.writes += 1
        if self.ready:
            self.ready = False
            self.full()

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what there is no room for."""
        assert self.ready, "written to a sink that is not ready"
        try:
            sent = self.send(data)
        except OSError:
            sent = 0
        if sent != len(data):
            self.keep(data[sent:])

    def _take(self, data: bytes) -> None:
        self.data += data

    def take(self) -> None:
        """Let the peer take all."""
        self.ready, self.room = True, None

    def abort(self) -> None:
        """Count."""
        self.aborted += 1

    @property
    def events(self) -> list[Data]:
        """What was written, with the JSON codec and in lines."""
        return read(self.data.splitlines())

    @property
    def numbers(self) -> list[int]:
        """The seqs of the ticks."""
        return [int(each["cursor"].split("-")[1]) for each in self.events if each["type"] in ("quote", "trade")]
