"""What the tests of the web layer share: a whole server, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.live import Live, live


@pytest.fixture
async def server() -> AsyncIterator[Live]:
    """Serve a node without a feed."""
    async with live() as served:
        yield served


@pytest.fixture
async def client(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the server."""
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        yield client
