"""Whatever clients do to the one loop, each gets exactly what it is owed: cohorts make no difference.

The model and the oracle are those of the replay tests (tests/replay/test_machine.py); the loop, sessions, views and
framings are real; sinks fill up and drain as the example says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage

from tests.support import model
from tests.support.events import Event, EventReader, read_message
from tests.support.model import ModelSession, ModelStream
from tests.support.oracle import History, Wanted
from tests.support.sinks import LINES, FakeSink
from tests.support.virtual_clock import BEGIN, VirtualLoop, clock
from ticker.core import commands, view
from ticker.core.cursor import Cursor
from ticker.core.framing import BINARY, PLAIN, Framing
from ticker.core.session import Wish
from ticker.core.stream import Ending
from ticker.core.tick import Quote, Tick, Trade
from ticker.core.wire import JSON, MSGPACK, SSE, Codec
from ticker.fanout import Fanout, StreamMember, cohort, loop
from ticker.node import Node
from ticker.settings import Settings
from ticker.web import ops
from ticker.web.carry import carry, drop, go_on, hold

SYMBOLS = ("AB", "AC", "BC")
CLIENTS = 4
# Each way to receive: codec, framing, batched.
TRANSPORTS: dict[str, tuple[Codec, Framing, bool]] = {
    "json": (JSON, LINES, False),
    "json batch": (JSON, LINES, True),
    "sse": (SSE, PLAIN, False),
    "msgpack batch": (MSGPACK, BINARY, True),
}
BOTH = ("quote", "trade")
# Few, so that clients often stand together.
FILTERS = (Wanted(("*",), BOTH), Wanted(("AB",), BOTH), Wanted(("A*",), ("trade",)))

# Heartbeats are looked for four times a second, and a flush may take two intervals.
PUNCTUAL = 15_300_000
# Seconds in which everyone whose sink has room is served.
CALM = 0.6

Action = tuple[Any, ...]

clients = st.integers(0, CLIENTS - 1)
names: st.SearchStrategy[tuple[str, ...]] = st.lists(
    st.sampled_from([*SYMBOLS, "A*", "*"]), min_size=1, max_size=2, unique=True
).map(tuple)
draws = st.one_of(
    st.lists(st.tuples(st.sampled_from(SYMBOLS), st.booleans()), min_size=1, max_size=9),
    # What many do not match.
    st.builds(lambda symbol, count: [(symbol, False)] * count, st.sampled_from(SYMBOLS), st.integers(1, 9)),
)
changes: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("change"), clients, st.sampled_from(["subscribe", "unsubscribe", "set"]), names),
    st.tuples(st.just("pause"), clients, st.booleans()),
    st.tuples(st.just("conflate"), clients, st.sampled_from([0, 20, 100])),
)
actions: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("publish"), draws),
    st.tuples(st.just("publish"), draws),
    st.tuples(st.just("lag"), clients, draws, st.lists(changes, max_size=3), draws, st.booleans()),
    st.tuples(st.just("turns"), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([0.001, 0.011, 0.03, 0.3, 3.0, 16.0])),
    st.tuples(st.just("join"), clients, st.sampled_from(["own", "own", "none", "latest", "earliest"]), st.booleans()),
    st.tuples(st.just("join"), clients, st.just("latest"), st.booleans()),
    st.tuples(st.just("fill"), clients, st.integers(0, 300)),
    st.tuples(st.just("congest"), clients),
    st.tuples(st.just("drain"), clients),
    st.tuples(st.just("leave"), clients),
    changes,
    st.tuples(st.just("end"), clients, st.sampled_from(["shutdown", "expired", "lifetime"])),
    st.tuples(st.just("calm")),
)


class CheckedSink(FakeSink):
    """A sink whose events are checked by the model when they are written."""

    def __init__(self, codec: Codec, framing: Framing, checks: ModelStream) -> None:
        super().__init__()
        self.framing = framing
        self._codec = codec
        self._checks = checks
        self._reader = EventReader()
        self._frames = Connection(ConnectionType.CLIENT)
        self._message = b""
        # The id of the last event that was written, and of the last that has arrived.
        self._written: str | None = None
        # What the model did not agree with.
        self.failure: Exception | None = None
        self.cursor: str | None = None

    def _take(self, data: bytes) -> None:
        super()._take(data)
        try:
            events = list(self._decode(data))
            if events:
                self._checks.take(events, clock())
        except Exception as error:
            # The loop takes it for a bug of one client and goes on.
            self.failure = self.failure or error
            raise
        self._written = next((event.id for event in reversed(events) if event.id), self._written)

    def _decode(self, data: bytes) -> Iterator[Event]:
        if self._codec is SSE:
            yield from self._reader.feed(data)
        elif self._codec is JSON:
            *lines, self._message = (self._message + data).split(b"\n")
            yield from [read_message(line.decode()) for line in lines]
        else:
            self._frames.receive_data(data)
            for part in self._frames.events():
                assert isinstance(part, BytesMessage)
                self._message += part.data
                if part.message_finished:
                    yield read_message(self._message)
                    self._message = b""

    def send(self, data: bytes) -> int:
        sent = super().send(data)
        if sent == len(data):
            self.cursor = self._written
        return sent

    def take(self) -> None:
        super().take()
        self.cursor = self._written


class Client:
    """A client: its session as the model sees it, and its stream while it has one."""

    def __init__(self, number: int, wanted: Wanted, transport: str, world: World) -> None:
        self.id = f"client-{number:010d}"
        self.model = ModelSession(wanted)
        self.query = wanted
        self.transport = transport
        self.cursor: str | None = None
        self.member: StreamMember | None = None
        self.sink: CheckedSink
        self.checks: ModelStream
        self._world = world

    def join(self, start: str) -> None:
        """Connect as ``ticker.web`` does."""
        world, node = self._world, self._world.node
        cursor = self.cursor if start == "own" else None if start == "none" else start
        codec, framing, batched = TRANSPORTS[self.transport]
        session = node.sessions.open(self.id, "someone", clock())
        session.take_query(Wish(self.query.symbols, self.query.types), default=("*",))
        self.checks = ModelStream(world.history, self.model, cursor, clock())
        self.sink = CheckedSink(codec, framing, self.checks)
        self.sink.full = lambda: hold(node, self.member)
        self.member = carry(
            node,
            session,
            codec,
            self.sink,
            start=Cursor.parse(cursor) if cursor and "-" in cursor else cursor,  # type: ignore[arg-type]
            batched=batched,
            ended=self.leave,
        )

    def check(self) -> None:
        """Raise what the model did not agree with."""
        if self.member is not None and self.sink.failure is not None:
            raise self.sink.failure

    def leave(self) -> None:
        """Lose the connection, or be let go; what was counted is what was sent."""
        self.check()
        member, self.member = self.member, None
        if member is not None:
            drop(self._world.node, member)
            assert member.stream.sent == self.checks.sent
            assert member.cohort is None
            self.cursor = self.sink.cursor or self.cursor


class World:
    """A node with its loop, the list of all ticks, and the clients."""

    def __init__(self, size: int, kinds: list[tuple[int, str]]) -> None:
        self.node = Node(Settings(no_feed=True, ring_size=size), None, clock, Random(1))
        self.node.fanout = Fanout(self.node.market, 0.01, asyncio.get_running_loop().time)
        self.history = History(size, BEGIN // 1000)
        self.number = 0
        self.clients = [Client(number, FILTERS[kind], name, self) for number, (kind, name) in enumerate(kinds)]
        # How often clients stood together in a cohort, when all was calm.
        self.together = 0

    async def do(self, action: Action) -> None:
        """Do what an action says."""
        name, *arguments = action
        if name in ("publish", "turns", "wait", "calm", "lag"):
            await getattr(self, name)(*arguments)
            return
        number, *rest = arguments
        client = self.clients[number]
        if name == "join" or client.member is not None:
            getattr(self, name)(client, *rest)

    # What happens to all

    async def publish(self, draws: list[tuple[str, bool]]) -> None:
        ticks = [self._tick(symbol, is_trade) for symbol, is_trade in draws]
        await self.node.market.publish(ticks)
        self.history.add(ticks, clock())

    def _tick(self, symbol: str, is_trade: bool) -> Tick:
        self.number += 1
        if is_trade:
            return Trade(symbol, 100.5, self.number, "buy", clock())
        return Quote(symbol, 100.25, self.number, 100.5, 1.5, clock())

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for client in self.clients:
            # What owns a sink that was cut by the fan-out.
            if client.member is not None and client.sink.aborted:
                client.leave()

    async def lag(
        self,
        number: int,
        before: list[tuple[str, bool]],
        changes: list[Action],
        after: list[tuple[str, bool]],
        is_slow: bool,
    ) -> None:
        """Let a client lag behind while its session changes."""
        await self.do(("fill", number, 0))
        await self.publish(before)
        if is_slow:
            await self.wait(0.03)
        for change in changes:
            await self.do((change[0], number, *change[2:]))
        await self.publish(after)
        await self.do(("drain", number))

    async def calm(self) -> None:
        """Wait until all is served, and check that nothing is owed."""
        for client in self.clients:
            if client.member is not None:
                self.drain(client)
        await self.wait(CALM)
        for client in self.clients:
            if client.member is not None:
                client.checks.take([], clock())
        self._check_cohorts()

    def _check_cohorts(self) -> None:
        streaming = [client.member for client in self.clients if client.member is not None]
        plain = [member for member in streaming if member.stream.is_plain]
        assert all(member.cohort is not None for member in plain)
        assert all(member.cohort is None for member in streaming if member not in plain)
        assert len(self.node.fanout) == len(streaming)
        sizes = Counter(id(member.cohort) for member in plain)
        assert sorted(sizes.values()) == sorted(len(each) for each in self.node.fanout._cohorts)
        assert max(sizes.values(), default=0) <= cohort.LIMIT
        self.together += sum(size > 1 for size in sizes.values())

    # What clients do

    def join(self, client: Client, start: str, is_together: bool) -> None:
        if client.member is None:
            client.join(start)

    def fill(self, client: Client, room: int) -> None:
        client.sink.room = room

    def congest(self, client: Client) -> None:
        if client.sink.ready:
            client.sink.ready = False
            client.sink.full()

    def drain(self, client: Client) -> None:
        was_full = not client.sink.ready
        client.sink.take()
        if was_full:
            go_on(self.node, client.member)

    def leave(self, client: Client) -> None:
        client.leave()

    def change(self, client: Client, op: str, names: tuple[str, ...]) -> None:
        session = self.node.sessions.get(client.id, "someone")
        assert session is not None
        kinds: dict[str, type[commands.Subscribe | commands.Unsubscribe | commands.Set]] = {
            "subscribe": commands.Subscribe,
            "unsubscribe": commands.Unsubscribe,
            "set": commands.Set,
        }
        ack = ops.apply(self.node, session, kinds[op](symbols=list(names), types=None))
        before = client.model.wanted
        symbols = {
            "set": names,
            "subscribe": tuple(dict.fromkeys(before.symbols + names)),
            "unsubscribe": tuple(name for name in before.symbols if name not in names),
        }[op]
        step = client.model.change(Wanted(symbols, before.types), self.history.place(str(ack["cursor"])))
        if step:
            client.checks.pending.append(step)

    def pause(self, client: Client, is_paused: bool) -> None:
        session = self.node.sessions.get(client.id, "someone")
        assert session is not None
        ops.apply(self.node, session, commands.Pause() if is_paused else commands.Play())
        client.model.paused = is_paused

    def conflate(self, client: Client, milliseconds: int) -> None:
        session = self.node.sessions.get(client.id, "someone")
        assert session is not None
        ops.apply(self.node, session, commands.Conflate(ms=milliseconds))
        client.model.conflate = milliseconds

    def end(self, client: Client, reason: Ending) -> None:
        assert client.member is not None
        if not client.sink.data:
            # The model knows no bye before hello.
            return
        client.member.end(reason)
        self.node.fanout.wake(client.member)


async def play(size: int, kinds: list[tuple[int, str]], script: list[Action]) -> int:
    """Play a script; return how often clients stood together."""
    world = World(size, kinds)
    task = asyncio.create_task(world.node.fanout.run())
    await asyncio.sleep(0)
    for action in script:
        await world.do(action)
        assert not task.done(), "the loop has died"
        for client in world.clients:
            client.check()
    await world.calm()
    for client in world.clients:
        client.leave()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return world.together


met = Counter[str]()


@given(
    size=st.sampled_from([6, 40, 1000]),
    stride=st.sampled_from([3, 8, 512]),
    limit=st.sampled_from([1, 2, 256]),
    # Zero: the loop gives others their turn after every client.
    time_slice=st.sampled_from([0.0, 0.005]),
    kinds=st.one_of(
        st.lists(
            st.tuples(st.integers(0, len(FILTERS) - 1), st.sampled_from([*TRANSPORTS])),
            min_size=CLIENTS,
            max_size=CLIENTS,
        ),
        st.tuples(st.integers(0, len(FILTERS) - 1), st.sampled_from([*TRANSPORTS])).map(lambda kind: [kind] * CLIENTS),
    ),
    script=st.lists(actions, min_size=10, max_size=60),
)
@settings(max_examples=600, suppress_health_check=list(HealthCheck))
def test_cohorts_make_no_difference(
    size: int, stride: int, limit: int, time_slice: float, kinds: list[tuple[int, str]], script: list[Action]
) -> None:
    with (
        patch.object(view, "STRIDE", stride),
        patch.object(cohort, "LIMIT", limit),
        patch.object(loop, "SLICE", time_slice),
        patch.object(model, "HEARTBEAT", PUNCTUAL),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        met["together"] += runner.run(play(size, kinds, script))
