"""What the server sends (PROTOCOL.md sections 4 to 6), as frozen values; unknown fields and events are ignored."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ticker.core.codes import Violation
from ticker.core.eventstream import ServerEvent
from ticker.core.tick import Bar, Quote, Trade


class Message(msgspec.Struct, frozen=True, tag_field="type", rename={"from_": "from"}):
    """One event of a stream; on a WebSocket its name is the ``type``."""


class QuoteRecord(Quote, frozen=True, gc=False, tag="quote"):
    """A quote as it is on the wire, with its place."""

    cursor: str

    def tick(self) -> Quote:
        """Return the quote without its place."""
        return Quote(self.symbol, self.bid, self.bid_size, self.ask, self.ask_size, self.ts)


class TradeRecord(Trade, frozen=True, gc=False, tag="trade"):
    """A trade as it is on the wire, with its place."""

    cursor: str

    def tick(self) -> Trade:
        """Return the trade without its place."""
        return Trade(self.symbol, self.price, self.size, self.side, self.ts)


class Hello(Message, frozen=True, tag="hello"):
    """The beginning of a stream: ``replay`` ticks up to ``newest`` come first; ``heartbeat`` is in seconds."""

    cursor: str
    newest: str
    follows: Literal["gap", "snapshot"] | None = None
    replay: int = 0
    heartbeat: float = 15


class Gap(Message, frozen=True, tag="gap"):
    """Ticks of the market that will not come: ``from_`` to ``to``, both included.

    ``lost`` is how many of the whole market, None if unknown; ``from_`` is None if the server did not know the place
    that the client came from. ``reason`` is one of evicted, slow, restarted, future, unknown.
    """

    from_: str | None
    to: str
    lost: int | None
    reason: str


class Snapshot(Message, frozen=True, tag="snapshot"):
    """The newest quote and last trade of each symbol at ``cursor``; scope ``all`` replaces, ``added`` adds."""

    cursor: str
    scope: Literal["all", "added"]
    quotes: list[Quote] = []
    trades: list[Trade] = []


class Ticks(Message, frozen=True, tag="ticks"):
    """All ticks that match after ``from_`` up to and including ``to``."""

    from_: str
    to: str
    ticks: list[QuoteRecord | TradeRecord | Bar]


class SubscriptionChange(Message, frozen=True, tag="subscription"):
    """The session's subscription is another one from ``cursor`` on."""

    cursor: str


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    """All up to ``cursor`` has been sent: ``sent`` ticks since hello; the market stands at ``newest``."""

    cursor: str
    newest: str
    sent: int


class Bye(Message, frozen=True, tag="bye"):
    """The server ends the stream; come back after ``retry`` milliseconds."""

    reason: str
    reconnect: bool = True
    retry: float = 0


class Refusal(Message, frozen=True, tag="refused"):
    """Not now; come back after ``retry_after`` seconds."""

    code: str
    retry_after: float = 1


class Page(Message, frozen=True, tag="poll"):
    """The answer to one poll, to be read in the order gap, snapshot, ticks; ``cursor`` is what to ask with next."""

    cursor: str
    gap: Gap | None = None
    snapshot: Snapshot | None = None
    ticks: list[QuoteRecord | TradeRecord | Bar] = []
    more: bool = False


class Ack(Message, frozen=True, tag="ack"):
    """An op was done."""


class Failure(Message, frozen=True, tag="error"):
    """An op, or a request, was not done."""

    code: str
    message: str = ""
    field: str | None = None
    retry_after: float | None = None


Event = (
    QuoteRecord
    | TradeRecord
    | Bar
    | Hello
    | Gap
    | Snapshot
    | Ticks
    | SubscriptionChange
    | Heartbeat
    | Bye
    | Refusal
    | Page
    | Ack
    | Failure
)
"""All that can come on a data connection."""


class _Named(msgspec.Struct, frozen=True):
    """Any message, for its name alone."""

    type: str


class _ErrorBody(msgspec.Struct, frozen=True):
    """The body of an HTTP answer of 400 and above."""

    error: Failure


_NAMES: dict[str, Any] = {str(kind.__struct_config__.tag): kind for kind in Event.__args__}
_JSON = {name: msgspec.json.Decoder(kind) for name, kind in _NAMES.items()}
_EITHER_JSON: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_EITHER_MSGPACK: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def read_event(event: ServerEvent) -> Event | None:
    """Read an event of an event stream; None if its name is unknown.

    Raises:
        Violation: its data is not what the contract says.
    """
    decoder = _JSON.get(event.name)
    if decoder is None:
        return None
    try:
        message: Event = decoder.decode(event.data)
    except msgspec.DecodeError as error:
        raise Violation(f"a bad event {event.name}: {error}") from error
    return message


def read_frame(frame: str | bytes) -> Event | None:
    """Read a WebSocket message, text as JSON and bytes as MessagePack; None if its type is unknown.

    Raises:
        Violation: it is not what the contract says.
    """
    try:
        return _EITHER_JSON.decode(frame) if isinstance(frame, str) else _EITHER_MSGPACK.decode(frame)
    except msgspec.DecodeError as error:
        if _name_of(frame) not in _NAMES:
            return None
        raise Violation(f"a bad message: {error}") from error


def read_page(body: bytes) -> Page:
    """Read the body of a poll's answer.

    Raises:
        Violation: it is not what the contract says.
    """
    try:
        return msgspec.json.decode(body, type=Page)
    except msgspec.DecodeError as error:
        raise Violation(f"a bad answer to a poll: {error}") from error


def read_failure(body: bytes) -> Failure | None:
    """Read the body of an HTTP error; None if a ticker server did not write it."""
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error
    except msgspec.DecodeError:
        return None


def _name_of(frame: str | bytes) -> str:
    """Return the type of a message that no struct fits.

    Raises:
        Violation: it is no object with a type.
    """
    try:
        if isinstance(frame, str):
            return msgspec.json.decode(frame, type=_Named).type
        return msgspec.msgpack.decode(frame, type=_Named).type
    except msgspec.DecodeError as error:
        raise Violation(f"a bad message: {error}") from error
