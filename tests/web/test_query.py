from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers, MultiDict

from ticker.core.codes import BadCursor, BadRequest, BadSymbols
from ticker.core.cursor import Cursor
from ticker.core.session import Wish
from ticker.web.query import Arguments, Query, one, parse_query, parse_start, seconds, switch, whole, within

HERE, THERE = "1700000000000-5", "1700000000000-9"


def arguments(**values: Any) -> Arguments:
    """Return decoded parameters; a list gives one more than once."""
    return MultiDict(values)


def parse(headers: dict[str, str] | None = None, /, **values: Any) -> Query:
    """Read a query; with headers that of a stream."""
    return parse_query(arguments(**values), 1000, Headers(headers) if headers is not None else None)


def test_an_empty_query_asks_for_nothing_in_particular() -> None:
    assert parse() == Query(Wish(), None, False, None)


def test_every_parameter_is_read() -> None:
    query = parse(
        symbols="AAPL,BTC*,sector:Real Estate",
        types="bar,quote",
        interval="5s",
        conflate="250",
        cursor=HERE,
        batch="1",
        session="a-session-of-mine",
        colour="red",
    )

    wish = Wish(("AAPL", "BTC*", "sector:Real Estate"), ("quote", "bar"), "5s", 250)
    assert query == Query(wish, Cursor.parse(HERE), True, "a-session-of-mine")


@pytest.mark.parametrize(("symbols", "names"), [("", ()), ("A,A,B", ("A", "B"))])
def test_symbols_that_are_empty_or_repeated(symbols: str, names: tuple[str, ...]) -> None:
    assert parse(symbols=symbols).wish.symbols == names


@pytest.mark.parametrize("name", ["symbols", "types", "interval", "conflate", "cursor", "batch", "session"])
def test_a_parameter_given_twice_is_wrong(name: str) -> None:
    value = {"symbols": "A", "types": "quote", "interval": "1m", "conflate": "20", "cursor": HERE, "batch": "1"}
    with pytest.raises(BadRequest) as refused:
        parse(**{name: [value.get(name, "a-session-of-mine")] * 2})

    assert refused.value.field == name


def test_an_unknown_parameter_may_be_given_twice() -> None:
    assert parse(colour=["red", "blue"]) == Query(Wish(), None, False, None)


@pytest.mark.parametrize("name", ["cursor", "last_event_id", "lastEventId"])
def test_a_cursor_has_three_names(name: str) -> None:
    assert parse(**{name: HERE}).start == Cursor.parse(HERE)
    assert parse(**{name: "earliest"}).start == "earliest"
    assert parse(**{name: ""}).start is None
    with pytest.raises(BadCursor) as refused:
        parse(**{name: "newest"})
    assert refused.value.field == name


def test_two_names_of_a_cursor_are_one_parameter_given_twice() -> None:
    with pytest.raises(BadRequest, match="same parameter"):
        parse(cursor=HERE, lastEventId=HERE)


@pytest.mark.parametrize(
    ("header", "cursor", "start"),
    [
        (HERE, THERE, Cursor.parse(HERE)),
        (HERE, "nonsense", Cursor.parse(HERE)),
        ("", THERE, Cursor.parse(THERE)),
        ("nonsense", THERE, "unknown"),
        ("earliest", THERE, "unknown"),
        ("nonsense", "", "unknown"),
    ],
)
def test_the_header_wins_over_the_query(header: str, cursor: str, start: object) -> None:
    assert parse({"Last-Event-ID": header}, cursor=cursor).start == start


def test_the_header_does_not_excuse_a_wrong_query() -> None:
    with pytest.raises(BadCursor):
        parse({"Last-Event-ID": "nonsense"}, cursor="nonsense")


def test_without_headers_only_the_query_counts() -> None:
    assert parse(None, cursor=THERE).start == Cursor.parse(THERE)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1_0", " 1", "\u0661", "1" * 17, "x"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        whole(arguments(limit=text), "limit")

    assert refused.value.field == "limit"


def test_a_whole_number_within_a_range() -> None:
    assert within(arguments(limit="10"), "limit", 1, 10, 5) == 10
    assert within(arguments(), "limit", 1, 10, 5) == 5
    for text in ("0", "11"):
        with pytest.raises(BadRequest, match="from 1 to 10"):
            within(arguments(limit=text), "limit", 1, 10, 5)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("25", 25), ("0.5", 0.5)])
def test_seconds(text: str, value: float) -> None:
    assert seconds(arguments(wait=text), "wait", 25, 3) == value


@pytest.mark.parametrize("text", ["", "x", "-0.1", "25.1", "nan", "inf", "1e9"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadRequest, match="from 0 to 25"):
        seconds(arguments(wait=text), "wait", 25, 3)


def test_a_switch() -> None:
    assert [switch(arguments(batch=text), "batch") for text in ("1", "0", "")] == [True, False, False]
    assert switch(arguments(), "batch") is False
    with pytest.raises(BadRequest):
        switch(arguments(batch="true"), "batch")


def test_a_parameter_that_is_absent() -> None:
    assert one(arguments(), "cursor") is None
    assert parse_start(None) is None


def test_a_limit_of_names_is_obeyed() -> None:
    with pytest.raises(BadSymbols):
        parse_query(arguments(symbols="A,B,C"), 2)


NAMES = st.sampled_from(["symbols", "types", "interval", "conflate", "cursor", "lastEventId", "batch", "session"])
VALUES = st.text(max_size=30) | st.sampled_from([HERE, "1m", "20", "earliest", "A,B*"])


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2)), st.none() | st.text(max_size=30))
def test_no_query_makes_a_bug(values: dict[str, list[str]], header: str | None) -> None:
    headers = Headers({"Last-Event-ID": quote(header)} if header is not None else {})
    with suppress(BadCursor, BadRequest, BadSymbols):
        assert parse_query(MultiDict(values), 1000, headers).batched in (True, False)
