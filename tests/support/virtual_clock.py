"""A loop whose clock jumps: what waits for hours by the clock takes as long as its arithmetic (trio's MockClock).

For tests without sockets: whoever waits for the network waits in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import wraps
from typing import Any

# The time at which the clock begins, in microseconds since the Unix epoch.
BEGIN = 1_800_000_000_000_000

# Seconds of real time that a thread may take.
PATIENCE = 10


class _Selector(selectors.DefaultSelector):
    """Polls; while nothing is ready and no thread works, it moves the clock instead of waiting."""

    clock: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None and not self.clock.threads:
            self.clock.now += timeout
            return []
        ready = super().select(PATIENCE)
        if not ready:
            raise RuntimeError("everyone waits, and nobody will ever be woken")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which begins at 0."""

    def __init__(self) -> None:
        self.now = 0.0
        # How many threads work for coroutines of this loop.
        self.threads = 0
        selector = _Selector()
        selector.clock = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]  # the types of func and its arguments say nothing here
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function in a thread; the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._on_thread_done)
        return future

    def _on_thread_done(self, future: asyncio.Future[Any]) -> None:
        self.threads -= 1


def clock() -> int:
    """Return the running loop's time in microseconds since the Unix epoch."""
    return BEGIN + round(asyncio.get_running_loop().time() * 1_000_000)


def on_virtual_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test's coroutine on a virtual clock."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
