"""A server that is told to stop says goodbye to everyone, and whoever meets its history again misses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.support.events import Event
from tests.support.live import live, numbered
from tests.support.process import COMMAND, ServerProcess, environment
from tests.support.proxy import proxy
from tests.support.serving import LOOPS, eventually, run_on
from tests.support.survivor import TRANSPORTS, Survivor, poll
from ticker.bus import MemoryBus
from ticker.node import wall_clock

QUERY = {"symbols": "*"}
SESSION = "waits-for-the-end"
STREAMS = [name for name in TRANSPORTS if name != "poll"]


@contextmanager
def group(state: Path, loop: str) -> Iterator[tuple[ServerProcess, int]]:
    """Run ``ticker serve`` in a process group of its own; give the server and its pid."""
    options = ("--no-feed", "--port", "0", "--loop", loop)
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*COMMAND, *options],
            env=environment(state),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield ServerProcess(process, log), process.pid
        finally:
            process.kill()
            process.communicate()


async def last_event(name: str, port: int, opened: asyncio.Semaphore) -> Event:
    """Follow a stream to its end and return its last event."""
    transport, extra = TRANSPORTS[name]
    last = None
    async with aclosing(transport(port, QUERY | {"cursor": "earliest"} | extra)) as events:
        async for event in events:
            opened.release()
            last = event
    assert last is not None
    return last


async def last_answer(port: int, cursor: str) -> Event:
    """Poll once, at the newest place, and return the answer."""
    async with aclosing(poll(port, QUERY | {"cursor": cursor, "session": SESSION})) as answers:
        return await anext(answers)


def once(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def twice(pid: int) -> None:
    for _ in range(2):
        os.kill(pid, signal.SIGTERM)


def to_the_group(pid: int) -> None:
    for _ in range(2):
        os.killpg(pid, signal.SIGTERM)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("tell", [once, twice, to_the_group])
def test_everyone_hears_bye_and_the_process_ends_with_0(tmp_path: Path, loop: str, tell: Callable[[int], None]) -> None:
    async def test() -> None:
        opened = asyncio.Semaphore(0)
        streams = [asyncio.create_task(last_event(name, server.port, opened)) for name in STREAMS * 4]
        for _ in streams:
            # Each has at least its hello.
            await opened.acquire()
        first = await asyncio.create_task(last_answer(server.port, "earliest"))
        waiting = asyncio.create_task(last_answer(server.port, str(first.id)))
        await eventually(lambda: server.session(SESSION, op="play")["connected"])
        told = time.monotonic()
        tell(pid)
        byes = await asyncio.gather(*streams)
        answer = await waiting

        assert {(bye.name, bye.data["reason"], bye.data["reconnect"]) for bye in byes} == {("bye", "shutdown", True)}
        retries = {bye.data["retry"] for bye in byes}
        assert min(retries) >= 1000
        assert max(retries) <= 2000
        assert len(retries) > len(byes) / 2, "they come back at different times"
        assert (answer.data["ticks"], answer.id) == ([], first.id)
        assert await asyncio.to_thread(server.wait) == 0, server.log()
        assert time.monotonic() - told < 5
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        assert "Traceback" not in server.log()

    with group(tmp_path, loop) as (server, pid):
        server.publish_numbered(100)
        run_on(loop, test)


def survivors(names: tuple[str, ...]) -> list[Survivor]:
    return [Survivor(cycle(names[turn:] + names[:turn]), QUERY) for turn in range(len(names))]


@pytest.mark.parametrize("loop", LOOPS)
def test_clients_go_on_at_another_server_of_the_same_history(loop: str) -> None:
    """Each takes another transport there, with the one cursor."""

    async def test() -> None:
        bus = MemoryBus(wall_clock)
        clients = survivors(tuple(TRANSPORTS))
        async with live(bus) as one, live(bus) as other, proxy(one.port) as between, asyncio.TaskGroup() as tasks:
            await one.publish_numbered(500)
            following = [tasks.create_task(each.follow(between.port, lambda: 1500)) for each in clients]
            await eventually(lambda: all(len(each.numbers) == 500 for each in clients))
            between.target = other.port
            one.served.shutdown.set()
            for burst in range(20):
                await other.publish_numbered(50, 501 + 50 * burst)
                await asyncio.sleep(0.01)
            await asyncio.wait(following, timeout=20)

            assert [each.numbers for each in clients] == [list(range(1, 1501))] * len(clients)
            assert [each.gaps for each in clients] == [[]] * len(clients)
            assert all(each.connections >= 2 for each in clients)

    run_on(loop, test)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_an_embedded_server_that_restarts_says_that_what_it_knew_is_gone(name: str) -> None:
    async def test() -> None:
        client = Survivor(cycle([name]), QUERY)
        async with live() as before, proxy(before.port) as between:
            first, newest = await before.publish_numbered(10)
            await client.follow(between.port, lambda: 10)
            before.served.shutdown.set()
        async with live() as after:
            ticks = [numbered(number, after.node.clock()) for number in range(1, 8)]
            _, gone = await after.publish(ticks)
            assert gone.epoch > first.epoch
            task = asyncio.create_task(client.follow(after.port, lambda: 20))
            await eventually(lambda: client.cursor == str(gone))
            await after.publish_numbered(10, 11)
            await task

        (gap,) = client.gaps
        after_newest = f"{newest.epoch}-{newest.seq + 1}"
        expected = {"from": after_newest, "to": str(gone), "lost": None, "reason": "restarted"}
        assert {field: gap.data[field] for field in expected} == expected
        assert client.numbers == list(range(1, 21))

    run_on("uvloop", test)
