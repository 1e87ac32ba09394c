"""The peers of this machine do what the figures say that they do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.bench.load import measure
from tests.bench.rounds import Shape, peer_spec
from tests.bench.servers import PEERS, Missing
from tests.bench.spec import Kind

SHAPES: dict[str, list[Kind]] = {
    "floor": ["sse", "text", "msgpack"],
    "picows": ["text"],
    "node ws": ["text"],
    "hypercorn": ["http2"],
}


@pytest.mark.parametrize("peer", SHAPES)
def test_a_peer_sends_as_many_bytes_as_it_is_told_and_skips_nothing(peer: str) -> None:
    try:
        with PEERS[peer]() as server:
            results = [
                (size, measure(replace(peer_spec(server, Shape("", kind, 3), 0.05, size), settle=0)))
                for kind in SHAPES[peer]
                for size in (118, 196)
            ]
    except Missing as reason:
        pytest.skip(str(reason))

    for size, result in results:
        assert result.bytes == size * result.ticks
        assert result.is_whole
        assert result.ticks > 0
        assert result.cpu > 0
