"""Pulse: one timer for the pings of all sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from ticker.log import get_logger

log = get_logger(__name__)

# Parts of the interval in which sockets have their turn: as even as that the pings leave. And how many of them after a
# ping it is looked for silence: two intervals and six slots are 36 s of 15, just beyond the limit of 35.
SLOTS, CHECK_AFTER = 15, 6


class Beating(Protocol):
    """What has a pulse."""

    def beat(self) -> None:
        """Show a sign of life."""
        ...

    def check(self) -> None:
        """Look whether the peer has shown one."""
        ...


class Pulse:
    """A wheel with a slot for each fifteenth of the interval; a socket's turn comes when the wheel has gone round.

    A timer for each socket would take half a KiB of each, and most are silent.

    Args:
        interval: seconds between two turns of the same socket.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._slots: list[set[Beating]] = [set() for _ in range(SLOTS)]
        # The slot whose turn came last.
        self._slot = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: Beating) -> int:
        """Give a socket a turn after each interval; return its slot, for ``remove``."""
        self._slots[self._slot].add(socket)
        if self._timer is None:
            self._plan()
        return self._slot

    def remove(self, socket: Beating, slot: int) -> None:
        """Forget a socket."""
        self._slots[slot].discard(socket)

    def _plan(self) -> None:
        # A timer keeps the context that it was made in: that of a handshake holds all that Quart and Hypercorn have of
        # it.
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.interval / SLOTS, self._turn, context=Context())

    def _turn(self) -> None:
        self._timer = None
        self._slot = (self._slot + 1) % SLOTS
        for socket in list(self._slots[self._slot - CHECK_AFTER]):
            self._try(socket.check)
        for socket in list(self._slots[self._slot]):
            self._try(socket.beat)
        if any(self._slots):
            self._plan()

    def _try(self, turn: Callable[[], None]) -> None:
        try:
            turn()
        except Exception as error:  # a bug of ours: the others have their turns
            log.exception("pulse_failed", error)
