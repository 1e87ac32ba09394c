"""The message of the peers that are written in Python: of any length, with its time and its place."""

from __future__ import annotations

import time

# Seconds between two messages.
INTERVAL = 0.01


def make_payload(length: int, seq: int) -> bytes:
    """Return a record of ``length`` bytes with the time of now; ``floor.c`` and ``ws_peer.js`` make the same."""
    now = time.time_ns() // 1000
    head = b'{"symbol":"EUR/USD","ts":%016d,"cursor":"0-%09d","fill":"' % (now, seq)
    return head + b"x" * (length - len(head) - 2) + b'"}'


def websocket_payload(bytes_on_wire: int) -> int:
    """Return the length of the content of an unmasked frame that takes so many bytes (RFC 6455 5.2)."""
    if bytes_on_wire - 2 < 126:
        return bytes_on_wire - 2
    return bytes_on_wire - (4 if bytes_on_wire - 4 < 65536 else 10)
