"""Tasks: everything that runs for one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hypercorn.asyncio.task_group import TaskGroup, _handle
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope


class Tasks(TaskGroup):
    """A task group whose apps can always be told that the client has gone.

    Hypercorn hands events to the app through a queue of ten. When it is full, because the app does not read on, the
    reading side waits for room: for ever if the app has ended, as after an early 413. The end of the stream goes
    through the same queue, and is put there by the app's own task, which then waits for itself.
    """

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        """Start the app for one request; return what hands it events, and waits while ten are waiting."""
        events: asyncio.Queue[ASGIReceiveEvent] = asyncio.Queue()
        room = asyncio.Semaphore(config.max_app_queue_size)

        async def receive() -> ASGIReceiveEvent:
            event = await events.get()
            room.release()
            return event

        executor = partial(self._loop.run_in_executor, None)
        task = self._task_group.create_task(_handle(app, config, scope, receive, send, executor, _no_threads))
        # Wakes the reading side if it waits for room; nobody else does.
        task.add_done_callback(lambda _: room.release())

        async def put(event: ASGIReceiveEvent) -> None:
            if not task.done() and not event["type"].endswith(".disconnect"):
                await room.acquire()
            if not task.done():
                events.put_nowait(event)

        return put


def _no_threads(*_: Any) -> None:
    raise NotImplementedError("only WSGI apps call back from threads")
