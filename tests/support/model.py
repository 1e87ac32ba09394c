"""What PROTOCOL.md says a data connection sends, as a checker: it looks at each event and knows the list of all ticks.

Written from the contract alone; it shares no code with the server's core and none with the Python client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.events import Data, Event
from tests.support.oracle import History, Seen, Step, Wanted

SECOND = 1_000_000
HEARTBEAT = 15 * SECOND


Begun = tuple[Data, Data]
"""The newest quotes and trades, by symbol, of what a change has added."""


@dataclass
class ModelSession:
    """What a session keeps between connections (section 7)."""

    wanted: Wanted
    conflate: int = 0
    paused: bool = False
    # Changes that a data connection may yet meet.
    steps: list[Step] = field(default_factory=list)

    def replace(self, wanted: Wanted) -> None:
        """Take a query that differs: it holds at once, for the whole replay."""
        if wanted != self.wanted:
            self.wanted = wanted
            self.steps.clear()

    def change(self, after: Wanted, place: int) -> Step | None:
        """Take an op; the stream comes to it at ``place``."""
        if after == self.wanted:
            return None
        step = Step(place, self.wanted, after)
        self.steps.append(step)
        self.wanted = after
        return step

    def resume(self, place: int) -> list[Step]:
        """Return the steps that a client meets who resumes at a place."""
        self.steps = [step for step in self.steps if step.place >= place]
        return list(self.steps)


class Place:
    """A place in the history with the changes that lie ahead of it."""

    def __init__(self, history: History, session: ModelSession) -> None:
        self.history = history
        self.session = session
        self.place = 0
        self.pending: list[Step] = []
        # The time of the event that is being checked.
        self.now = 0

    @property
    def newest(self) -> int:
        """The last place that may be sent."""
        return self.history.closed(self.now, self.session.conflate)

    def filters(self) -> list[Wanted]:
        """Return what a tick must match here: before a change it must match on both sides of it."""
        if not self.pending:
            return [self.session.wanted]
        return [self.pending[0].before, *(step.after for step in self.pending)]

    def owed(self, to: int) -> list[Seen]:
        """Return the ticks that are owed up to a place, across changes."""
        pending, place, found = self.pending, self.place, []
        while self.pending and self.pending[0].place < to:
            at = max(place, self.pending[0].place)
            found += self._due(place, at)
            place, self.pending = at, self.pending[1:]
        found += self._due(place, to)
        self.pending = pending
        return found

    def _due(self, after: int, to: int) -> list[Seen]:
        end = max(to, min([self.newest, *self.stops()]))
        return self.history.due(after, to, self.filters(), self.session.conflate, end)

    def stops(self) -> list[int]:
        """Return the places ahead at which windows are cut: what was due up to a change comes before it."""
        return [step.place for step in self.pending]

    def meet(self, to: int) -> Begun:
        """Pass the changes up to a place; return the newest quotes and trades there of what begins with them."""
        had = self.filters()
        self.pending = [step for step in self.pending if step.place > to]
        self.place = to

        def begun(kind: str) -> Data:
            values = self.history.values(kind, to, self.filters())
            return {name: each for name, each in values.items() if not all(old.covers(name, kind) for old in had)}

        return begun("quote"), begun("trade")

    def check_snapshot(self, data: Data, scope: str, quotes: Data, trades: Data) -> None:
        """Compare a snapshot with what it should hold."""
        assert data["scope"] == scope
        assert self.history.place(data["cursor"]) == self.place
        for name, expected in (("quotes", quotes), ("trades", trades)):
            assert {each["symbol"]: each for each in data[name]} == expected, name
            assert len(data[name]) == len(expected), "each symbol once"

    def check_all(self, data: Data) -> None:
        """Compare a snapshot of everything subscribed with what it should hold."""
        wanted = self.filters()
        values = [self.history.values(kind, self.place, wanted) for kind in ("quote", "trade")]
        self.check_snapshot(data, "all", *values)

    def check_gap(self, gap: Data, cursor: str) -> None:
        """Check what a gap says that begins after a client's cursor."""
        history = self.history
        epoch, seq = map(int, cursor.split("-"))
        assert gap["from"] == f"{epoch}-{seq + 1}"
        assert history.place(gap["to"]) == self.newest
        to_epoch, to_seq = map(int, gap["to"].split("-"))
        assert gap["lost"] == (to_seq - seq if to_epoch == epoch else None)

    def served(self, cursor: str) -> bool:
        """Whether every tick after a cursor is kept."""
        return self.history.keeps_epoch(cursor) and self.history.place(cursor) >= self.history.oldest


class ModelStream(Place):
    """Checks the events of one stream, in the order in which the server writes them.

    Args:
        start: the cursor that the client resumes with, ``earliest``, ``latest`` or None.
    """

    def __init__(self, history: History, session: ModelSession, start: str | None, now: int) -> None:
        super().__init__(history, session)
        self._start = start
        # The id that the client has, were all delivered.
        self.known: str | None = start if start not in ("earliest", "latest") else None
        self.sent = 0
        self.ended = False
        self._greeted = False
        # The event that alone may come next; any if None.
        self._next: str | None = "hello"
        # The quotes and trades that begin with the change just told; the snapshot of them must come next.
        self._begun: Begun | None = None
        # The place at which a replay ends, until the heartbeat there.
        self._replay_end: int | None = None
        # Everything up to here has been looked at by the server.
        self._looked = 0
        # Why the beginning is not served, until a gap has said it; a paused stream says it when it plays.
        self._unserved: str | None = None
        # Whether the stream has been paused since its last tick.
        self._rested = False
        # Whether a gap has passed changes that are yet to be told.
        self._changed = False
        self._last_event = self._last_heartbeat = now

    def take(self, events: Sequence[Event], now: int) -> None:
        """Check what one pull has returned."""
        self.now = now
        if self.session.paused and self._greeted:
            self._rested = True
        for event in events:
            self._take(event)
        if events:
            self._last_event = now
        else:
            self._check_idle()
        assert self.ended or now - self._last_heartbeat < 2 * HEARTBEAT

    def _take(self, event: Event) -> None:
        assert not self.ended
        assert self._next in (None, event.name)
        assert not self._begun or not any(self._begun) or event.name == "snapshot", "what begins comes with a snapshot"
        self._next = None
        self._check_id(event)
        match event.name:
            case "hello":
                self._hello(event.data)
            case "gap":
                self._gap(event.data)
            case "snapshot":
                self._snapshot(event.data)
            case "quote" | "trade":
                self._tick(event.data)
            case "ticks":
                self._ticks(event.data)
            case "subscription":
                self._subscription(event.data)
            case "heartbeat":
                self._heartbeat(event.data)
            case "bye":
                self._bye(event.data)
            case name:
                raise AssertionError(f"an event {name}")

    def _check_id(self, event: Event) -> None:
        if event.id is None:
            assert event.name == "gap" or (event.name == "hello" and event.data["follows"])
            return
        place = self.history.place(event.id)
        if self.known is not None and event.name not in ("hello", "snapshot"):
            assert place >= self.history.place(self.known), "ids rise"
        self.known = event.id

    def _hello(self, hello: Data) -> None:
        self._greeted = True
        history, session, start = self.history, self.session, self._start
        assert history.place(hello["oldest"]) == history.oldest
        assert history.place(hello["newest"]) == self.newest
        own = start not in (None, "earliest", "latest")
        served = not own or self.served(str(start))
        assert hello["resumed"] == (own and served)
        follows = "snapshot" if start is None else None if served or session.paused else "gap"
        assert hello["follows"] == follows
        self._next = follows
        if not served:
            self._unserved = "evicted" if history.keeps_epoch(str(start)) else "restarted"
            assert hello["replay"] == 0
            return
        self.place = history.place(str(start)) if own else history.oldest if start == "earliest" else self.newest
        met = session.resume(self.place)
        self.pending = met if own else []
        assert history.place(hello["cursor"]) == self.place
        known = self.filters()[0]
        assert (tuple(hello["symbols"]), tuple(hello["types"])) == known
        owed = len(self.owed(self.newest)) if start is not None else 0
        assert hello["replay"] == owed
        self._replay_end = self.newest if owed else None
        self._looked = self.place

    def stops(self) -> list[int]:
        # A conflation that is switched on during a replay cuts the window at its end, too.
        return super().stops() + ([] if self._replay_end is None else [self._replay_end])

    def _limit(self) -> int:
        """Return the place up to which ticks may come now."""
        return min([self.newest, *self.stops()])

    def _tick(self, record: Data) -> None:
        self._check_flowing()
        owed = self.owed(self._limit())
        assert owed, f"nothing is owed, and {record} comes"
        assert record == owed[0].record
        self.place = owed[0].place
        self.sent += 1
        self._rested = False

    def _ticks(self, batch: Data) -> None:
        self._check_flowing()
        start, to = self.history.place(batch["from"]), self.history.place(batch["to"])
        assert start <= self.place <= to <= self._limit()
        assert batch["ticks"], "a batch is never empty"
        assert list(batch["ticks"]) == [tick.record for tick in self.owed(to)]
        self.place = to
        self.sent += len(batch["ticks"])
        self._rested = False

    def _check_flowing(self) -> None:
        assert not self.session.paused
        assert not self._unserved

    def _heartbeat(self, beat: Data) -> None:
        place = self.history.place(beat["cursor"])
        if not self._unserved:
            assert self.place <= place <= self.history.newest
            assert self.owed(place) == [], "a heartbeat ahead of what was sent"
            self.place = place
        assert self.history.place(beat["newest"]) == self.newest
        assert (beat["sent"], beat["ts"]) == (self.sent, self.now)
        if self._replay_end is not None and place >= self._replay_end:
            self._replay_end = None
        self._last_heartbeat = self.now

    def _subscription(self, data: Data) -> None:
        place = self.history.place(data["cursor"])
        if self.pending:
            assert place == self.pending[0].place
            assert self.owed(place) == []
            met = [step for step in self.pending if step.place <= place]
            self._begun = self.meet(place)
            after: Wanted = met[-1].after
        else:
            assert self._changed, "a subscription that nobody changed"
            after = self.session.wanted
        self._changed = False
        assert Wanted(tuple(data["symbols"]), tuple(data["types"])) == after
        names = [name for name in after.symbols if "*" not in name]
        assert list(data["unknown"]) == [name for name in names if name not in self.history.symbols()]

    def _gap(self, gap: Data) -> None:
        assert not self.session.paused
        assert self.known is not None
        self.check_gap(gap, self.known)
        if not self._unserved:
            assert max(self.place, self._looked) < self.history.oldest, "a gap where nothing was lost"
        assert gap["reason"] == self._unserved or ("evicted" if self._rested else "slow")
        self._changed = bool(self.pending)
        self.place = self._looked = self.history.place(gap["to"])
        self.session.resume(self.place)
        self.pending = []
        self._unserved = self._replay_end = None
        self._rested = False
        self._next = "snapshot"

    def _snapshot(self, data: Data) -> None:
        if data["scope"] == "all":
            self.check_all(data)
            self._next = "subscription" if self._changed else None
        else:
            assert self._begun is not None
            self.check_snapshot(data, "added", *self._begun)
        self._begun = None

    def _bye(self, data: Data) -> None:
        assert data["reconnect"] == (data["reason"] != "replaced")
        assert self.known is not None
        # Who takes a session over may have changed what it wants.
        if self._greeted and not self._unserved and data["reason"] != "replaced":
            assert self.owed(self.history.place(self.known)) == []
        self.ended = True

    def _check_idle(self) -> None:
        if self.ended:
            return
        assert self._next is None
        assert not self._begun or not any(self._begun)
        assert self.now - self._last_event < HEARTBEAT
        if self.session.paused:
            return
        assert [tick.record for tick in self.owed(self.newest)] == []
        assert not [step for step in self.pending if step.place <= self.newest]
        assert self._replay_end is None or self._replay_end > self.newest
        self._looked = max(self.place, self.newest)


class ModelPoll(Place):
    """Checks the answers of one poll."""

    def __init__(self, history: History, session: ModelSession, start: str | None, limit: int) -> None:
        super().__init__(history, session)
        self._start = start
        self._limit = limit
        # Where it waits, having begun where the client asked and met nothing that matches.
        self._waits_at: int | None = None

    def take(self, answer: Data | None, now: int, waits: bool) -> None:
        """Check an answer, or None where the poll waits on: then there must be nothing to say."""
        self.now = now
        if self._start is None:
            assert answer is not None
            self.place = self.newest
            self._check_start(answer)
            return
        ahead = self._waits_at is not None and self._waits_at >= self.history.oldest
        if not ahead and not self.served(self._start):
            self._check_unserved(answer)
            return
        self.place = self.history.place(self._start)
        self.pending = self.session.resume(self.place)
        if self.session.paused:
            self._check_empty(answer, waits)
        elif answer is None:
            assert waits
            assert self.owed(self.newest) == []
            self._waits_at = self.newest
        else:
            self._check(answer)

    def _check_start(self, answer: Data) -> None:
        self.session.resume(self.place)
        self.pending = []
        self.check_all(answer["snapshot"])
        self._check_end(answer, self.place, False)

    def _check_unserved(self, answer: Data | None) -> None:
        if self.session.paused:
            self._check_empty(answer, True)
            return
        assert answer is not None
        cursor = str(self._start)
        self.check_gap(answer["gap"], cursor)
        at_connect = "evicted" if self.history.keeps_epoch(cursor) else "restarted"
        assert answer["gap"]["reason"] == ("slow" if self._waits_at is not None else at_connect)
        self.place = self.history.place(answer["gap"]["to"])
        self._check_start(answer)

    def _check_empty(self, answer: Data | None, waits: bool) -> None:
        assert answer is None or (answer["ticks"] == [] and answer["cursor"] == self._start)
        assert answer is not None or waits

    def _check_end(self, answer: Data, place: int, more: bool) -> None:
        assert self.history.place(answer["cursor"]) == place
        assert (list(answer["ticks"]), answer["more"]) == ([], more)

    def _check(self, answer: Data) -> None:
        assert answer["gap"] is None
        snapshot = answer["snapshot"]
        base = self.history.place(snapshot["cursor"]) if snapshot else self.place
        assert self.owed(base) == []
        begun = self.meet(base)
        if snapshot:
            self.check_snapshot(snapshot, "added", *begun)
        else:
            assert not any(begun)
        self._check_ticks(answer)

    def _check_ticks(self, answer: Data) -> None:
        to = self.history.place(answer["cursor"])
        assert list(answer["ticks"]) == [tick.record for tick in self.owed(to)]
        assert len(answer["ticks"]) <= self._limit
        self._pass(to)
        if answer["more"]:
            assert not answer["ticks"] or answer["cursor"] == answer["ticks"][-1]["cursor"]
            assert self.owed(self.newest) or self.pending, "more is promised, and nothing is left"
        else:
            assert to >= self.newest
            assert not any(self.meet(to)), "what begins comes with a snapshot"

    def _pass(self, to: int) -> None:
        """Pass the changes on the way that bring nothing; one that brings something would have come as a snapshot."""
        for step in [step for step in self.pending if step.place < to]:
            assert not any(self.meet(step.place))
        self.place = to
