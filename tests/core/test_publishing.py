from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import NOON
from ticker.core.codes import BadRequest, BadSymbols, RequestError
from ticker.core.publishing import FUTURE, Published, Rules, check_instrument, decode_array, decode_lines, decode_raw
from ticker.core.tick import Instrument, Quote, Tick, Trade

QUOTE = {"type": "quote", "symbol": "A", "bid": 1.5, "bid_size": 3, "ask": 1.51, "ask_size": 5, "ts": NOON}
TRADE = {"type": "trade", "symbol": "A", "price": 1.5, "size": 2, "side": "buy", "ts": NOON}


def check(*ticks: dict[str, Any], place: str = "", **rules: Any) -> list[Tick]:
    """Publish ticks at noon, to a market that knows nothing unless told."""
    instruments = rules.pop("instruments", {})
    return Rules(instruments, lambda: NOON, **rules).check(decode_array(json.dumps(ticks).encode()), place)


def refused(call: Callable[[], object]) -> tuple[str, str | None]:
    """Return the code and field of the error that a call ends with."""
    with pytest.raises(RequestError) as caught:
        call()
    return caught.value.code, caught.value.field


def test_ticks_get_their_types() -> None:
    assert check(QUOTE, TRADE) == [Quote("A", 1.5, 3, 1.51, 5, NOON), Trade("A", 1.5, 2, "buy", NOON)]


def test_a_tick_without_a_time_happens_now() -> None:
    quote = {name: value for name, value in QUOTE.items() if name != "ts"}

    assert [tick.ts for tick in check(quote, TRADE | {"ts": None}, TRADE | {"ts": 7})] == [NOON, NOON, 7]


@pytest.mark.parametrize("side", ["buy", "sell", None])
def test_sides(side: str | None) -> None:
    [tick] = check(TRADE | {"side": side})

    assert isinstance(tick, Trade)
    assert tick.side == side


def test_a_negative_zero_is_a_size_of_zero() -> None:
    quote, trade = check(QUOTE | {"bid_size": -0.0, "ask_size": -0.0}, TRADE | {"size": -0.0})

    assert b"-0" not in msgspec.json.encode([quote, trade])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"{}", None),
        (b"[", None),
        (b"\xff", None),
        (b'[{"type":"trade","symbol":"\xff"}]', None),
        (b"[" * 100_000, "[0]"),
        (b"[1]", "[0]"),
        (b'[{"type":"bar"}]', "[0].type"),
        (b'[{"symbol":"A"}]', "[0].type"),
        (json.dumps([QUOTE] * 3 + [QUOTE | {"bid": "1"}]).encode(), "[3].bid"),
        (json.dumps([TRADE | {"side": "short"}]).encode(), "[0].side"),
        (json.dumps([TRADE | {"ts": 1.5}]).encode(), "[0].ts"),
        (b'[{"type":"trade","symbol":"A","price":1e999,"size":1}]', "[0].price"),
        (b'[{"type":"trade","symbol":"A","price":NaN,"size":1}]', None),
        (b'[{"type":"trade","symbol":"A","price":1,"size":1,"x":' + b"[" * 100_000, None),
    ],
)
def test_what_is_no_array_of_ticks(body: bytes, field: str | None) -> None:
    assert refused(lambda: decode_array(body)) == ("bad_request", field)


def test_lines_are_the_same_ticks_and_blank_ones_are_left_out() -> None:
    lines = b"\n%b\r\n \n%b" % (json.dumps(QUOTE).encode(), json.dumps(TRADE).encode())

    assert decode_lines(lines) == decode_array(json.dumps([QUOTE, TRADE]).encode())
    assert decode_lines(b"\n \n") == []


@pytest.mark.parametrize(("line", "field"), [("{}", "[1].type"), (json.dumps(TRADE | {"price": None}), "[1].price")])
def test_a_bad_line_is_named_by_its_index(line: str, field: str) -> None:
    body = f"{json.dumps(QUOTE)}\n{line}\n".encode()

    assert refused(lambda: decode_lines(body)) == ("bad_request", field)


def test_the_op_takes_them_in_both_formats() -> None:
    expected = decode_array(json.dumps([QUOTE, TRADE]).encode())

    assert decode_raw(json.dumps([QUOTE, TRADE]).encode(), binary=False) == expected
    assert decode_raw(msgspec.msgpack.encode([QUOTE, TRADE]), binary=True) == expected


@pytest.mark.parametrize(
    ("ticks", "field"), [(3, "ticks"), ([3], "ticks[0]"), ([TRADE | {"size": ""}], "ticks[0].size")]
)
def test_the_op_names_its_field(ticks: object, field: str) -> None:
    for raw, binary in ((msgspec.json.encode(ticks), False), (msgspec.msgpack.encode(ticks), True)):
        assert refused(lambda raw=raw, binary=binary: decode_raw(raw, binary)) == ("bad_request", field)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tick", "code", "field"),
    [
        (TRADE | {"symbol": "a"}, "bad_symbols", "symbol"),
        (TRADE | {"symbol": "A" * 33}, "bad_symbols", "symbol"),
        (TRADE | {"symbol": "A\n"}, "bad_symbols", "symbol"),
        (TRADE | {"ts": -1}, "bad_request", "ts"),
        (TRADE | {"ts": 2**53}, "bad_request", "ts"),
        (TRADE | {"ts": NOON + FUTURE + 1}, "bad_request", "ts"),
        (TRADE | {"price": 0}, "bad_request", "price"),
        (TRADE | {"price": -1.5}, "bad_request", "price"),
        (TRADE | {"price": 1.505}, "bad_request", "price"),
        (TRADE | {"price": 1e308}, "bad_request", "price"),
        (TRADE | {"size": -1}, "bad_request", "size"),
        (QUOTE | {"bid": 0}, "bad_request", "bid"),
        (QUOTE | {"bid": 1.501}, "bad_request", "bid"),
        (QUOTE | {"ask": 1.511}, "bad_request", "ask"),
        (QUOTE | {"bid_size": -1}, "bad_request", "bid_size"),
        (QUOTE | {"ask_size": -1}, "bad_request", "ask_size"),
        (QUOTE | {"bid": 1.52}, "bad_request", "bid"),
    ],
)
def test_each_rule_names_the_index_and_the_field(tick: dict[str, Any], code: str, field: str) -> None:
    assert refused(lambda: check(QUOTE, tick)) == (code, f"[1].{field}")
    assert refused(lambda: check(QUOTE, tick, place="ticks")) == (code, f"ticks[1].{field}")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["price", "size"])
def test_msgpack_brings_no_numbers_that_json_has_not(number: float, field: str) -> None:
    published = decode_raw(msgspec.msgpack.encode([TRADE | {field: number}]), binary=True)

    assert refused(lambda: Rules({}, lambda: NOON).check(published)) == ("bad_request", f"[0].{field}")


def test_the_largest_times_and_a_locked_quote_are_good() -> None:
    late, locked = check(TRADE | {"ts": NOON + FUTURE}, QUOTE | {"bid": 1.51})

    assert late.ts == NOON + 60_000_000
    assert isinstance(locked, Quote)
    assert locked.bid == locked.ask


def test_a_crossed_quote_is_good_where_it_is_allowed() -> None:
    [tick] = check(QUOTE | {"bid": 1.52}, allow_crossed=True)

    assert isinstance(tick, Quote)
    assert tick.bid > tick.ask


def test_nothing_is_no_publication() -> None:
    assert refused(lambda: check()) == ("bad_request", None)
    assert refused(lambda: check(place="ticks")) == ("bad_request", "ticks")


def test_there_are_as_many_symbols_as_allowed_and_no_more() -> None:
    known = {"A": Instrument("A")}
    two = [TRADE, TRADE | {"symbol": "B"}, TRADE | {"symbol": "B"}]

    assert len(check(*two, instruments=known, max_symbols=2)) == 3
    three = [*two, TRADE | {"symbol": "C"}]
    assert refused(lambda: check(*three, instruments=known, max_symbols=2)) == ("bad_symbols", "symbol")
    assert refused(lambda: check(*three, place="ticks", instruments=known, max_symbols=2)) == ("bad_symbols", "ticks")


@given(st.sampled_from([0.01, 0.05, 0.25, 1, 5, 0.00001, 1e-8]), st.integers(1, 10**7))
def test_every_multiple_of_the_tick_size_is_on_the_grid_and_half_a_step_is_not(grid: float, steps: int) -> None:
    known = {"A": Instrument("A", tick_size=grid)}
    price = float(f"{steps * grid:.8f}")

    [tick] = check(TRADE | {"price": price}, instruments=known)
    assert isinstance(tick, Trade)
    assert tick.price == price
    assert refused(lambda: check(TRADE | {"price": price + grid / 2}, instruments=known))[1] == "[0].price"


def test_published_ticks_are_quotes_or_trades() -> None:
    kinds: list[Published] = decode_array(json.dumps([QUOTE, TRADE]).encode())

    assert [kind.__struct_config__.tag for kind in kinds] == ["quote", "trade"]


def test_a_good_instrument() -> None:
    check_instrument(Instrument("BTC/USD", "Bitcoin, ₿", "Crypto", "USD", 0.01, 1e-8, 60_000.5))
    check_instrument(Instrument("A", name="x" * 200, reference=None))


@pytest.mark.parametrize(
    ("instrument", "code", "field"),
    [
        (Instrument("a"), "bad_symbols", "symbol"),
        (Instrument("A", tick_size=0), "bad_request", "tick_size"),
        (Instrument("A", tick_size=float("inf")), "bad_request", "tick_size"),
        (Instrument("A", lot_size=-1), "bad_request", "lot_size"),
        (Instrument("A", lot_size=float("nan")), "bad_request", "lot_size"),
        (Instrument("A", reference=float("nan")), "bad_request", "reference"),
        (Instrument("A", name="x" * 201), "bad_request", "name"),
        (Instrument("A", sector="a\nb"), "bad_request", "sector"),
        (Instrument("A", currency="\x00"), "bad_request", "currency"),
    ],
)
def test_each_rule_of_an_instrument_names_its_field(instrument: Instrument, code: str, field: str) -> None:
    assert refused(lambda: check_instrument(instrument)) == (code, field)


def test_both_kinds_of_error_are_answered_with_400() -> None:
    assert {BadRequest("").status, BadSymbols("").status} == {400}
