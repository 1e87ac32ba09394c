"""Bytes out of a transport by the shortest way, on a pair of sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from tests.support.serving import eventually, on_both_loops
from ticker.lane import Outlet


class Owner(asyncio.Protocol):
    """Who has an outlet of its transport, and shuts it at the end."""

    outlet: Outlet
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the outlet."""
        self.transport = cast(asyncio.Transport, transport)
        self.outlet = Outlet(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Shut the outlet."""
        self.outlet.shut()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Owner, socket.socket]]:
    """Give an outlet's owner, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        end.setblocking(False)
    transport, owner = await asyncio.get_running_loop().create_connection(Owner, sock=ours)
    try:
        yield owner, theirs
    finally:
        transport.abort()
        theirs.close()
        await eventually(lambda: ours.fileno() < 0)


@on_both_loops
async def test_bytes_are_at_the_peers_when_write_returns() -> None:
    async with connected() as (owner, peer):
        owner.outlet.write(b"tick")

        assert peer.recv(100) == b"tick"
        assert owner.transport.get_write_buffer_size() == 0


@on_both_loops
async def test_what_the_kernel_does_not_take_is_kept_and_comes_in_order() -> None:
    pieces = [number.to_bytes(4) * 1000 for number in range(100)]
    async with connected() as (owner, peer):
        for piece in pieces:
            owner.outlet.write(piece)
        held = owner.transport.get_write_buffer_size()
        loop, got = asyncio.get_running_loop(), b""
        while len(got) < 400_000:
            got += await asyncio.wait_for(loop.sock_recv(peer, 65536), 5)

        assert held > 0
        assert got == b"".join(pieces)


@on_both_loops
async def test_send_says_how_much_the_kernel_took() -> None:
    async with connected() as (owner, peer):
        sent = owner.outlet.send(bytes(400_000))
        with pytest.raises(BlockingIOError):
            owner.outlet.send(bytes(400_000 - sent))

        assert 0 < sent < 400_000
        assert len(peer.recv(400_000)) > 0


@on_both_loops
async def test_after_the_end_nothing_gets_to_the_descriptor() -> None:
    async with connected() as (owner, peer):
        # A cohort keeps it for a flush.
        send = owner.outlet.send
        owner.outlet.shut()
        owner.outlet.shut()
        with pytest.raises(OSError, match="Bad file descriptor"):
            send(b"late")
        assert owner.outlet.send(b"late") == 0

        with pytest.raises(BlockingIOError):
            peer.recv(100)


@on_both_loops
async def test_a_peer_that_has_gone_is_the_transports_business() -> None:
    async with connected() as (owner, peer):
        peer.close()
        for _ in range(3):
            owner.outlet.write(b"nobody reads it")
        await eventually(owner.transport.is_closing)
        for _ in range(10):
            owner.outlet.write(b"nobody reads it")
