"""A market that goes on while a test looks at something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.live import Live


@asynccontextmanager
async def trading_on(server: Live) -> AsyncIterator[None]:
    """Publish 300 ticks a second, numbered from 1."""
    task = asyncio.create_task(_trade(server))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _trade(server: Live) -> None:
    number = 1
    while True:
        await server.publish_numbered(3, number)
        number += 3
        await asyncio.sleep(0.01)
