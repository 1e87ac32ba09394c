"""A process with a real server: its app streams until it is drained. Prints its URLs, and ``done`` at the end."""

from __future__ import annotations

import asyncio
import sys
from os import environ
from typing import Any

from ticker import log
from ticker.server import run, serve
from ticker.settings import Settings


class App:
    """A bare ASGI app: streams of numbers over SSE and WebSocket that end with ``bye``, and one that does not end."""

    def __init__(self) -> None:
        self.drained = asyncio.Event()

    async def drain(self) -> None:
        """End every stream that wants to end."""
        self.drained.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "websocket":
            await self.websocket(receive, send)
        elif scope["path"] == "/stubborn":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"data: 0\n\n", "more_body": True})
            await asyncio.Event().wait()
        else:
            await self.stream(send)

    async def live(self, receive: Any, send: Any) -> None:
        """Say when the app starts and ends."""
        for step in ("startup", "shutdown"):
            await receive()
            print(step, flush=True)
            await send({"type": f"lifespan.{step}.complete"})

    async def stream(self, send: Any) -> None:
        """Stream until drained."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not self.drained.is_set():
            await send({"type": "http.response.body", "body": b"data: 0\n\n", "more_body": True})
            await self.pause()
        await send({"type": "http.response.body", "body": b"event: bye\n\n"})

    async def websocket(self, receive: Any, send: Any) -> None:
        """Send until drained."""
        await receive()
        await send({"type": "websocket.accept"})
        while not self.drained.is_set():
            await send({"type": "websocket.send", "text": "0"})
            await self.pause()
        await send({"type": "websocket.close", "code": 1001, "reason": "going_away"})

    async def pause(self) -> None:
        """Wait for the next number."""
        try:
            async with asyncio.timeout(0.02):
                await self.drained.wait()
        except TimeoutError:
            pass


async def _main(shutdown: asyncio.Event) -> None:
    app = App()
    await serve(app, SETTINGS, ready=lambda urls: print(*urls, flush=True), drain=app.drain, shutdown=shutdown)


if __name__ == "__main__":
    SETTINGS = Settings.load(environ)
    log.configure(json=False, level="info")
    run(_main, SETTINGS)
    print("done", flush=True)
    sys.exit(0)
