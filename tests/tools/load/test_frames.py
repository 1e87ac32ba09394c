"""Frames of a WebSocket, however their bytes are split."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from ticker.core.codes import Violation
from ticker.tools.load.frames import FrameParser, Received, to_frame

LONG, HUGE = b"x" * 300, b"y" * 70_000
DATA = b"".join(
    frame.serialize(mask=False)
    for frame in [
        Frame(Opcode.TEXT, b"one"),
        Frame(Opcode.TEXT, b"tw", fin=False),
        Frame(Opcode.PING, b"p"),
        Frame(Opcode.CONT, b"", fin=False),
        Frame(Opcode.CONT, b"o"),
        Frame(Opcode.BINARY, LONG),
        Frame(Opcode.BINARY, HUGE),
        Frame(Opcode.CLOSE, b""),
    ]
)
MESSAGES = [
    Received(Opcode.TEXT, b"one"),
    Received(Opcode.PING, b"p"),
    Received(Opcode.TEXT, b"two"),
    Received(Opcode.BINARY, LONG),
    Received(Opcode.BINARY, HUGE),
    Received(Opcode.CLOSE, b""),
]


def received(*pieces: bytes) -> list[Received]:
    parser = FrameParser()
    return [message for piece in pieces for message in parser.feed(piece)]


@pytest.mark.parametrize("size", [1, 3, 100, 100_000])
def test_messages_come_whole_however_they_are_split(size: int) -> None:
    head = 400 if size == 1 else len(DATA)

    assert received(*(DATA[at : at + size] for at in range(0, head, size)), DATA[head:]) == MESSAGES


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x83abcd123",  # masked
        b"\x80\x01x",  # continues nothing
        b"\x01\x01x\x81\x01x",  # begins while another is unfinished
        b"\x83\x00",  # an opcode that there is not
        b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",  # 2 GiB
        (b"\x01\x7e\xff\xff" + b"x" * 65535) + (b"\x00\x7e\xff\xff" + b"x" * 65535) * 70,  # without an end
    ],
)
def test_what_is_no_message_is_said(data: bytes) -> None:
    with pytest.raises(Violation):
        received(data)


def test_a_client_masks() -> None:
    frame = to_frame(Opcode.TEXT, b"hello")

    assert (frame[:2], len(frame)) == (b"\x81\x85", 11)
    assert bytes(byte ^ frame[2 + index % 4] for index, byte in enumerate(frame[6:])) == b"hello"
