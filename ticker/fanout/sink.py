"""Sink: where a client's bytes go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ticker.core.framing import Framing


class Sink(Protocol):
    """A connection that takes bytes without waiting, and holds what its peer has not taken yet.

    Whoever owns it tells the fan-out with ``full`` when it begins to hold bytes, and with ``wake`` when it has none.
    """

    # How messages stand in its bytes.
    framing: Framing

    @property
    def ready(self) -> bool:
        """Whether it holds nothing, so that it takes more."""
        ...

    @property
    def send(self) -> Callable[[bytes], int]:
        """What sends bytes at once and returns how many; called only when ready. Raises OSError if it takes none."""
        ...

    def keep(self, data: bytes) -> None:
        """Take the bytes that ``send`` did not."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what can't be sent now; called only when ready."""
        ...

    def abort(self) -> None:
        """End at once, without a word."""
        ...
