"""A feed that does as the test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence

from ticker.core.tick import Bar, Instrument, Tick


class FakeFeed:
    """Yields lists of ticks, a second before each; an exception among them is raised."""

    def __init__(self, name: str, script: Sequence[list[Tick] | Exception], history: Iterable[list[Bar]] = ()) -> None:
        self.name = name
        self.instruments: Sequence[Instrument] = (Instrument(name.upper()),)
        self._script = script
        self._history = history
        self.threads: set[int] = set()

    def history(self) -> Iterable[list[Bar]]:
        """Yield what the test says."""
        for chunk in self._history:
            self.threads.add(threading.get_ident())
            yield chunk

    async def batches(self) -> AsyncIterator[list[Tick]]:
        """Yield what the test says."""
        for step in self._script:
            await asyncio.sleep(1)
            if isinstance(step, Exception):
                raise step
            yield step

    def statistics(self) -> dict[str, int]:
        """Return nothing."""
        return {}
