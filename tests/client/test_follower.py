"""The follower obeys the shared cases, whichever way its messages come."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ticker.client import Follower, Item
from ticker.client.follower import BARS_LIMIT
from ticker.client.messages import Event, read_event, read_frame, read_page
from ticker.core.codes import Violation
from ticker.core.cursor import Cursor
from ticker.core.eventstream import ServerEvent
from ticker.core.tick import Bar

FILE = Path(__file__).parent.parent / "conformance" / "follower.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


def spell_out(value: Any) -> Any:
    """Put records in the place of their words."""
    if isinstance(value, dict):
        return {name: value if name == "symbols" else spell_out(value) for name, value in value.items()}
    if isinstance(value, list):
        return [spell_out(element) for element in value]
    if isinstance(value, str) and value[:1] in ("q", "t") and value[1:].isdigit():
        return record(value[0], int(value[1:]))
    return value


def record(kind: str, number: int) -> dict[str, Any]:
    common = {"symbol": "A", "ts": number, "cursor": f"1-{number}"}
    if kind == "q":
        return {"type": "quote", "bid": 1.0, "bid_size": 1.0, "ask": 1.5, "ask_size": 2.0} | common
    return {"type": "trade", "price": 1.25, "size": 1.0, "side": "buy"} | common


def as_event(message: dict[str, Any]) -> Event | None:
    """Read a message as it comes over Server-Sent Events, or in the body of a poll's answer."""
    data = {name: value for name, value in message.items() if name != "type"}
    if message["type"] == "poll":
        return read_page(json.dumps(data).encode())
    return read_event(ServerEvent(message["type"], json.dumps(data), ""))


def as_json(message: dict[str, Any]) -> Event | None:
    return read_frame(json.dumps(message))


def as_msgpack(message: dict[str, Any]) -> Event | None:
    return read_frame(msgspec.msgpack.encode(message))


def without_places(value: Any) -> Any:
    """Take the cursors off records: an item that is yielded has none."""
    if isinstance(value, list):
        return [without_places(element) for element in value]
    if isinstance(value, dict):
        is_tick = value.get("type") in ("quote", "trade")
        return {name: without_places(part) for name, part in value.items() if not (is_tick and name == "cursor")}
    return value


@pytest.mark.parametrize("read", [as_event, as_json, as_msgpack])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_obeys_the_shared_cases(case: dict[str, Any], read: Any) -> None:
    follower = Follower(Cursor.parse(case["cursor"]) if case["cursor"] else None, snapshots=True)
    messages = [read(message) for message in spell_out(case["messages"])]
    items: list[Item] = []
    *before, last = messages
    for message in before:
        items += follower.receive(message)
    if case.get("violation"):
        with pytest.raises(Violation):
            items += follower.receive(last)
    else:
        items += follower.receive(last)

    assert [msgspec.to_builtins(item) for item in items] == without_places(spell_out(case["yields"]))
    assert (str(follower.position) if follower.position else None) == case["after"]
    assert {name: count for name, count in asdict(follower.statistics).items() if count} == case["counts"]
    assert follower.state == case.get("state", "live")


def test_the_position_goes_along_with_a_batch() -> None:
    follower = Follower(Cursor(1, 0))
    batch = as_json(spell_out({"type": "ticks", "from": "1-0", "to": "1-9", "ticks": ["q1", "q2", "q3"]}))
    assert batch is not None
    items = follower.receive(batch)
    next(items)
    next(items)

    assert follower.position == Cursor(1, 2)


def test_snapshots_are_yielded_only_if_asked_for() -> None:
    follower = Follower()
    snapshot = as_json({"type": "snapshot", "cursor": "1-4", "scope": "all", "quotes": [], "trades": []})
    assert snapshot is not None

    assert list(follower.receive(snapshot)) == []
    assert follower.position == Cursor(1, 4)


def test_remembers_a_bounded_number_of_bars() -> None:
    follower = Follower()
    bars = [Bar("A", "1s", 1, 1, 1, 1, 1, 1, ts) for ts in range(BARS_LIMIT + 1)]
    for bar in bars:
        assert list(follower.receive(bar)) == [bar]

    assert list(follower.receive(bars[-1])) == []
    assert list(follower.receive(bars[0])) == [bars[0]]


@pytest.mark.parametrize("frame", ['{"type":"hello"}', "[]", "no", b"\xc1", '{"type":1}'])
def test_a_frame_that_breaks_the_contract_is_a_violation(frame: str | bytes) -> None:
    with pytest.raises(Violation):
        read_frame(frame)


def test_unknown_events_are_nothing_and_bad_ones_violations() -> None:
    assert read_event(ServerEvent("news", "{}", "")) is None
    assert read_frame('{"type":"news"}') is None
    assert read_frame(msgspec.msgpack.encode({"type": "news"})) is None
    with pytest.raises(Violation, match="hello"):
        read_event(ServerEvent("hello", "{}", ""))
