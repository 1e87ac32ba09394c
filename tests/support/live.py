"""A whole server without a feed, in the test's own loop, whose market is what the test publishes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.support.serving import Serving, serving
from ticker.bus import Bus
from ticker.core.cursor import Cursor
from ticker.core.tick import Quote, Tick, Trade
from ticker.market import Clock
from ticker.node import Node, wall_clock
from ticker.settings import Settings
from ticker.web.app import create_app

SYMBOLS = ("AAPL", "MSFT", "NVDA", "BTC-USD", "EUR/USD")


class Live:
    """A server that runs, and its node."""

    def __init__(self, served: Serving, node: Node) -> None:
        self.served = served
        self.node = node
        self.url = served.urls[0]

    @property
    def port(self) -> int:
        """The port without TLS."""
        return self.served.port

    async def publish(self, ticks: Sequence[Tick]) -> tuple[Cursor, Cursor]:
        """Publish ticks as a feed does."""
        return await self.node.market.publish(ticks)

    async def publish_numbered(self, count: int, first: int = 1) -> tuple[Cursor, Cursor]:
        """Publish ``count`` ticks; each bears its number, counted on from ``first``, as its size."""
        return await self.publish([numbered(number, self.node.clock()) for number in range(first, first + count)])


def numbered(number: int, ts: int) -> Tick:
    """Return a tick whose size tells its number: by turns over ``SYMBOLS``, every seventh a trade."""
    symbol = SYMBOLS[number % len(SYMBOLS)]
    if number % 7 == 0:
        return Trade(symbol, 100.01, number, "buy", ts)
    return Quote(symbol, 100.0, number, 100.01, number, ts)


@asynccontextmanager
async def live(bus: Bus | None = None, clock: Clock = wall_clock, **overrides: object) -> AsyncIterator[Live]:
    """Serve a node for a while, by default one without a feed.

    Args:
        bus: to stand two nodes on one history; a bus that ends with its node if there is none.
        overrides: settings.
    """
    overrides = {"no_feed": True, **overrides}
    node = Node(Settings.load({}, {"port": 0, **overrides}), bus, clock, Random(1))
    node.open()
    async with serving(create_app(node), drain=node.drain, **overrides) as served:
        yield Live(served, node)
