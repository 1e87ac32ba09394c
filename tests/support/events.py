"""Events as they come over the wire, in each of the three encodings, read without the project's own parsers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

Data = Mapping[str, Any]


class Event(NamedTuple):
    """One event of PROTOCOL.md section 4: its name, its data, and its id if it has one."""

    name: str
    data: Data
    id: str | None


class EventReader:
    """Cuts the bytes of an event stream into events, as simply as the server writes them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that are whole; a ``retry:`` line alone is none."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n"))
            if b"event" in fields:
                identity = fields[b"id"].decode() if b"id" in fields else None
                assert identity is None or block.rsplit(b"\n", 1)[1].startswith(b"id: "), "the id comes last"
                yield Event(fields[b"event"].decode(), json.loads(fields[b"data"]), identity)


def read_message(message: str | bytes) -> Event:
    """Read a WebSocket message: text is JSON, bytes are MessagePack."""
    data = json.loads(message) if isinstance(message, str) else msgspec.msgpack.decode(message)
    name = data["type"]
    # What has no id on SSE: a hello that is followed by a gap or a snapshot, the gap itself, a bar.
    has_id = name not in ("gap", "bar", "ack", "error", "refused") and not (name == "hello" and data["follows"])
    return Event(name, data, data["cursor"] if has_id else None)
