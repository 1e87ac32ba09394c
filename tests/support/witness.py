"""What a page says in the browser's console, and what it asks for."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request

# What Chromium itself says of a stream that the reader has had cut, and of answers that refuse one.
OF_THE_NETWORK = re.compile(r"^Failed to load resource: ")


class Witness:
    """Writes down what a page does, from now on."""

    def __init__(self, page: Page) -> None:
        # Errors and warnings of the page, not of the network.
        self.complaints: list[str] = []
        # URLs of all that was asked for, of WebSockets too.
        self.asked: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._see)
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    @property
    def hosts(self) -> set[str]:
        """Host and port of all that was asked for over the network."""
        return {urlsplit(url).netloc for url in self.asked}

    def _hear(self, message: ConsoleMessage) -> None:
        is_harmless = message.type in ("log", "info", "debug") or OF_THE_NETWORK.match(message.text)
        if not is_harmless:
            self.complaints.append(f"{message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.asked.append(request.url)
