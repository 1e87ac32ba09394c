"""A peer: picows on uvloop. It says its port on stdout and sends each client one frame every 10 ms.

A client's request tells how many bytes a frame takes on the wire: ``GET /ws?bytes=149&binary=1``; 0 is silence.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

import picows
import uvloop

from tests.bench.payload import INTERVAL, make_payload, websocket_payload


class Groups:
    """All clients, by the bytes that a frame takes and its type."""

    def __init__(self) -> None:
        self._groups: defaultdict[tuple[int, picows.WSMsgType], set[picows.WSTransport]] = defaultdict(set)
        self._seq = 0

    def of(self, path: str) -> set[picows.WSTransport]:
        """Return the group that a request asks for."""
        query = parse_qs(urlsplit(path).query)
        kind = picows.WSMsgType.BINARY if query.get("binary") == ["1"] else picows.WSMsgType.TEXT
        return self._groups[int(query.get("bytes", ["0"])[0]), kind]

    def tick(self) -> None:
        """Send a message to everyone who wants any."""
        self._seq += 1
        for (length, kind), transports in self._groups.items():
            if length and transports:
                payload = make_payload(websocket_payload(length), self._seq)
                for transport in transports:
                    transport.send(kind, payload)

    async def run(self) -> None:
        """Tick at multiples of the interval; after a pause those missed are left out."""
        due = time.monotonic()
        while True:
            await asyncio.sleep(due - time.monotonic())
            self.tick()
            due = max(due + INTERVAL, time.monotonic())


class Client(picows.WSListener):
    """One connection."""

    def __init__(self, group: set[picows.WSTransport]) -> None:
        super().__init__()
        self._group = group

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._group.add(transport)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._group.discard(transport)


async def main() -> None:
    """Serve until killed."""
    groups = Groups()

    def welcome(request: picows.WSUpgradeRequest) -> picows.WSListener:
        return Client(groups.of(request.path.decode()))

    server = await picows.ws_create_server(welcome, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await groups.run()


if __name__ == "__main__":
    uvloop.run(main())
