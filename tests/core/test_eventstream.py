"""The event stream parser: the shared cases at every cut, and its bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.core.codes import Violation
from ticker.core.eventstream import EVENT_LIMIT, EventStreamParser, ServerEvent

FILE = Path(__file__).parent.parent / "conformance" / "eventstream.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


def stream_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["hex"]) if "hex" in case else str(case["text"]).encode()


def parse(chunks: Iterable[bytes], parser: EventStreamParser) -> list[ServerEvent]:
    events: list[ServerEvent] = []
    for chunk in chunks:
        parser.feed(chunk)
        events += parser.events()
    return events


def check(case: dict[str, Any], chunks: Iterable[bytes]) -> None:
    parser = EventStreamParser()
    events = parse(chunks, parser)

    assert [ServerEvent(*event) for event in case["events"]] == events
    assert case.get("retry") == parser.retry
    if "last_event_id" in case:
        assert case["last_event_id"] == parser.last_event_id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_parses_a_stream_whole_in_single_bytes_and_cut_at_each_byte(case: dict[str, Any]) -> None:
    data = stream_of(case)

    check(case, [data])
    check(case, [data[i : i + 1] for i in range(len(data))])
    for cut in range(len(data)):
        check(case, [data[:cut], b"", data[cut:]])


PIECES = st.sampled_from(
    [b"\r", b"\n", b"data", b": ", b":", b"id", b"event", b"retry", b"x", b"12", b"\0", b"\xef\xbb\xbf", b"\xe2\x82"]
)


@given(st.lists(PIECES, max_size=40).map(b"".join), st.lists(st.integers(0, 100), max_size=5).map(sorted))
@example(b"\r\n", [1])
def test_gives_the_same_events_wherever_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, cut = EventStreamParser(limit=60), EventStreamParser(limit=60)
    places = [0, *cuts, len(data)]
    chunks = [data[a:b] for a, b in pairwise(places)]

    assert outcome([data], whole) == outcome(chunks, cut)
    assert whole.retry == cut.retry
    assert whole.last_event_id == cut.last_event_id


def outcome(chunks: Iterable[bytes], parser: EventStreamParser) -> tuple[list[ServerEvent], bool]:
    """Return the events, and whether the parser then gave up."""
    events: list[ServerEvent] = []
    try:
        for chunk in chunks:
            parser.feed(chunk)
            for event in parser.events():
                events.append(event)  # noqa: PERF402  what came before the error counts
    except Violation:
        return events, True
    return events, False


@pytest.mark.parametrize("line", [b"data: ", b": ", b"id: ", b""])
def test_refuses_a_line_without_an_end(line: bytes) -> None:
    parser = EventStreamParser(limit=1000)

    with pytest.raises(Violation, match="more than 1000 bytes"):
        parse([line] + [b"x" * 100] * 11, parser)


def test_refuses_an_event_of_many_lines_without_an_end() -> None:
    parser = EventStreamParser(limit=1000)

    with pytest.raises(Violation, match="more than 1000 bytes"):
        parse([b"data\n"] * 1001, parser)


def test_a_limit_is_for_one_event_not_for_the_stream() -> None:
    parser = EventStreamParser(limit=30)

    events = parse([b"data: 0123456789\n\n" * 100], parser)

    assert len(events) == 100


def test_takes_an_event_of_four_mebibytes() -> None:
    data = b"x" * 4 * 2**20
    stream = b"event: snapshot\ndata: " + data + b"\nid: 9007199254740991-9007199254740991\n\n"
    events = parse([stream[i : i + 2**16] for i in range(0, len(stream), 2**16)], EventStreamParser())

    assert len(data) < EVENT_LIMIT
    assert [("snapshot", len(data))] == [(event.name, len(event.data)) for event in events]
