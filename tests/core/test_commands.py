from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ticker.core import commands
from ticker.core.codes import BadRequest
from ticker.core.commands import (
    BadMessage,
    Command,
    Envelope,
    decode_command,
    decode_envelope,
    decode_session_command,
)

# Every op of PROTOCOL.md section 5, as it is written there.
OPS: list[tuple[dict[str, Any], Command]] = [
    ({"op": "auth", "token": "x"}, commands.Auth(token="x")),
    (
        {"op": "subscribe", "symbols": ["AAPL", "BTC*"], "types": ["quote"], "id": 1},
        commands.Subscribe(symbols=["AAPL", "BTC*"], types=["quote"], id=1),
    ),
    ({"op": "unsubscribe", "symbols": ["AAPL"], "id": "a"}, commands.Unsubscribe(symbols=["AAPL"], id="a")),
    ({"op": "set", "types": [], "interval": "1s"}, commands.Set(types=[], interval="1s")),
    ({"op": "conflate", "ms": 250}, commands.Conflate(ms=250)),
    ({"op": "pause"}, commands.Pause()),
    ({"op": "play"}, commands.Play()),
    ({"op": "attach", "session": "s"}, commands.Attach(session="s")),
    ({"op": "detach"}, commands.Detach()),
    (
        {"op": "stream", "cursor": "1-1", "batch": True, "conflate": 0},
        commands.Stream(cursor="1-1", batch=True, conflate=0),
    ),
    ({"op": "snapshot"}, commands.Snapshot()),
    ({"op": "list"}, commands.List()),
    ({"op": "ping"}, commands.Ping()),
    ({"op": "cut", "seconds": 5}, commands.Cut(seconds=5)),
    ({"op": "cut"}, commands.Cut(seconds=0)),
]

# Those that a PATCH takes too.
OF_SESSIONS = ("subscribe", "unsubscribe", "set", "conflate", "pause", "play", "cut")


@pytest.mark.parametrize(("message", "command"), OPS)
def test_ops_are_read_in_both_formats(message: dict[str, Any], command: Command) -> None:
    for encoded, binary in ((json.dumps(message), False), (msgspec.msgpack.encode(message), True)):
        assert decode_envelope(encoded, binary) == Envelope(message["op"], message.get("id"))
        assert decode_command(encoded, binary) == command
    assert command.op == message["op"]


@pytest.mark.parametrize(("message", "command"), OPS)
def test_a_patch_takes_what_changes_a_session(message: dict[str, Any], command: Command) -> None:
    body = json.dumps(message).encode()

    if message["op"] in OF_SESSIONS:
        assert decode_session_command(body) == command
        return
    with pytest.raises(BadRequest) as caught:
        decode_session_command(body)
    assert caught.value.field == "op"


def test_published_ticks_stay_as_they_came() -> None:
    command = decode_command('{"op":"publish","ticks": [ {"type":"quote"} ]}', binary=False)

    assert isinstance(command, commands.Publish)
    assert bytes(command.ticks).strip() == b'[ {"type":"quote"} ]'


def test_unknown_fields_are_ignored_and_absent_ones_are_none() -> None:
    command = decode_command('{"op":"subscribe","symbol":"A"}', binary=False)

    assert command == commands.Subscribe(symbols=None, types=None, interval=None)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("", None),
        ("[]", None),
        ("{}", "op"),
        ('"ping"', None),
        ('{"op":"ping"', None),
        ('{"op":1}', "op"),
        ('{"op":"PING"}', "op"),
        ('{"op":"command"}', "op"),
        ('{"op":"ping","id":1.5}', "id"),
        ('{"op":"ping","id":true}', "id"),
        ('{"op":"ping","x":' + "[" * 100_000, None),
        ('"\ud800"', None),
        (b'{"op":"\xff"}', None),
    ],
)
def test_what_is_no_valid_op_at_all(message: str | bytes, field: str | None) -> None:
    with pytest.raises(BadMessage) as caught:
        decode_envelope(message, binary=False)

    assert (caught.value.code, caught.value.field) == ("bad_request", field)


@pytest.mark.parametrize("message", [b"", b"\xc1", b"\x81", msgspec.msgpack.encode({"op": "dance"}), b"\xa2\xff\xff"])
def test_what_is_no_valid_op_in_messagepack(message: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_envelope(message, binary=True)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ('{"op":"auth"}', "token"),
        ('{"op":"auth","token":1}', "token"),
        ('{"op":"conflate"}', "ms"),
        ('{"op":"conflate","ms":"250"}', "ms"),
        ('{"op":"conflate","ms":1.5}', "ms"),
        ('{"op":"subscribe","symbols":"A"}', "symbols"),
        ('{"op":"subscribe","symbols":["A",1]}', "symbols[1]"),
        ('{"op":"attach"}', "session"),
        ('{"op":"stream","batch":1}', "batch"),
        ('{"op":"publish"}', "ticks"),
        ('{"op":"cut","seconds":60.5}', "seconds"),
        ('{"op":"cut","seconds":-1}', "seconds"),
    ],
)
def test_a_known_op_with_a_bad_field_is_no_bad_message(message: str, field: str | None) -> None:
    decode_envelope(message, binary=False)

    with pytest.raises(BadRequest) as caught:
        decode_command(message, binary=False)
    assert not isinstance(caught.value, BadMessage)
    assert caught.value.field == field


def test_a_cut_of_no_number_of_seconds_is_refused() -> None:
    with pytest.raises(BadRequest):
        decode_command(msgspec.msgpack.encode({"op": "cut", "seconds": float("nan")}), binary=True)
