"""Reader: the bytes of a message in, what the ledger needs of it out.

Clients of one filter get the same bytes, so a message that a thousand clients get is decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from ticker.client.messages import (
    Ack,
    Bye,
    Failure,
    Gap,
    Heartbeat,
    Hello,
    Message,
    Refusal,
    SubscriptionChange,
    read_frame,
)
from ticker.core.codes import Violation
from ticker.core.cursor import Cursor
from ticker.core.eventstream import EventStreamParser, ServerEvent
from ticker.tools.load.ledger import Batch

# Messages that are remembered: the clients of a loop are at most a few flushes apart.
REMEMBERED = 64
# Longer ones are not: a snapshot is one client's own.
REMEMBERED_BYTES = 128 * 1024


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The place and time of a quote or trade; a bar has no place."""

    ts: int
    cursor: str | None = None


class _Quote(Tick, frozen=True, gc=False, tag_field="type", tag="quote"):
    pass


class _Trade(Tick, frozen=True, gc=False, tag_field="type", tag="trade"):
    pass


class _Ticks(Message, frozen=True, tag="ticks"):
    from_: str
    to: str
    ticks: list[Tick]


class SnapshotPlace(Message, frozen=True, tag="snapshot"):
    """A snapshot, without what stands in it."""

    cursor: str
    scope: Literal["all", "added"]


class Page(msgspec.Struct, frozen=True):
    """The answer to a poll, without what stands in its snapshot."""

    cursor: str
    gap: Gap | None = None
    snapshot: SnapshotPlace | None = None
    ticks: list[Tick] = []
    more: bool = False

    def batch(self, start: Cursor | None) -> Batch:
        """Return its ticks; ``start`` is the cursor that it was asked with."""
        return _batch(start, self.cursor, self.ticks)


Told = Batch | Hello | Gap | SnapshotPlace | SubscriptionChange | Heartbeat | Bye | Refusal | Ack | Failure
"""What a message says to a ledger, and to the client around it."""

_Lean = (
    _Quote
    | _Trade
    | _Ticks
    | Hello
    | Gap
    | SnapshotPlace
    | SubscriptionChange
    | Heartbeat
    | Bye
    | Refusal
    | Ack
    | Failure
)

_KINDS: dict[str, Any] = {str(kind.__struct_config__.tag): kind for kind in _Lean.__args__}
_BY_NAME = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}
_JSON: msgspec.json.Decoder[_Lean] = msgspec.json.Decoder(_Lean)
_MSGPACK: msgspec.msgpack.Decoder[_Lean] = msgspec.msgpack.Decoder(_Lean)
_PAGE = msgspec.json.Decoder(Page)


class Reader:
    """What has been read lately, shared by the clients of a process."""

    def __init__(self) -> None:
        self._known: dict[bytes, Sequence[Told]] = {}

    def frame(self, data: bytes, *, is_text: bool) -> Sequence[Told]:
        """Read the content of a WebSocket message.

        Raises:
            Violation: it is not what the contract says.
        """
        return self._remember(data, lambda: _read_frame(data, is_text))

    def events(self, data: bytes) -> Sequence[Told] | None:
        """Return what these bytes of an event stream say if they are known to be whole events, else None."""
        return self._known.get(data)

    def parse(self, data: bytes, parser: EventStreamParser, *, is_whole: bool) -> Sequence[Told]:
        """Read more bytes of an event stream; ``is_whole`` if they are events from their beginning to their end.

        Raises:
            Violation: an event is not what the contract says.
        """
        parser.feed(data)
        told = [item for event in parser.events() for item in _read_event(event)]
        return self._remember(data, lambda: told) if is_whole else told

    def _remember(self, data: bytes, read: Callable[[], Sequence[Told]]) -> Sequence[Told]:
        known = self._known.get(data)
        if known is None:
            known = read()
            if len(data) <= REMEMBERED_BYTES:
                self._known[data] = known
                if len(self._known) > REMEMBERED:
                    del self._known[next(iter(self._known))]
        return known


def read_page(body: bytes) -> Page:
    """Read the answer to a poll.

    Raises:
        Violation: it is not what the contract says.
    """
    try:
        return _PAGE.decode(body)
    except msgspec.DecodeError as error:
        raise Violation(f"a bad answer to a poll: {error}") from error


def _read_event(event: ServerEvent) -> list[Told]:
    decoder = _BY_NAME.get(event.name)
    if decoder is None:
        return []
    try:
        return [_told(decoder.decode(event.data))]
    except msgspec.DecodeError as error:
        raise Violation(f"a bad event {event.name}: {error}") from error


def _read_frame(data: bytes, is_text: bool) -> list[Told]:
    try:
        return [_told(_JSON.decode(data) if is_text else _MSGPACK.decode(data))]
    except msgspec.DecodeError as error:
        if read_frame(data.decode() if is_text else data) is None:
            return []
        raise Violation(f"a bad message: {error}") from error


def _told(message: _Lean) -> Told:
    match message:
        case _Ticks():
            return _batch(Cursor.parse(message.from_), message.to, message.ticks)
        case _Quote() | _Trade():
            return _batch(None, message.cursor or "", [message])
        case _:
            return message


def _batch(start: Cursor | None, to: str, ticks: Sequence[Tick]) -> Batch:
    placed = [(Cursor.parse(tick.cursor), tick.ts) for tick in ticks if tick.cursor is not None]
    return Batch(start, Cursor.parse(to), tuple(place for place, _ in placed), tuple(ts for _, ts in placed))
