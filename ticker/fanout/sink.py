"""Sink: where a client's bytes go."""

from __future__ import annotations

from typing import Protocol

from ticker.core.framing import Framing
from ticker.lane import Sender


class Sink(Sender, Protocol):
    """What the fan-out writes to, when it is ready.

    Whoever owns it tells the fan-out with ``full`` when it begins to hold bytes, and with ``wake`` when it has none.
    """

    # How messages stand in its bytes.
    framing: Framing
