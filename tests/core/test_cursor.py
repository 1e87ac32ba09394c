from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.core.codes import BadCursor
from ticker.core.cursor import LIMIT, Cursor

parts = st.integers(0, LIMIT - 1)
cursors = st.builds(Cursor, parts, parts)


@given(cursors)
def test_text_reads_back(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


def test_the_text_is_epoch_hyphen_seq() -> None:
    assert str(Cursor(1763899999000, 42)) == "1763899999000-42"


@given(cursors, cursors)
def test_they_order_by_epoch_then_seq(one: Cursor, other: Cursor) -> None:
    expected = one.epoch < other.epoch or (one.epoch == other.epoch and one.seq < other.seq)

    assert (one < other) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "1", "1-", "-1", "1-2-3", "01-1", "1-01", "00-0", "+1-1", "1--1", " 1-1", "1-1 ", "1-1\n"),
        *("a-b", "1.0-1", "1e3-1", "0x1-1", "1_0-1", "٣-1", "earliest", "latest", "1-2;", "1\u20132"),
        *(f"{LIMIT}-1", f"1-{LIMIT}", "99999999999999999-1", "1-" + "9" * 5000),
    ],
)
def test_text_that_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursor) as refused:
        Cursor.parse(text)

    assert (refused.value.status, refused.value.code, refused.value.field) == (400, "bad_cursor", "cursor")


@pytest.mark.parametrize("text", ["0-0", "1-0", f"{LIMIT - 1}-{LIMIT - 1}"])
def test_the_ends_of_the_range_are_cursors(text: str) -> None:
    assert str(Cursor.parse(text)) == text


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_refused_and_what_is_read_is_canonical(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except BadCursor:
        return
    assert str(cursor) == text


def test_the_error_names_the_field_that_was_read() -> None:
    with pytest.raises(BadCursor) as refused:
        Cursor.parse("x", "last_event_id")

    assert refused.value.field == "last_event_id"
