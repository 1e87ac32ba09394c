"""Query: the parameters of streams, sockets and polls (PROTOCOL.md sections 4 to 6)."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import Headers, MultiDict

from ticker.core.codes import BadCursor, BadRequest
from ticker.core.cursor import Cursor
from ticker.core.follower import Start
from ticker.core.session import Wish, parse_session_id, parse_wish

_CURSOR_NAMES = ("cursor", "last_event_id", "lastEventId")

Arguments = MultiDict[str, str]


@dataclass(frozen=True)
class Query:
    """What a data connection asks for."""

    wish: Wish
    start: Start
    batched: bool
    session: str | None


def parse_query(arguments: Arguments, limit: int, headers: Headers | None = None) -> Query:
    """Read a query.

    Args:
        arguments: the decoded parameters.
        limit: names and patterns in a subscription.
        headers: given on the stream only, whose ``Last-Event-ID`` wins over ``cursor``.

    Raises:
        RequestError: a parameter is wrong, or given twice.
    """
    session = one(arguments, "session")
    return Query(
        parse_wish(
            _list(arguments, "symbols"),
            _list(arguments, "types"),
            one(arguments, "interval"),
            whole(arguments, "conflate"),
            limit,
        ),
        _parse_start(arguments, headers),
        switch(arguments, "batch"),
        parse_session_id(session) if session is not None else None,
    )


def one(arguments: Arguments, name: str) -> str | None:
    """Return a parameter, None where it is absent.

    Raises:
        BadRequest: it is given twice.
    """
    values = arguments.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"{name} is given twice", name)
    return values[0] if values else None


def whole(arguments: Arguments, name: str, default: int | None = None) -> int | None:
    """Return a parameter that is a whole number.

    Raises:
        BadRequest: it is none.
    """
    text = one(arguments, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise BadRequest(f"{name} is a whole number", name)
    return int(text)


def within(arguments: Arguments, name: str, low: int, high: int, default: int) -> int:
    """Return a parameter that is a whole number within a range, both ends included.

    Raises:
        BadRequest: it is none.
    """
    value = whole(arguments, name, default)
    assert value is not None
    if not low <= value <= high:
        raise BadRequest(f"{name} is a whole number from {low} to {high}", name)
    return value


def seconds(arguments: Arguments, name: str, high: float, default: float) -> float:
    """Return a parameter that is a number of seconds from 0 to ``high``.

    Raises:
        BadRequest: it is none.
    """
    text = one(arguments, name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= high:
        raise BadRequest(f"{name} is a number of seconds from 0 to {high:g}", name)
    return value


def switch(arguments: Arguments, name: str) -> bool:
    """Return a parameter that is 1 or 0.

    Raises:
        BadRequest: it is neither.
    """
    text = one(arguments, name)
    if text not in (None, "", "0", "1"):
        raise BadRequest(f"{name} is 1 or 0", name)
    return text == "1"


def _list(arguments: Arguments, name: str) -> list[str] | None:
    text = one(arguments, name)
    if text == "" and name == "symbols":
        return []
    return None if text is None else text.split(",")


def parse_start(text: str | None, field: str = "cursor") -> Start:
    """Read a cursor or a reserved word; empty counts as absent.

    Raises:
        BadCursor: it is neither.
    """
    match text:
        case None | "":
            return None
        case "earliest" | "latest":
            return text
    return Cursor.parse(text, field)


def _parse_start(arguments: Arguments, headers: Headers | None) -> Start:
    last_event_id = headers.get("Last-Event-ID", "") if headers is not None else ""
    if last_event_id:
        try:
            return Cursor.parse(last_event_id)
        except BadCursor:
            # A browser sends this header by itself, so it is answered with a gap; the query is the page's own.
            _query_start(arguments)
            return "unknown"
    return _query_start(arguments)


def _query_start(arguments: Arguments) -> Start:
    given = [name for name in _CURSOR_NAMES if one(arguments, name) is not None]
    if len(given) > 1:
        raise BadRequest(f"{given[0]} and {given[1]} are the same parameter", given[1])
    return parse_start(one(arguments, given[0]), given[0]) if given else None
