"""The Python client: ``async for item in subscribe("http://localhost:8000", ["AAPL"])``.

Importing it imports neither Quart nor Hypercorn.
"""

from ticker.client.api import Api, Published
from ticker.client.follower import Follower, Item, State, Statistics
from ticker.client.messages import Gap, Snapshot
from ticker.client.request import Request
from ticker.client.stream import Transport
from ticker.client.subscription import Subscription, subscribe
from ticker.core.codes import ClientError
from ticker.core.tick import Bar, Quote, Trade

__all__ = [
    "Api",
    "Bar",
    "ClientError",
    "Follower",
    "Gap",
    "Item",
    "Published",
    "Quote",
    "Request",
    "Snapshot",
    "State",
    "Statistics",
    "Subscription",
    "Trade",
    "Transport",
    "subscribe",
]
