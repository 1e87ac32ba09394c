from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, put, quote, tape_of, trade
from ticker.core.cursor import Cursor
from ticker.core.eventstream import EventStreamParser, ServerEvent
from ticker.core.ring import ClosedBar, Entry
from ticker.core.tick import Bar, Instrument, Quote, Tick, Trade
from ticker.core.wire import (
    JSON,
    MSGPACK,
    SSE,
    Codec,
    Message,
    bar_json,
    encode_items,
    instrument_record,
    sse_event,
    tick_cursor,
    tick_json,
    to_json,
)

CODECS: list[Codec] = [SSE, JSON, MSGPACK]

symbols = st.from_regex(r"[A-Z0-9][A-Z0-9._/-]{0,31}", fullmatch=True)
prices = st.floats(0.0001, 1e12) | st.integers(1, 10**9).map(float)
sizes = st.floats(0, 1e12) | st.integers(0, 10**9).map(float)
times = st.integers(0, 2**53 - 1)
ticks: st.SearchStrategy[Tick] = st.builds(Quote, symbols, prices, sizes, prices, sizes, times) | st.builds(
    Trade, symbols, prices, sizes, st.sampled_from(["buy", "sell", None]), times
)
cursors = st.builds(Cursor, st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))


FIRST = Cursor(EPOCH, 1)


def entry(tick: Tick, cursor: Cursor = FIRST) -> Entry:
    """Return an entry of the ring."""
    return Entry(tick, tick_json(tick, cursor), cursor.seq, NOON, (), None)


def fields(tick: Tick, cursor: Cursor) -> dict[str, Any]:
    """Return a tick as the contract writes it, made without the encoder."""
    kind = "quote" if isinstance(tick, Quote) else "trade"
    return {"type": kind, **{name: getattr(tick, name) for name in tick.__struct_fields__}, "cursor": str(cursor)}


def parse(message: bytes) -> ServerEvent:
    """Read one event of a stream."""
    parser = EventStreamParser()
    parser.feed(message)
    [event] = parser.events()
    return event


def read(codec: Codec, message: Message) -> dict[str, Any]:
    """Read one message; of an event stream its event's name as ``type``, its id as ``id``."""
    if codec is MSGPACK:
        return msgspec.msgpack.decode(message)  # type: ignore[no-any-return]
    if codec is JSON:
        return json.loads(message)  # type: ignore[no-any-return]
    event = parse(message)
    return {"type": event.name, "id": event.id, **json.loads(event.data)}


def test_a_record_is_what_the_contract_shows() -> None:
    one = Quote("AAPL", 189.43, 3, 189.44, 5, 1763900000123456)
    other = Trade("AAPL", 189.44, 100, "buy", 1763900000123456)

    assert tick_json(one, Cursor(1763899999000, 42)) == (
        b'{"type":"quote","symbol":"AAPL","bid":189.43,"bid_size":3,"ask":189.44,"ask_size":5,'
        b'"ts":1763900000123456,"cursor":"1763899999000-42"}'
    )
    assert tick_json(other, Cursor(1763899999000, 43)) == (
        b'{"type":"trade","symbol":"AAPL","price":189.44,"size":100,"side":"buy",'
        b'"ts":1763900000123456,"cursor":"1763899999000-43"}'
    )


def test_numbers_are_the_shortest_text() -> None:
    tick = Quote("A", 189.4, 3.0, 189.40000000000001, 100000000.0, 7)

    assert b'"bid":189.4,"bid_size":3,"ask":189.4,"ask_size":100000000,' in tick_json(tick, Cursor(1, 1))


@given(ticks, cursors)
def test_the_encoding_of_a_tick_reads_back_with_its_cursor_last(tick: Tick, cursor: Cursor) -> None:
    encoded = tick_json(tick, cursor)
    read_back = json.loads(encoded)

    assert read_back == fields(tick, cursor)
    assert list(read_back)[-1] == "cursor"
    assert b".0," not in encoded
    assert b"\n" not in encoded


@given(ticks, cursors)
def test_the_cursor_reads_out_of_the_encoding(tick: Tick, cursor: Cursor) -> None:
    assert tick_cursor(entry(tick, cursor)) == cursor


@given(ticks, cursors)
def test_every_transport_carries_the_same_record(tick: Tick, cursor: Cursor) -> None:
    item = entry(tick, cursor)
    expected = fields(tick, cursor)
    records = {codec: read(codec, codec.tick(item)) for codec in CODECS}

    assert records[JSON] == records[MSGPACK] == expected
    assert records[SSE] == {**expected, "id": str(cursor)}
    assert bytes(SSE.record(item)) == bytes(JSON.record(item)) == item.json
    assert msgspec.msgpack.decode(MSGPACK.record(item)) == expected


def test_the_lines_of_an_event_are_event_data_id() -> None:
    message = SSE.tick(entry(trade()))

    assert [line.split(b": ")[0] for line in message.split(b"\n")] == [b"event", b"data", b"id", b"", b""]
    assert SSE.event("hello", {"a": 1}) == b'event: hello\ndata: {"a":1}\n\n'
    assert SSE.event("hello", {"a": 1}, Cursor(1, 0)) == b'event: hello\ndata: {"a":1}\nid: 1-0\n\n'
    assert SSE.retry(1500) == [b"retry: 1500\n\n"]


@given(st.dictionaries(st.text(), st.text() | st.none() | st.integers(0, 2**53), max_size=4))
def test_no_text_ends_a_line_of_an_event(data: dict[str, object]) -> None:
    message = SSE.event("hello", data, Cursor(1, 2))

    assert message.count(b"\n") == 4
    assert b"\r" not in message
    assert json.loads(parse(message).data) == data


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
def test_on_a_socket_the_name_is_the_type_and_the_id_the_cursor(codec: Codec) -> None:
    assert read(codec, codec.event("heartbeat", {"sent": 1}, Cursor(1, 2))) == {
        "type": "heartbeat",
        "sent": 1,
        "cursor": "1-2",
    }
    assert read(codec, codec.event("gap", {"lost": None})) == {"type": "gap", "lost": None}
    assert read(codec, codec.answer({"type": "ack", "id": 7})) == {"type": "ack", "id": 7}
    assert codec.retry(1500) == []


def test_a_stream_answers_nothing() -> None:
    with pytest.raises(NotImplementedError):
        SSE.answer({})


def test_other_data_in_json() -> None:
    assert to_json({"ts": NOON, "a": (1, 2), "b": None}) == b'{"ts":1800000000000000,"a":[1,2],"b":null}'


def test_the_id_of_an_event_may_be_given_as_bytes() -> None:
    assert sse_event(b"refused", b"{}") == b"event: refused\ndata: {}\n\n"


BAR = Bar("AAPL", "1m", 1.0, 2.5, 0.5, 2.0, 12.0, 3, NOON)


def test_a_bar_is_what_the_contract_shows() -> None:
    assert bar_json(BAR) == (
        b'{"type":"bar","symbol":"AAPL","interval":"1m","open":1,"high":2.5,"low":0.5,"close":2,"volume":12,'
        b'"trades":3,"ts":1800000000000000}'
    )
    assert json.loads(bar_json(msgspec.structs.replace(BAR, partial=True, closed=False)))["closed"] is False


@pytest.mark.parametrize("codec", CODECS)
def test_a_bar_has_no_id_and_is_the_same_everywhere(codec: Codec) -> None:
    closed = ClosedBar(BAR, bar_json(BAR), Cursor(1, 1))
    expected = json.loads(bar_json(BAR))
    if codec is SSE:
        expected["id"] = ""

    assert read(codec, codec.bar(closed)) == expected
    assert read(codec, codec.bar(closed)) == expected


def test_a_bar_stands_inside_other_data_too() -> None:
    closed = ClosedBar(BAR, bar_json(BAR), Cursor(1, 1))

    assert json.loads(bytes(JSON.record(closed))) == msgspec.msgpack.decode(MSGPACK.record(closed))


def test_an_instrument_is_what_the_contract_shows() -> None:
    instrument = Instrument("AAPL", "Apple", "Tech", "USD", 0.01, 1.0, 188.2, True)

    assert json.dumps(instrument_record(instrument)) == (
        '{"symbol": "AAPL", "name": "Apple", "sector": "Tech", "currency": "USD", "tick_size": 0.01, '
        '"lot_size": 1, "reference": 188.2, "synthetic": true}'
    )


def test_a_number_beyond_2_53_is_no_integer_of_hundreds_of_digits() -> None:
    # MessagePack has none above 64 bits.
    record = instrument_record(Instrument("A", tick_size=2.0**52, reference=1e300))

    assert (repr(record["tick_size"]), repr(record["reference"])) == ("4503599627370496", "1e+300")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record)) == record


def batches(codec: Codec, items: list[Entry | ClosedBar], known: Cursor, to: Cursor) -> list[dict[str, Any]]:
    """Return batches and bars, read back."""
    messages, _ = encode_items(codec, items, known, to)
    return [read(codec, message) for message in messages]


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_says_from_where_up_to_where_it_is_complete(codec: Codec) -> None:
    items = list(tape_of(quote("A"), trade("B")).ring.slice(0, 2))
    [batch] = batches(codec, list(items), Cursor(EPOCH, 0), Cursor(EPOCH, 9))

    assert (batch["type"], batch["from"], batch["to"]) == ("ticks", f"{EPOCH}-0", f"{EPOCH}-9")
    assert batch["ticks"] == [json.loads(item.json) for item in items]
    assert batch["id" if codec is SSE else "cursor"] == batch["to"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_is_never_empty(codec: Codec) -> None:
    messages, known = encode_items(codec, [], Cursor(EPOCH, 3), Cursor(EPOCH, 9))

    assert messages == []
    assert known == Cursor(EPOCH, 3)


@pytest.mark.parametrize("codec", CODECS)
def test_a_bar_stands_between_two_batches_the_first_of_which_ends_at_the_tick_before_the_closing_one(
    codec: Codec,
) -> None:
    tape = tape_of(trade("A", ts=NOON), trade("B", ts=NOON))
    put(tape, trade("A", ts=NOON + SECOND))
    entries = tape.ring.slice(0, 3)
    [bar] = [closed for closed in entries[2].bars if closed.bar.symbol == "A" and closed.bar.interval == "1s"]
    found = batches(codec, [entries[0], bar, entries[2]], Cursor(EPOCH, 0), Cursor(EPOCH, 3))

    assert [each["type"] for each in found] == ["ticks", "bar", "ticks"]
    # The second tick doesn't match; the first batch is complete up to it all the same.
    assert [(each["from"], each["to"]) for each in found[::2]] == [
        (f"{EPOCH}-0", f"{EPOCH}-2"),
        (f"{EPOCH}-2", f"{EPOCH}-3"),
    ]


def test_bars_alone_move_nobody() -> None:
    closed = ClosedBar(BAR, bar_json(BAR), Cursor(EPOCH, 5))
    messages, known = encode_items(JSON, [closed, closed], Cursor(EPOCH, 3), Cursor(EPOCH, 9))

    assert len(messages) == 2
    assert known == Cursor(EPOCH, 3)


# In MessagePack, whose floats always take nine bytes, larger than in JSON.
SMALLEST = [Quote("A", 1.0, 1.0, 1.0, 1.0, 5)] * 2500
LARGEST = [Quote("A" * 32, 123456.789, 1e300 / 3, 123456.799, 1e300 / 7, NOON)] * 1500


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("stream", [SMALLEST, LARGEST])
def test_a_batch_is_at_most_64_kib_and_batches_join_without_a_seam(codec: Codec, stream: list[Tick]) -> None:
    entries = tape_of(*stream, size=len(stream)).ring.slice(0, len(stream))
    messages, known = encode_items(codec, list(entries), Cursor(EPOCH, 0), Cursor(EPOCH, len(stream)))
    found = [read(codec, message) for message in messages]

    assert len(messages) > 2
    assert max(len(message) for message in messages) <= 64 * 1024
    assert min(len(message) for message in messages[:-1]) > 40 * 1024
    cursors = [tick["cursor"] for batch in found for tick in batch["ticks"]]
    assert cursors == [str(tick_cursor(each)) for each in entries]
    assert all(one["to"] == other["from"] for one, other in pairwise(found))
    assert (found[0]["from"], found[-1]["to"]) == (f"{EPOCH}-0", str(known))


def test_whole_numbers_only_lose_their_fraction() -> None:
    record = instrument_record(Instrument("A", reference=-0.5, lot_size=math.pi))

    assert (record["reference"], record["lot_size"]) == (-0.5, math.pi)
