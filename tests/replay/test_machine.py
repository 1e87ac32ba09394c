"""Clients that lose, drop, return, resubscribe and pause at any moment get exactly what they are owed.

A state machine over the real ring, sessions, filters and encodings; the oracle is the list of all ticks.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.support.events import Data, Event, EventReader, read_message
from tests.support.model import ModelPoll, ModelSession, ModelStream
from tests.support.oracle import History, Wanted
from ticker.bus import MemoryBus
from ticker.core import commands, view
from ticker.core.cursor import Cursor
from ticker.core.follower import Start
from ticker.core.poll import Answer, Poll
from ticker.core.session import Session, Wish
from ticker.core.stream import Ending, Stream
from ticker.core.tape import Batch
from ticker.core.tick import Quote, Tick, Trade
from ticker.core.wire import JSON, MSGPACK, SSE, Codec, Message
from ticker.node import Node
from ticker.settings import Settings
from ticker.web import ops

SYMBOLS = ("AB", "AC", "BC", "B/D")
# Each way to receive: its codec, and whether in batches. Polls have no batches.
STREAMS: dict[str, tuple[Codec, bool]] = {
    "sse": (SSE, False),
    "sse batch": (SSE, True),
    "json": (JSON, False),
    "json batch": (JSON, True),
    "msgpack": (MSGPACK, False),
    "msgpack batch": (MSGPACK, True),
}
CLIENTS = 2

# A second less than an exact minute, so that windows of conflation close in the middle of an example.
NOW = 1_800_000_059_000_000

Draws = list[tuple[str, bool]]
"""Ticks to publish: their symbols, and which are trades."""

draws: st.SearchStrategy[Draws] = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.booleans()), min_size=1, max_size=12)
names = st.lists(st.sampled_from([*SYMBOLS, "NEW", "A*", "*C", "*"]), min_size=1, max_size=3, unique=True).map(tuple)
kinds = st.sampled_from([("quote", "trade"), ("quote",), ("trade",)])
# Few that are likely, so that clients often share what is made for a filter.
queries: st.SearchStrategy[Wanted | str | None] = st.one_of(
    st.none(),
    st.just("same"),
    st.sampled_from([Wanted(("AB",), ("quote", "trade")), Wanted(("*",), ("trade",))]),
    st.builds(Wanted, names, kinds),
)
clients = st.integers(0, CLIENTS - 1)
# What resets much happens seldom: for 0 alone.
chances = st.sampled_from([1, 2, 3, 0])


class Carrier:
    """What the session knows of a data connection."""

    def __init__(self, follower: Stream | Poll) -> None:
        self._follower = follower

    @property
    def position(self) -> int | None:
        return self._follower.position

    def end(self, reason: Ending) -> None:
        assert isinstance(self._follower, Stream)
        self._follower.end(reason)

    def abort(self) -> None:
        raise AssertionError("nobody cuts here")


class Connection(NamedTuple):
    """An open stream: the server's side of it, what checks it, and what cuts its bytes into events."""

    stream: Stream
    model: ModelStream
    reader: EventReader

    def decode(self, message: Message) -> list[Event]:
        if self.stream._codec is SSE:
            return list(self.reader.feed(message))
        return [read_message(message.decode() if self.stream._codec is JSON else message)]


class Client:
    """A client: what it asked for, its cursor, its stream, and what is on its way to it."""

    def __init__(self, number: int) -> None:
        self.id = f"client-{number:010d}"
        # What its queries said last.
        self.query = Wanted(("*",), ("quote", "trade"))
        self.conflate: int | None = None
        self.model = ModelSession(self.query)
        # The id of the last event that arrived; None before the first.
        self.cursor: str | None = None
        self.stream: Connection | None = None
        # Events that were sent and have not arrived.
        self.flight: deque[Event] = deque()
        # The place of the last tick that arrived since everything was last replaced by a snapshot.
        self.last = 0
        # Whether the last poll has said that there is more, and nothing has changed since.
        self.promised = False

    def drop(self) -> None:
        """Forget the connection and what was on its way."""
        self.stream = None
        self.flight.clear()

    def receive(self, event: Event, history: History) -> None:
        """Take an event that arrived whole."""
        if event.name in ("ticks", "quote", "trade"):
            for tick in event.data["ticks"] if event.name == "ticks" else [event.data]:
                self._take(tick, history)
        elif event.name == "snapshot" and event.data["scope"] == "all":
            self.last = 0
        self.cursor = event.id or self.cursor

    def receive_answer(self, answer: Data, history: History) -> None:
        """Take a poll's answer that arrived whole."""
        if answer["snapshot"] and answer["snapshot"]["scope"] == "all":
            self.last = 0
        for tick in answer["ticks"]:
            self._take(tick, history)
        self.cursor = answer["cursor"]

    def _take(self, tick: Data, history: History) -> None:
        place = history.place(tick["cursor"])
        assert place > self.last, "a tick came twice"
        self.last = place


def parse(cursor: str | None) -> Start:
    """Return a cursor as a query gives it to the core."""
    if cursor is None or cursor == "earliest" or cursor == "latest":
        return cursor  # type: ignore[return-value]
    return Cursor.parse(cursor)


def decode(answer: Answer | None, codec: Codec) -> Data | None:
    """Return a poll's answer as it is on the wire."""
    if answer is None:
        return None
    encode, read = (msgspec.msgpack, msgspec.msgpack) if codec is MSGPACK else (msgspec.json, msgspec.json)
    found: Data = read.decode(encode.encode(answer._asdict()))
    return found


OPS: dict[str, type[commands.Subscribe | commands.Unsubscribe | commands.Set]] = {
    "subscribe": commands.Subscribe,
    "unsubscribe": commands.Unsubscribe,
    "set": commands.Set,
}


def changed(op: str, before: Wanted, names: tuple[str, ...], kinds: tuple[str, ...] | None) -> Wanted:
    """Return what a subscription is after an op."""
    if op == "set":
        return Wanted(names, kinds or before.types)
    if op == "subscribe":
        types = {*before.types, *(kinds or ())}
        return Wanted(tuple(dict.fromkeys(before.symbols + names)), ordered(types))
    types = set(before.types) - set(kinds or ())
    return Wanted(tuple(name for name in before.symbols if name not in names), ordered(types))


def ordered(types: set[str]) -> tuple[str, ...]:
    return tuple(kind for kind in ("quote", "trade") if kind in types)


class Machine(RuleBasedStateMachine):
    """Everything that may happen between a market and two clients."""

    @initialize(size=st.integers(4, 40), stride=st.sampled_from([3, 8, 512]))
    def begin(self, size: int, stride: int) -> None:
        self.patch = pytest.MonkeyPatch()
        # Chunks of a replay end at multiples of it: small, so that several make up a replay of a few ticks.
        self.patch.setattr(view, "STRIDE", stride)
        self.now, self.number = NOW, 0
        self.history = History(size, NOW // 1000)
        self.batches: list[Batch] = []
        self.clients = [Client(number) for number in range(CLIENTS)]
        self.node = self.start()

    def start(self) -> Node:
        """Start a server on what is kept in ``batches``."""
        epoch = self.history.first_epoch
        bus = MemoryBus(lambda: epoch * 1000)
        node = Node(Settings(no_feed=True, ring_size=self.history.size), bus, lambda: self.now, Random(1))
        for batch in self.batches:
            node.tape.apply(batch)
        return node

    # The market

    @rule(draws=draws)
    def publish(self, draws: Draws) -> None:
        ticks = [self.tick(symbol, is_trade) for symbol, is_trade in draws]
        cursor = self.history.next_cursor
        batch = Batch(cursor.epoch, cursor.seq, self.now, ticks)
        self.batches.append(batch)
        self.node.tape.apply(batch)
        self.history.add(ticks, self.now)

    def tick(self, symbol: str, is_trade: bool) -> Tick:
        self.number += 1
        if is_trade:
            return Trade(symbol, 100.5, self.number, "buy", self.now)
        return Quote(symbol, 100.25, self.number, 100.5, 1.5, self.now)

    @rule(milliseconds=st.sampled_from([1, 7, 20, 100, 1000, 15_000, 31_000]))
    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds * 1000

    @rule()
    def pass_on_to_a_larger_epoch(self) -> None:
        if self.history.epochs[-1][1] < self.history.newest:
            self.history.pass_on(self.history.epochs[-1][0] + 1)

    @rule(keeps=st.booleans(), chance=chances)
    def restart(self, keeps: bool, chance: int) -> None:
        """Start another server: on the same history, as behind one bus, or an embedded one that knows nothing."""
        if chance:
            return
        if not keeps:
            self.history.restart(self.history.epochs[-1][0] + 1000)
            self.batches.clear()
        for client in self.clients:
            client.drop()
            client.model, client.conflate = ModelSession(client.query), None
            client.promised = False
        self.node = self.start()

    # Connections

    @rule(
        number=clients,
        transport=st.sampled_from([*STREAMS]),
        start=st.sampled_from(["own", "own", "own", "none", "earliest", "latest"]),
        query=queries,
        conflate=st.sampled_from([None, None, 0, 20, 1000]),
        chance=chances,
    )
    def connect(
        self,
        number: int,
        transport: str,
        start: str,
        query: Wanted | str | None,
        conflate: int | None,
        chance: int = 0,
    ) -> None:
        """Open a stream, on any transport, now and then where one is open: it takes the session over."""
        client = self.clients[number]
        if client.stream is not None and chance:
            return
        session = self.open(client, query, conflate)
        older, cursor = client.stream, self.start_of(client, start)
        codec, batched = STREAMS[transport]
        stream = Stream(
            self.node.tape,
            session,
            codec,
            start=parse(cursor),
            batched=batched,
            terms=self.node.terms,
            random=self.node.random,
            now=self.now,
        )
        self.node.sessions.take(session, Carrier(stream), self.now)
        if older is not None:
            self.pull_from(older, client)
            assert older.model.ended
        client.drop()
        client.promised = False
        client.last = client.last if start == "own" else 0
        model = ModelStream(self.history, client.model, cursor, self.now)
        client.stream = Connection(stream, model, EventReader())
        self.pull_from(client.stream, client)

    def open(self, client: Client, query: Wanted | str | None, conflate: int | None) -> Session:
        """Open the client's session with a query of a new data connection."""
        session = self.node.sessions.open(client.id, "someone", self.now)
        if query is None and not session.given:
            query = "same"
        asked = client.query if query == "same" else query
        wish = Wish() if not isinstance(asked, Wanted) else Wish(asked.symbols, asked.types)
        held = client.model.wanted if session.given else None
        session.take_query(wish._replace(conflate=conflate), default=("*",))
        if isinstance(asked, Wanted):
            # Parameter by parameter: one that is the same as in the last query leaves the session's state.
            symbols = held.symbols if held and asked.symbols == client.query.symbols else asked.symbols
            types = held.types if held and asked.types == client.query.types else asked.types
            client.query = asked
            client.model.replace(Wanted(symbols, types))
            client.promised = False
        if conflate is not None and conflate != client.conflate:
            client.conflate = client.model.conflate = conflate
            client.promised = False
        return session

    def start_of(self, client: Client, start: str) -> str | None:
        if start == "own":
            return client.cursor
        return None if start == "none" else start

    @rule(number=clients, pulls=st.integers(1, 9))
    def pull(self, number: int, pulls: int) -> None:
        """Let the server write so often."""
        client = self.clients[number]
        for _ in range(pulls if client.stream else 0):
            assert client.stream is not None
            self.pull_from(client.stream, client)

    def pull_from(self, connection: Connection, client: Client) -> bool:
        """Read what is due, check it, and put it on its way; return whether there was anything."""
        messages = connection.stream.pull(self.now)
        events = [event for message in messages for event in connection.decode(message)]
        connection.model.take(events, self.now)
        client.flight.extend(events)
        return bool(messages)

    @rule(draws=draws, counts=st.tuples(*[st.integers(0, 30)] * CLIENTS))
    def flow(self, draws: Draws, counts: tuple[int, ...]) -> None:
        """Publish, let the server write all that is due, and let some of it arrive."""
        self.publish(draws)
        for number, client in enumerate(self.clients):
            while client.stream and self.pull_from(client.stream, client):
                pass
            self.deliver(number, counts[number])

    @rule(draws=draws, number=clients, transport=st.sampled_from([*STREAMS]), count=st.integers(0, 9))
    def cut(self, draws: Draws, number: int, transport: str, count: int) -> None:
        """Cut a stream with a part of what was sent under way, and let its client come back with its cursor."""
        self.flow(draws, (0,) * CLIENTS)
        self.deliver(number, count)
        self.lose(number)
        self.publish(draws)
        self.connect(number, transport, "own", None, None)

    @rule(number=clients, count=st.integers(1, 30))
    def deliver(self, number: int, count: int) -> None:
        """Let so many events arrive."""
        client = self.clients[number]
        for _ in range(min(count, len(client.flight))):
            client.receive(client.flight.popleft(), self.history)

    @rule(number=clients)
    def lose(self, number: int) -> None:
        """Cut the connection with what is on its way."""
        client = self.clients[number]
        if client.stream is not None:
            session = client.stream.stream.session
            if session.data is not None:
                self.node.sessions.leave(session, session.data, self.now)
            client.drop()

    @rule(number=clients, reason=st.sampled_from(["shutdown", "expired", "lifetime"]), chance=chances)
    def end(self, number: int, reason: Ending, chance: int) -> None:
        """Let the server end the stream: `bye`."""
        client = self.clients[number]
        if client.stream is not None and not chance:
            client.stream.stream.end(reason)
            self.pull_from(client.stream, client)
            assert client.stream.model.ended
            self.deliver(number, len(client.flight))
            self.lose(number)

    # Polls

    @rule(
        number=clients,
        codec=st.sampled_from([JSON, MSGPACK]),
        limit=st.sampled_from([1, 2, 5, 1000]),
        arrives=st.booleans(),
        conflate=st.sampled_from([None, None, 0, 20]),
        draws=st.none() | draws,
    )
    def poll(
        self, number: int, codec: Codec, limit: int, arrives: bool, conflate: int | None, draws: Draws | None
    ) -> None:
        """Ask, let the market move if the answer is not at once, and let the answer arrive or not."""
        client = self.clients[number]
        if client.stream is not None:
            return
        session = self.open(client, None, conflate)
        promised, client.promised = client.promised, False
        poll = Poll(self.node.tape, session, codec, parse(client.cursor), limit, self.now)
        carrier = Carrier(poll)
        self.node.sessions.take(session, carrier, self.now)
        model = ModelPoll(self.history, client.model, client.cursor, limit)
        answer = poll.look(self.now)
        model.take(decode(answer, codec), self.now, waits=True)
        assert answer or not promised, "after `more` the next poll answers at once"
        if answer is None and draws:
            self.publish(draws)
            answer = poll.look(self.now)
            model.take(decode(answer, codec), self.now, waits=True)
        if answer is None:
            answer = poll.finish(self.now)
            model.take(decode(answer, codec), self.now, waits=False)
        assert answer is not None
        self.node.sessions.leave(session, carrier, self.now)
        arrived = decode(answer, codec)
        if arrives and arrived:
            client.receive_answer(arrived, self.history)
            client.promised = answer.more

    # Control

    @rule(number=clients, op=st.sampled_from(["subscribe", "unsubscribe", "set"]), names=names, kinds=st.none() | kinds)
    def change(self, number: int, op: str, names: tuple[str, ...], kinds: tuple[str, ...] | None) -> None:
        """Change a subscription while its stream is live, lags, or is not there."""
        client = self.clients[number]
        session = self.node.sessions.get(client.id, "someone")
        if session is None or not session.given:
            return
        ack = ops.apply(self.node, session, OPS[op](symbols=list(names), types=list(kinds) if kinds else None))
        after = changed(op, client.model.wanted, names, kinds)
        assert (ack["symbols"], ack["types"]) == after
        step = client.model.change(after, self.history.place(str(ack["cursor"])))
        if step and client.stream:
            client.stream.model.pending.append(step)
        client.promised = False

    @rule(number=clients, command=st.sampled_from([commands.Pause(), commands.Play(), commands.Play()]))
    def pause_or_play(self, number: int, command: commands.SessionCommand) -> None:
        client = self.clients[number]
        if session := self.node.sessions.get(client.id, "someone"):
            ops.apply(self.node, session, command)
            client.model.paused = isinstance(command, commands.Pause)
            client.promised = False

    @rule(number=clients, milliseconds=st.sampled_from([0, 20, 1000]))
    def conflate(self, number: int, milliseconds: int) -> None:
        client = self.clients[number]
        if session := self.node.sessions.get(client.id, "someone"):
            ops.apply(self.node, session, commands.Conflate(ms=milliseconds))
            client.model.conflate = milliseconds
            client.promised = False

    def teardown(self) -> None:
        self.patch.undo()

    @rule(number=clients, transport=st.sampled_from([*STREAMS]))
    def settle(self, number: int, transport: str) -> None:
        """Let a client come back and get everything."""
        client = self.clients[number]
        self.pause_or_play(number, commands.Play())
        if client.stream is None:
            self.connect(number, transport, "own", None, None)
        assert client.stream is not None
        while self.pull_from(client.stream, client):
            pass
        self.deliver(number, len(client.flight))


@pytest.mark.timeout(400)  # 14 s undisturbed, several times that with coverage on a busy machine
def test_clients_get_exactly_what_they_are_owed() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=700,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def machine(size: int = 40) -> Machine:
    """Return a machine to be driven by hand: what the server sends is checked all the same."""
    driven = Machine()
    driven.begin(size=size, stride=512)
    return driven


def test_a_change_is_told_by_the_pull_that_comes_to_it() -> None:
    driven = machine()
    driven.connect(0, "sse", "none", None, None)
    driven.publish([("AB", False)])
    driven.change(0, "set", ("AC",), None)
    driven.deliver(0, 10)
    driven.pull(0, 1)

    assert [event.name for event in driven.clients[0].flight] == ["subscription", "snapshot"]


def test_the_heartbeat_after_a_replay_comes_with_the_pull_that_ends_it() -> None:
    driven = machine()
    driven.publish([("AB", False), ("AC", False)])
    driven.connect(0, "sse", "earliest", Wanted(("AB",), ("quote",)), None)
    driven.pull(0, 2)

    assert [event.name for event in driven.clients[0].flight] == ["hello", "quote", "heartbeat"]


def test_what_is_taken_away_and_added_again_comes_with_a_snapshot() -> None:
    driven = machine()
    driven.poll(0, JSON, 1, True, None, None)
    driven.publish([("AB", False)])
    driven.change(0, "unsubscribe", ("AB",), ("quote", "trade"))
    driven.change(0, "subscribe", ("AB",), ("quote", "trade"))
    driven.connect(0, "sse batch", "own", None, None)
    driven.pull(0, 1)

    *_, snapshot = driven.clients[0].flight
    assert [quote["bid_size"] for quote in snapshot.data["quotes"]] == [1]


def test_an_ack_names_the_place_of_the_change_also_behind_an_open_window() -> None:
    driven = machine()
    driven.connect(0, "sse", "none", None, None)
    driven.publish([("AB", False)])
    driven.change(0, "subscribe", ("AB",), None)
    driven.conflate(0, 20)
    driven.change(0, "subscribe", ("AC",), None)

    assert [step.place for step in driven.clients[0].model.steps] == [1, 1]


def test_clients_at_different_places_get_batches_from_where_each_stands() -> None:
    driven = machine()
    quiet = Wanted(("AB",), ("quote",))
    driven.connect(0, "sse batch", "none", quiet, None)
    driven.publish([("AC", False)])
    driven.pull(0, 1)
    driven.connect(1, "sse batch", "latest", quiet, None)
    driven.publish([("AB", False)])
    for number in (1, 0):
        driven.pull(number, 1)

    begins = [client.flight[-1].data["from"] for client in driven.clients]
    assert [driven.history.place(begin) for begin in begins] == [0, 1]


def test_the_cursor_of_a_poll_that_promises_more_is_its_last_ticks() -> None:
    driven = machine()
    driven.poll(0, JSON, 1, True, None, None)
    driven.publish([("AB", False), ("AC", False)])
    driven.change(0, "set", ("AB",), None)
    driven.change(0, "subscribe", ("NEW",), None)
    driven.poll(0, JSON, 1000, True, None, None)

    assert driven.clients[0].promised
    assert driven.history.place(str(driven.clients[0].cursor)) == 1


def test_the_gap_of_a_poll_that_waited_begins_after_the_clients_own_cursor() -> None:
    driven = machine(size=4)
    driven.connect(0, "sse", "none", Wanted(("AB",), ("quote",)), None)
    driven.deliver(0, 2)
    driven.lose(0)
    driven.publish([("AC", False)] * 2)
    driven.poll(0, JSON, 1000, True, None, [("AB", False)] * 7)

    assert driven.clients[0].cursor == f"{NOW // 1000}-9"
