from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.checkout import ROOT
from ticker.core import codes
from ticker.core.codes import (
    STATUS,
    BadCursor,
    BadRecording,
    BadRequest,
    BadSymbols,
    ClientError,
    Close,
    Disconnected,
    FeedError,
    Refused,
    RequestError,
    StartError,
    TickerError,
    Violation,
)

PROTOCOL = Path(ROOT, "docs", "PROTOCOL.md").read_text()

CLASSES = [kind for kind in vars(codes).values() if isinstance(kind, type) and issubclass(kind, TickerError)]


def test_statuses_are_those_of_the_contract() -> None:
    line = next(line for line in PROTOCOL.splitlines() if line.startswith("Errors are `application/json`"))
    written: dict[str, int] = {}
    for status, text in re.findall(r"\b([45]\d\d)\b((?: `\w+`)+)", line):
        written |= dict.fromkeys(re.findall(r"\w+", text), int(status))

    assert len(written) == 12
    assert {code: STATUS[code] for code in written} == written


def test_close_codes_are_those_of_the_contract() -> None:
    written = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", PROTOCOL, re.M) for code in row.split(",")}

    assert len(written) == 12
    assert {int(close) for close in Close} == written | {1000, 1011}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    lines = (TickerError.__doc__ or "").splitlines()
    names = [match[1] for line in lines if (match := re.search(r"[├└]── (\w+)", line))]

    assert set(names) == {kind.__name__ for kind in CLASSES} - {"TickerError"}


def test_theirs_and_ours_are_kept_apart() -> None:
    assert not issubclass(StartError, RequestError)
    assert not issubclass(FeedError, RequestError)
    assert not issubclass(ClientError, RequestError)
    assert issubclass(BadRecording, FeedError)


@pytest.mark.parametrize(
    ("error", "code", "status", "field"),
    [
        (BadCursor(), "bad_cursor", 400, "cursor"),
        (BadSymbols("no", "symbols[3]"), "bad_symbols", 400, "symbols[3]"),
        (BadRequest("no"), "bad_request", 400, None),
        (RequestError("forbidden", "no"), "forbidden", 403, None),
    ],
)
def test_facts_are_attributes(error: RequestError, code: str, status: int, field: str | None) -> None:
    assert (error.code, error.status, error.field) == (code, status, field)
    assert str(error) == error.message


def test_a_client_sees_only_the_facts_that_there_are() -> None:
    assert BadRequest("no").fields() == {"code": "bad_request", "message": "no"}
    assert BadRequest("no", "ms").fields() == {"code": "bad_request", "message": "no", "field": "ms"}
    assert Refused("draining", "no", 1.5).fields() == {"code": "draining", "message": "no", "retry_after": 1.5}


@pytest.mark.parametrize(("seconds", "said"), [(5, "5"), (5.0, "5"), (1.23456, "1.235")])
def test_a_wait_is_the_shortest_text_to_the_millisecond(seconds: float, said: str) -> None:
    assert str(Refused("cut", "no", seconds).fields()["retry_after"]) == said


@pytest.mark.parametrize("code", ["rate_limited", "too_many", "draining", "not_ready", "overloaded", "cut"])
def test_every_passing_refusal_has_a_status(code: str) -> None:
    assert Refused(code, "no", 1).status in (429, 503)


def test_what_ends_a_client_says_where() -> None:
    assert str(ClientError("bad_symbols", "no", "symbols[0]")) == "bad_symbols: no (symbols[0])"
    assert str(ClientError("replaced", "gone")) == "replaced: gone"


def test_a_disconnection_says_when_to_come_back_and_whether_anyone_was_there() -> None:
    error = Disconnected("refused", "no", 2.5, reached=False)

    assert (error.retry_after, error.reached, error.code) == (2.5, False, "refused")
    assert Disconnected("eof", "end").reached


def test_a_breach_of_the_contract_has_its_own_code() -> None:
    assert Violation("a hole").code == "violation"
