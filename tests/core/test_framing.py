from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from ticker.core.framing import BINARY, CHUNKED, PLAIN, TEXT, Framing, Shared, framed

messages = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5)


def read_chunked(data: bytes) -> bytes:
    """Return the body of an answer in chunks, as h11 reads it up to its end."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    body = b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            body += event.data
    return body


@given(st.lists(messages, max_size=4))
def test_chunks_are_read_as_what_was_written(writes: list[list[bytes]]) -> None:
    data = b"".join([CHUNKED.join(each) for each in writes]) + CHUNKED.end

    assert read_chunked(data) == b"".join(map(b"".join, writes))


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize(("framing", "kind"), [(TEXT, TextMessage), (BINARY, BytesMessage)])
def test_a_frame_of_any_length_is_read_as_one_message(
    framing: Framing, kind: type[TextMessage | BytesMessage], length: int
) -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(framing.join([b"x" * length, b"y"]))
    whole: list[str | bytes] = []
    part: str | bytes = b"" if kind is BytesMessage else ""
    for event in client.events():
        assert isinstance(event, kind)
        part += event.data  # type: ignore[operator]
        if event.message_finished:
            whole.append(part)
            part = part[:0]

    assert whole == ([b"x" * length, b"y"] if kind is BytesMessage else ["x" * length, "y"])


def test_plain_messages_stand_one_after_the_other() -> None:
    assert PLAIN.join([b"1", b"2"]) + PLAIN.end == b"12"


@pytest.mark.parametrize("framing", [PLAIN, CHUNKED, TEXT, BINARY])
def test_the_bytes_of_shared_messages_are_made_once_for_each_framing(framing: Framing) -> None:
    shared = Shared([b"1", b"22"])

    assert shared == (b"1", b"22")
    assert framed(shared, framing) == framed([b"1", b"22"], framing)
    assert framed(shared, framing) is framed(shared, framing)
