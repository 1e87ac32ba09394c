"""Answers of HTTP/1.1, however their bytes are split."""

from __future__ import annotations

import pytest

from ticker.core.codes import Violation
from ticker.tools.load.http1 import AnswerParser, End, Head, Part

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
MEASURED = b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
CONTINUED = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + MEASURED


def parts(*pieces: bytes) -> list[Part]:
    parser = AnswerParser()
    return [part for piece in pieces for part in parser.feed(piece)]


WHOLE = [
    Head(200, {"transfer-encoding": "chunked"}),
    *(b"abc", b"de", End()),
    Head(200, {"content-length": "2"}),
    *(b"hi", End()),
    *(Head(204, {}), End()),
    Head(103, {"link": "x"}),
    Head(200, {"content-length": "2"}),
    *(b"hi", End()),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_answers_follow_each_other_however_they_are_split(size: int) -> None:
    data = CHUNKED + MEASURED + EMPTY + CONTINUED

    assert parts(*(data[at : at + size] for at in range(0, len(data), size))) == WHOLE


def test_a_body_without_a_length_comes_as_it_comes() -> None:
    assert parts(b"HTTP/1.1 200 OK\r\n\r\nab", b"c")[1:] == [b"ab", b"c"]


def test_what_follows_a_switch_of_protocols_is_left() -> None:
    parser = AnswerParser()
    head, = parser.feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00")  # fmt: skip

    assert head == Head(101, {"upgrade": "websocket"})
    assert (parser.rest(), parser.rest()) == (b"\x81\x00", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000,
        b"H" * 70_000,
    ],
)
def test_what_is_no_answer_is_said(data: bytes) -> None:
    with pytest.raises(Violation):
        parts(data)
