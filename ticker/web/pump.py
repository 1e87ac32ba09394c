"""Pump: one slot in front of a plain ``await send``, as a sink of the fan-out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ticker.core.follower import Start
from ticker.core.session import Session
from ticker.core.stream import Stream
from ticker.core.wire import Codec, Message
from ticker.fanout import StreamMember
from ticker.node import Node


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
        """Let go of whoever writes: what refers to itself would stay until the collector comes by."""
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


def carry(
    here: Node,
    session: Session,
    codec: Codec,
    pump: Pump,
    *,
    start: Start,
    batched: bool,
    ended: Callable[[], None],
) -> StreamMember:
    """Begin a session's stream on a pump, in place of the data connection that the session has.

    Args:
        ended: called once after ``bye`` was written.
    """
    stream = Stream(
        here.tape,
        session,
        codec,
        start=start,
        batched=batched,
        terms=here.terms,
        random=here.random,
        now=here.clock(),
    )
    member = StreamMember(stream, pump, ended)
    pump.on_ready = lambda: here.fanout.wake(member) if member.behind else None
    here.take(session, member)
    here.fanout.join(member)
    return member


def drop(here: Node, member: StreamMember, pump: Pump) -> None:
    """End a stream's service without a word."""
    pump.detach()
    here.leave(member.stream.session, member)


def _nothing() -> None:
    """Nobody writes yet, or any more."""
