"""Commands: the messages that clients send, as a tagged union on ``op`` (PROTOCOL.md section 5)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from ticker.core.codes import BadRequest

Identity = str | int
"""What a client gives an op to match its answer."""


class Command(msgspec.Struct, frozen=True, tag_field="op", tag=str.lower, kw_only=True, forbid_unknown_fields=False):
    """One op of a client."""

    id: Identity | None = None

    @property
    def op(self) -> str:
        """The name of the op."""
        return type(self).__name__.lower()


class Auth(Command, frozen=True):
    """Show a token, or renew it."""

    token: str


class Change(Command, frozen=True):
    """What the ops that change a subscription have in common; absent fields are left as they are."""

    symbols: list[str] | None = None
    types: list[str] | None = None
    interval: str | None = None


class Subscribe(Change, frozen=True):
    """Add names and types."""


class Unsubscribe(Change, frozen=True):
    """Take names and types away, patterns literally."""


class Set(Change, frozen=True):
    """Replace."""


class Conflate(Command, frozen=True):
    """Send windows of so many milliseconds; 0 sends every tick."""

    ms: int


class Pause(Command, frozen=True):
    """Hold the stream at its place."""


class Play(Command, frozen=True):
    """Go on from the place where the stream was paused."""


class Attach(Command, frozen=True):
    """Control the data connection of another session."""

    session: str


class Detach(Command, frozen=True):
    """Control the own session again."""


class Stream(Command, frozen=True):
    """Send ticks on this socket; fields left out are those of the handshake's query."""

    cursor: str | None = None
    batch: bool | None = None
    conflate: int | None = None


class Snapshot(Command, frozen=True):
    """Return a snapshot of the subscription."""


class List(Command, frozen=True):
    """Return the instruments."""


class Ping(Command, frozen=True):
    """Return the server's time."""


class Publish(Command, frozen=True):
    """Publish ticks."""

    ticks: msgspec.Raw


class Cut(Command, frozen=True):
    """Abort the session's data connection and refuse it for so many seconds."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0


SocketCommand = (
    Auth
    | Subscribe
    | Unsubscribe
    | Set
    | Conflate
    | Pause
    | Play
    | Attach
    | Detach
    | Stream
    | Snapshot
    | List
    | Ping
    | Publish
    | Cut
)
"""What a WebSocket takes."""

SessionCommand = Subscribe | Unsubscribe | Set | Conflate | Pause | Play | Cut
"""What ``PATCH /v1/sessions/<id>`` takes too."""


class Envelope(msgspec.Struct, frozen=True):
    """As much of a message as an error answers to."""

    op: str
    id: Identity | None = None


class BadMessage(BadRequest):
    """A message that is no valid op at all: 10 of them end the connection."""


# What msgspec says of a field that is not there; the path names the object.
_MISSING = re.compile(r"Object missing required field `(\w+)`")

_OPS = {kind.__name__.lower() for kind in SocketCommand.__args__}


def decode_envelope(message: str | bytes, binary: bool) -> Envelope:
    """Read a message's op and id.

    Raises:
        BadMessage: it is no object with a known op.
    """
    try:
        envelope: Envelope = _decode(message, binary, Envelope)
    except BadRequest as error:
        raise BadMessage(error.message, error.field) from None
    if envelope.op not in _OPS:
        raise BadMessage("this op is unknown", "op")
    return envelope


def decode_command(message: str | bytes, binary: bool) -> SocketCommand:
    """Read a message whose envelope is known to be good.

    Raises:
        BadRequest: a field is missing, or of a wrong type, or out of its range.
    """
    command: SocketCommand = _decode(message, binary, SocketCommand)
    return command


def decode_session_command(body: bytes) -> SessionCommand:
    """Read the body of a PATCH.

    Raises:
        BadRequest: it is not JSON, its op is unknown, or a field is wrong.
    """
    command: SessionCommand = _decode(body, False, SessionCommand)
    return command


def _decode(message: str | bytes, binary: bool, kind: Any) -> Any:
    try:
        return msgspec.msgpack.decode(message, type=kind) if binary else msgspec.json.decode(message, type=kind)  # type: ignore[arg-type]
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadRequest(*explain(error)) from None


def explain(error: Exception) -> tuple[str, str | None]:
    """Split what msgspec says, ``Expected `int`, got `str` - at `$.ms```, into a message and a field."""
    if isinstance(error, RecursionError):
        return "the message is nested too deeply", None
    message, _, path = str(error).partition(" - at `$")
    missing = _MISSING.fullmatch(message)
    place = path.rstrip("`") + (f".{missing[1]}" if missing else "")
    return message, place.lstrip(".") or None
