"""Encodings: what the market sends, as Server-Sent Events, as JSON text and as MessagePack.

A *message* is what a transport sends as one piece: the bytes of one event on SSE, one frame's content on a WebSocket.
How messages stand in the bytes of a connection is in ``ticker.core.framing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from ticker.core.cursor import LIMIT, Cursor
from ticker.core.ring import ClosedBar, Entry
from ticker.core.tick import Bar, Instrument, Tick

Message = bytes
"""One piece for a transport; WebSocket text is UTF-8."""

# What the `ticks` of one batch may take, in bytes (PROTOCOL.md section 4), less room for its other fields.
BATCH_BYTES = 64 * 1024 - 256

# By how much a tick may be longer than its JSON: the comma after it, or in MessagePack, whose floats always take nine
# bytes, seven of a quote whose numbers have one digit each.
LONGER = 8

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


def tick_json(tick: Tick, cursor: Cursor) -> bytes:
    """Return the one JSON encoding of a tick at its place.

    A whole number is written without a fraction, as JavaScript would: only a number can end in ``.0,`` here.
    """
    body = _json.encode(tick).replace(b".0,", b",")
    return b'%b,"cursor":"%d-%d"}' % (body[:-1], *cursor)


def bar_json(bar: Bar) -> bytes:
    """Return the one JSON encoding of a bar."""
    return _json.encode(bar).replace(b".0,", b",")


def instrument_record(instrument: Instrument) -> dict[str, object]:
    """Return an instrument as clients see it, its whole numbers without a fraction."""
    fields = msgspec.structs.asdict(instrument)
    return {name: short(value) for name, value in fields.items()}


def short(value: object) -> object:
    """Return a whole number as an integer, anything else as it is; beyond 2^53 a double is the shorter text."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < LIMIT else value


def to_json(value: object) -> bytes:
    """Return the JSON encoding of any other data."""
    return _json.encode(value)


def tick_id(entry: Entry) -> bytes:
    """Return the text of an entry's cursor, out of its encoding."""
    return entry.json[entry.json.rindex(b'"', 0, -2) + 1 : -2]


class Codec(Protocol):
    """One way to write the events of PROTOCOL.md section 4. Codecs have no state and are shared by all clients."""

    def event(self, name: str, data: Mapping[str, object], cursor: Cursor | None = None) -> Message:
        """Return an event; ``cursor`` is its id, if it has one."""
        ...

    def answer(self, data: Mapping[str, object]) -> Message:
        """Return the answer to an op."""
        ...

    def record(self, item: Entry | ClosedBar) -> msgspec.Raw:
        """Return a tick or bar as it stands inside other data, such as a snapshot."""
        ...

    def tick(self, entry: Entry) -> Message:
        """Return a ``quote`` or ``trade`` event."""
        ...

    def batch(self, start: Cursor, to: Cursor, entries: Sequence[Entry]) -> Message:
        """Return a ``ticks`` event of all entries."""
        ...

    def bar(self, closed: ClosedBar) -> Message:
        """Return a ``bar`` event."""
        ...

    def retry(self, milliseconds: int) -> list[Message]:
        """Return what tells the transport's own reconnection how long to wait, if there is such a thing."""
        ...


def sse_event(name: bytes, data: bytes, cursor: bytes | None = None) -> bytes:
    """Return the bytes of one event (WHATWG HTML 9.2.5). The id comes last: some clients take it before the end."""
    identity = b"id: %b\n" % cursor if cursor is not None else b""
    return b"event: %b\ndata: %b\n%b\n" % (name, data, identity)


def sse_retry(milliseconds: int) -> bytes:
    """Return a ``retry:`` line: how long a client waits before it reconnects."""
    return b"retry: %d\n\n" % milliseconds


class SseCodec:
    """Server-Sent Events. JSON has no raw line ends, so one ``data:`` line always holds it."""

    def event(self, name: str, data: Mapping[str, object], cursor: Cursor | None = None) -> Message:
        return sse_event(name.encode(), _json.encode(data), str(cursor).encode() if cursor else None)

    def answer(self, data: Mapping[str, object]) -> Message:
        raise NotImplementedError("a stream answers nothing")

    def record(self, item: Entry | ClosedBar) -> msgspec.Raw:
        return msgspec.Raw(item.json)

    def tick(self, entry: Entry) -> Message:
        # The tag is the first field of a record: {"type":"quote", …
        return b"event: %b\ndata: %b\nid: %b\n\n" % (entry.json[9:14], entry.json, tick_id(entry))

    def batch(self, start: Cursor, to: Cursor, entries: Sequence[Entry]) -> Message:
        end = str(to).encode()
        return sse_event(b"ticks", _batch_json(b"", start, end, entries, b""), end)

    def bar(self, closed: ClosedBar) -> bytes:
        return sse_event(b"bar", closed.json)

    def retry(self, milliseconds: int) -> list[Message]:
        return [sse_retry(milliseconds)]


def _batch_json(head: bytes, start: Cursor, end: bytes, entries: Sequence[Entry], tail: bytes) -> bytes:
    ticks = b",".join([entry.json for entry in entries])
    return b'{%b"from":"%d-%d","to":"%b","ticks":[%b]%b}' % (head, *start, end, ticks, tail)


def _with_type(name: str, data: Mapping[str, object], cursor: Cursor | None) -> dict[str, object]:
    """Return an event as a WebSocket carries it: its name as ``type``, its id as ``cursor``."""
    return {"type": name, **data, "cursor": str(cursor)} if cursor else {"type": name, **data}


class JsonCodec:
    """WebSocket text, subprotocol ``ticker.v1.json``."""

    def event(self, name: str, data: Mapping[str, object], cursor: Cursor | None = None) -> Message:
        return _json.encode(_with_type(name, data, cursor))

    def answer(self, data: Mapping[str, object]) -> Message:
        return _json.encode(data)

    def record(self, item: Entry | ClosedBar) -> msgspec.Raw:
        return msgspec.Raw(item.json)

    def tick(self, entry: Entry) -> Message:
        return entry.json

    def batch(self, start: Cursor, to: Cursor, entries: Sequence[Entry]) -> Message:
        end = str(to).encode()
        return _batch_json(b'"type":"ticks",', start, end, entries, b',"cursor":"%b"' % end)

    def bar(self, closed: ClosedBar) -> Message:
        return closed.json

    def retry(self, milliseconds: int) -> list[Message]:
        return []


class MsgpackCodec:
    """WebSocket binary, subprotocol ``ticker.v1.msgpack``: the same objects."""

    def event(self, name: str, data: Mapping[str, object], cursor: Cursor | None = None) -> Message:
        return _msgpack.encode(_with_type(name, data, cursor))

    def answer(self, data: Mapping[str, object]) -> Message:
        return _msgpack.encode(data)

    def record(self, item: Entry | ClosedBar) -> msgspec.Raw:
        return msgspec.Raw(self.bar(item) if isinstance(item, ClosedBar) else self.tick(item))

    def tick(self, entry: Entry) -> Message:
        # A map of up to 15 fields begins with one byte, 0x80 + their number: one more field is one more in that byte.
        record = _msgpack.encode(entry.tick)
        return b"%c%b\xa6cursor%b" % (record[0] + 1, record[1:], _msgpack.encode(tick_id(entry).decode()))

    def batch(self, start: Cursor, to: Cursor, entries: Sequence[Entry]) -> Message:
        ticks = [self.record(entry) for entry in entries]
        return self.event("ticks", {"from": str(start), "to": str(to), "ticks": ticks}, to)

    def bar(self, closed: ClosedBar) -> bytes:
        return _msgpack.encode(closed.bar)

    def retry(self, milliseconds: int) -> list[Message]:
        return []


SSE = SseCodec()
JSON = JsonCodec()
MSGPACK = MsgpackCodec()


def encode_items(
    codec: Codec, items: Sequence[Entry | ClosedBar], known: Cursor, to: Cursor
) -> tuple[list[Message], Cursor]:
    """Return batches of what matches in a stretch of the stream, and the last place that they name.

    Args:
        items: ticks and bars. A bar stands between two batches; the one before it ends at the tick before the bar's.
        known: the place that the clients hold: the first batch is complete from there on.
        to: the last place of the stretch.
    """
    messages: list[Message] = []
    run: list[Entry] = []
    size = 0

    def flush(end: Cursor) -> None:
        nonlocal known, size
        if run:
            messages.append(codec.batch(known, end, run))
            known, size = end, 0
            run.clear()

    for item in items:
        if isinstance(item, ClosedBar):
            flush(item.before)
            messages.append(codec.bar(item))
            continue
        if run and size + len(item.json) + LONGER > BATCH_BYTES:
            flush(tick_cursor(run[-1]))
        size += len(item.json) + LONGER
        run.append(item)
    flush(to)
    return messages, known


def tick_cursor(entry: Entry) -> Cursor:
    """Return the cursor of a tick, out of its encoding."""
    return Cursor.parse(tick_id(entry).decode())
