"""Pump: one slot in front of a plain ``await send``, as a sink of the fan-out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ticker.core.wire import Message


class Pump:
    """Takes messages from the loop while its connection waits for some, and none while one is being sent.

    So what is on its way to a slow client is one chunk, and the rest stays in the ring.

    Args:
        abort: ends the connection at once, whatever it waits for.
    """

    def __init__(self, abort: Callable[[], None]) -> None:
        self._abort = abort
        # What to do when it can take more.
        self.on_ready: Callable[[], None] = _nothing
        # Messages that were taken and not yet handed on.
        self._slot: list[Message] = []
        self._is_waiting = False
        self._is_closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the connection waits for messages."""
        return self._is_waiting and not self._slot and not self._is_closed

    def write(self, messages: Sequence[Message]) -> None:
        """Hand messages to the connection."""
        self._slot.extend(messages)
        self._filled.set()

    def detach(self) -> None:
        """Let go of whoever writes."""
        self.on_ready = _nothing

    def close(self) -> None:
        """Let ``take`` return an empty list once the slot is empty."""
        self._is_closed = True
        self._filled.set()
        self._emptied.set()

    def abort(self) -> None:
        """End the connection at once, without a word."""
        self.close()
        self._abort()

    async def take(self) -> list[Message]:
        """Wait for the next messages; an empty list is the end."""
        if not self._slot and not self._is_closed:
            self._filled.clear()
            self._is_waiting = True
            self.on_ready()
            try:
                await self._filled.wait()
            finally:
                self._is_waiting = False
        messages, self._slot = self._slot, []
        self._emptied.set()
        return messages

    async def room(self) -> None:
        """Wait until what was written has been taken, so that a peer can't ask faster than it reads."""
        while self._slot and not self._is_closed:
            self._emptied.clear()
            await self._emptied.wait()


def _nothing() -> None:
    """Nobody writes yet, or any more."""
