"""Lines that can be read back, and that nothing in them can forge."""

from __future__ import annotations

import io
import json
import logging
import shlex
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.log import JsonFormatter, TextFormatter, configure, get_logger

log = get_logger("ticker.test")

# Newlines, the escape that begins a terminal's command, quotes, DEL, a C1 control, a line separator, an override of
# direction, a lone surrogate.
NASTY = "a\n\r\x1b[2J\"b' level=error \x7f\x9b\u2028\u202e\ud800"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in ("asyncio", "hpack", "httpx", "httpcore", "websockets"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(*, as_json: bool = False, level: str = "info") -> io.StringIO:
    """Configure the log and return what it writes to."""
    with patch("sys.stderr", io.StringIO()) as stderr:
        configure(json=as_json, level=level)
    return stderr


def test_an_event_is_a_line_of_key_and_value() -> None:
    written = lines()
    log.info(
        "stream_closed", client="127.0.0.1:5000", seconds=1.5, reason="slow client", gaps=None, tls=True, ids=[1, 2]
    )
    time, rest = written.getvalue().split(" ", 1)

    assert time.startswith("time=20")
    assert time.endswith("Z")
    assert rest == (
        "level=info logger=ticker.test event=stream_closed client=127.0.0.1:5000 seconds=1.5 "
        'reason="slow client" gaps=null tls=true ids="[1, 2]"\n'
    )


def test_an_event_is_a_line_of_json() -> None:
    written = lines(as_json=True)
    log.warning("damaged", line=7, error=ValueError("bad"))
    facts = json.loads(written.getvalue())

    assert facts.pop("time").endswith("Z")
    assert facts == {"level": "warning", "logger": "ticker.test", "event": "damaged", "line": 7, "error": "bad"}


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_client_sends_stays_in_its_place(as_json: bool) -> None:
    written = lines(as_json=as_json)
    log.info("asked", path=NASTY)
    logging.getLogger("library").error("it said %s", NASTY)
    text = written.getvalue()

    assert text.count("\n") == 2
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()


@given(st.text())
def test_any_text_can_be_read_back(value: str) -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "y", "facts": {"value": value}})
    text, structured = TextFormatter().format(record), JsonFormatter().format(record)
    written = text.partition(" value=")[2]

    assert (json.loads(written) if written.startswith('"') else written) == value
    assert json.loads(structured)["value"] == value
    assert text.isprintable()


def test_plain_lines_can_be_split_by_a_shell() -> None:
    written = lines()
    log.info("asked", path="/a b", query="x=1")

    assert shlex.split(written.getvalue())[-2:] == ["path=/a b", "query=x=1"]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_exception_brings_its_traceback_which_forges_no_line(as_json: bool) -> None:
    written = lines(as_json=as_json)
    try:
        raise ValueError("one\nlevel=error event=forged\x1b[2J")
    except ValueError:
        log.exception("failed", path="/x")
    first, *rest = written.getvalue().splitlines()

    assert "failed" in first
    assert [line for line in rest if not line.startswith("  | ")] == []
    assert "\x1b" not in written.getvalue()
    assert ("Traceback" in first) == as_json


def test_an_exception_that_is_given_is_the_one_that_is_logged() -> None:
    written = lines()
    log.exception("failed", KeyError("given"))

    assert "KeyError: 'given'" in written.getvalue()


def test_levels_below_the_least_are_not_written_and_chatty_libraries_stay_silent() -> None:
    written = lines(level="warning")
    log.debug("no")
    log.info("no")
    log.error("yes")
    logging.getLogger("httpx").info("no")
    everything = lines(level="debug")
    log.debug("yes")
    logging.getLogger("httpx").info("no")
    logging.getLogger("httpx").warning("yes")

    assert [line.split("event=")[1] for line in written.getvalue().splitlines()] == ["yes"]
    assert [line.split("event=")[1] for line in everything.getvalue().splitlines()] == ["yes", "yes"]
