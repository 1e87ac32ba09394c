"""Wire: what is left of a connection, or of a stream of HTTP/2, when it was taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class WireUser(Protocol):
    """Who is told what happens on a wire; each method is called from the loop and must be quick."""

    def received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        ...

    def finished(self) -> None:
        """Learn that the peer sends nothing more."""
        ...

    def full(self) -> None:
        """Learn that not all that was written has left."""
        ...

    def writable(self) -> None:
        """Learn that all that was written has left."""
        ...

    def lost(self) -> None:
        """Learn that the wire has ended; nothing is called after that."""
        ...


class Sender(Protocol):
    """Takes bytes without waiting, and holds what its peer has not taken yet; ``ready`` is False while it holds any."""

    @property
    def ready(self) -> bool:
        """Whether all that was written has left."""
        ...

    @property
    def send(self) -> Callable[[bytes], int]:
        """What sends bytes at once and returns how many; called only when ready. Raises OSError if it takes none."""
        ...

    def keep(self, data: bytes) -> None:
        """Take the bytes that ``send`` did not."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what can't be sent now."""
        ...

    def abort(self) -> None:
        """End at once, without a word."""
        ...


class Wire(Sender, Protocol):
    """Bytes in both directions."""

    user: WireUser

    def pause_reading(self) -> None:
        """Take nothing from the peer until ``resume_reading``."""
        ...

    def resume_reading(self) -> None:
        """Take from the peer again."""
        ...

    def finish(self) -> None:
        """End when all has left; what still arrives is thrown away."""
        ...


TakeOver = Callable[[WireUser], Wire]
"""Takes the connection, or the stream of HTTP/2, of a request whose answer has begun, away from the web server.

Raises:
    ConnectionError: it has gone.
"""
