from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.records import decode_capture, decode_record
from tests.support.capture import capture_lines, capture_ticks
from ticker.core.tick import SYMBOL, Quote, Tick, Trade

QUOTE = b'{"type":"quote","symbol":"AAPL","bid":189.43,"bid_size":3,"ask":189.44,"ask_size":5,"ts":1763900000123456}'
SAMPLES = [QUOTE, *capture_lines()[:20]]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("spqmbBaA") | st.text(), inner),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a line of which a piece was replaced by anything."""
    line = draw(st.sampled_from(SAMPLES))
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 8)))
    return line[:start] + draw(st.binary(max_size=8)) + line[end:]


def assert_sound(tick: Tick) -> None:
    sizes = [tick.size] if isinstance(tick, Trade) else [tick.bid_size, tick.ask_size]
    prices = [tick.price] if isinstance(tick, Trade) else [tick.bid, tick.ask]
    assert all(0 <= size < float("inf") for size in sizes)
    assert all(abs(price) < float("inf") for price in prices)
    assert 0 <= tick.ts < 2**53


@settings(deadline=None)
@given(st.binary() | mutated())
def test_any_line_is_a_record_or_a_value_error(line: bytes) -> None:
    for decode in (decode_record, decode_capture):
        try:
            record = decode(line)
        except ValueError:
            continue
        if isinstance(record, Quote | Trade):
            assert_sound(record)


@settings(deadline=None)
@given(stream=st.sampled_from(["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@100ms"]), data=JSON)
def test_any_data_in_a_frame_is_a_tick_or_a_value_error(stream: str, data: object) -> None:
    try:
        tick = decode_capture(b"1723161600001658384 " + msgspec.json.encode({"stream": stream, "data": data}))
    except ValueError:
        return
    if tick is not None:
        assert isinstance(tick, Quote | Trade)
        assert_sound(tick)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["type", *Quote.__struct_fields__, *Trade.__struct_fields__]), JSON))
def test_any_object_is_a_record_or_a_value_error(fields: dict[str, object]) -> None:
    try:
        record = decode_record(msgspec.json.encode(fields))
    except ValueError:
        return

    assert record is None or isinstance(record, Quote | Trade)


def test_a_cursor_is_ignored() -> None:
    assert decode_record(QUOTE[:-1] + b',"cursor":"1763899999000-42"}') == decode_record(QUOTE)


def test_the_order_of_the_fields_does_not_matter() -> None:
    fields = msgspec.json.decode(QUOTE)
    reversed_line = msgspec.json.encode(dict(reversed(fields.items())))

    assert decode_record(reversed_line) == Quote("AAPL", 189.43, 3, 189.44, 5, 1763900000123456)


@pytest.mark.parametrize(
    ("field", "value"),
    [("b", "NaN"), ("b", "inf"), ("b", "-1"), ("b", "1_0"), ("b", " 1"), ("b", "1e400"), ("B", "-0.1"), ("s", None)],
)
def test_a_frame_with_a_wrong_number_is_damaged(field: str, value: str | None) -> None:
    frame = {"stream": "btcusdt@bookTicker", "data": {"s": "BTCUSDT", "b": "1", "B": "2", "a": "3", "A": "4"}}
    line = b"1723161600001658384 " + msgspec.json.encode({**frame, "data": {**frame["data"], field: value}})  # type: ignore[dict-item]
    with pytest.raises(ValueError):  # noqa: PT011 - the decoder's own sentence
        decode_capture(line)


@pytest.mark.parametrize("received", [b"", b"-1", b"1.5", b"1e9", b" 1", b"+1", b"1_0", b"9" * 19, b"9" * 5000])
def test_a_line_without_a_receive_time_is_damaged(received: bytes) -> None:
    _, _, frame = capture_lines()[1].partition(b" ")
    with pytest.raises(ValueError, match="time in nanoseconds"):
        decode_capture(received + b" " + frame)


def test_a_frame_nested_beyond_all_measure_is_damaged() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        decode_capture(b'1 {"stream":"a@trade","data":' + b"[" * 100_000)


def test_every_line_of_the_capture_is_decoded_to_the_letter() -> None:
    ticks = [tick for line in capture_lines() if (tick := decode_capture(line)) is not None]

    assert ticks == capture_ticks()
    assert all(SYMBOL.fullmatch(tick.symbol) for tick in capture_ticks())
