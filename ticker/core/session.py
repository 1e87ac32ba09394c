"""Session: what outlives a connection: subscription, pause, conflation, and the changes that a client may yet meet."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, Protocol

from ticker.core.codes import BadRequest, Refused, RequestError
from ticker.core.subscription import LIMIT, Subscription, parse_interval, parse_symbols, parse_types

# Changes that a session remembers for a client that resumes before them. Beyond, the oldest is forgotten: who resumes
# before it gets the newer filter from the start.
STEPS = 64

CONTROLS = 4

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)

SECOND = 1_000_000


class Wish(NamedTuple):
    """What a query or an op says of a subscription; None where it says nothing."""

    symbols: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    interval: str | None = None
    conflate: int | None = None

    def over(self, older: Wish) -> Wish:
        """Return this wish, filled up from an older one."""
        return Wish(
            older.symbols if self.symbols is None else self.symbols,
            older.types if self.types is None else self.types,
            older.interval if self.interval is None else self.interval,
            older.conflate if self.conflate is None else self.conflate,
        )

    def beyond(self, older: Wish) -> Wish:
        """Return only what is not in an older wish."""
        return Wish(
            None if self.symbols == older.symbols else self.symbols,
            None if self.types == older.types else self.types,
            None if self.interval == older.interval else self.interval,
            None if self.conflate == older.conflate else self.conflate,
        )


def parse_wish(
    symbols: Sequence[str] | None,
    types: Sequence[str] | None,
    interval: str | None = None,
    conflate: int | None = None,
    limit: int = LIMIT,
) -> Wish:
    """Check what a client says of a subscription of at most ``limit`` names.

    Raises:
        BadSymbols, BadRequest: a part of it breaks a rule.
    """
    return Wish(
        parse_symbols(symbols, limit) if symbols is not None else None,
        parse_types(types) if types is not None else None,
        parse_interval(interval) if interval is not None else None,
        parse_conflate(conflate) if conflate is not None else None,
    )


def parse_conflate(milliseconds: int) -> int:
    """Check an interval of conflation.

    Raises:
        BadRequest: it is neither 0 nor within 20 to 60000.
    """
    if milliseconds != 0 and not 20 <= milliseconds <= 60_000:
        raise BadRequest("conflate is 0 (off) or 20 to 60000 milliseconds", "conflate")
    return milliseconds


def parse_session_id(text: str, field: str = "session") -> str:
    """Check a session's id.

    Raises:
        BadRequest: it is not 16 to 64 of ``[A-Za-z0-9_-]``.
    """
    if not _ID.fullmatch(text):
        raise BadRequest("a session id is 16 to 64 of A-Z a-z 0-9 _ -", field)
    return text


class Step(NamedTuple):
    """A change of the subscription, and the place at which the stream comes to it."""

    serial: int
    position: int
    before: Subscription
    after: Subscription


class DataConnection(Protocol):
    """What carries a session's ticks."""

    # The place up to which everything that matches has been sent; None while it still waits for its beginning.
    @property
    def position(self) -> int | None: ...

    def end(self, reason: Literal["replaced"]) -> None:
        """End, because another data connection has taken the session over."""
        ...

    def abort(self) -> None:
        """End without a word, as a network would."""
        ...


class Session:
    """The state of one client, shared by its data connection and its control connections."""

    __slots__ = (
        *("_query", "conflate", "controls", "cut_until", "data", "given", "id", "offered", "paused", "principal"),
        *("serial", "steps", "streamed", "subscription"),
    )

    def __init__(self, identity: str, principal: str) -> None:
        self.id = identity
        # Who opened it: nobody else may use it.
        self.principal = principal
        self.subscription = Subscription()
        # Milliseconds; 0 is off.
        self.conflate = 0
        self.paused = False
        # False until a query or an op has given a subscription.
        self.given = False
        # Changes that a data connection has not yet proved to have met, in the order of their places.
        self.steps: list[Step] = []
        # The serial of the newest change, and of the newest whose snapshot a poll has carried.
        self.serial = 0
        self.offered = 0
        # What the data connections' queries said last.
        self._query = Wish()
        self.data: DataConnection | None = None
        # True from the first data connection on.
        self.streamed = False
        self.controls = 0
        # Data connections are refused until then (microseconds), to show a recovery.
        self.cut_until = 0

    @property
    def connected(self) -> bool:
        """Whether a data connection is open."""
        return self.data is not None

    def take_query(self, query: Wish, default: tuple[str, ...]) -> None:
        """Take what a new data connection's query says where it differs from the last one's.

        Args:
            query: the parameters; None where absent.
            default: the symbols of a client that never gave any.
        """
        changed = query.beyond(self._query)
        self._query = query.over(self._query)
        if not self.given and changed.symbols is None:
            changed = changed._replace(symbols=default)
        self.given = True
        after = _replaced(self.subscription, changed)
        if after != self.subscription:
            self.subscription = after
            self.steps.clear()
        if changed.conflate is not None:
            self.conflate = changed.conflate

    def change(self, op: str, wish: Wish, position: int, limit: int = LIMIT) -> None:
        """Change the subscription by ``subscribe``, ``unsubscribe`` or ``set`` from a place of the stream on.

        Raises:
            BadSymbols: there would be too many names; nothing is changed.
        """
        before = self.subscription
        after = _changed(before, op, wish, limit)
        self.given = self.given or op != "unsubscribe"
        if after == before:
            return
        self.serial += 1
        # With a conflation that was switched on since the last change, the newest window's end may lie before it.
        position = max(position, self.steps[-1].position) if self.steps else position
        self.steps.append(Step(self.serial, position, before, after))
        del self.steps[:-STEPS]
        self.subscription = after

    def resume(self, position: int) -> list[Step]:
        """Return the changes that a client meets who resumes at a place; the earlier ones it has proved to know."""
        self.steps = [step for step in self.steps if step.position >= position]
        return list(self.steps)

    def refuse(self, now: int) -> None:
        """Raise Refused while data connections are cut."""
        if now < self.cut_until:
            raise Refused("cut", "this session was cut on its own demand", (self.cut_until - now) / SECOND)


def _replaced(subscription: Subscription, wish: Wish) -> Subscription:
    return Subscription(
        subscription.symbols if wish.symbols is None else wish.symbols,
        subscription.types if wish.types is None else wish.types,
        wish.interval or subscription.interval,
    )


def _changed(before: Subscription, op: str, wish: Wish, limit: int) -> Subscription:
    if op == "set":
        return _replaced(before, wish)
    if op == "unsubscribe":
        return before.remove(wish.symbols or (), wish.types or ())
    more = before.add(wish.symbols or (), wish.types or (), limit)
    return more._replace(interval=wish.interval or before.interval)


class Sessions:
    """All sessions of this node.

    Args:
        memory: seconds that a session is kept after its last connection.
        limit: how many are kept; the longest idle go first.
        random: makes ids; must not be guessable.
    """

    def __init__(self, memory: float, limit: int, random: Random) -> None:
        self._memory = int(memory * SECOND)
        self._limit = limit
        self._random = random
        self._sessions: dict[str, Session] = {}
        # When each session without a connection was left (microseconds), the longest idle first.
        self._idle: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, identity: str, principal: str) -> Session | None:
        """Return a session, or None.

        Raises:
            RequestError: it belongs to another principal (``forbidden``).
        """
        session = self._sessions.get(identity)
        if session is not None and session.principal != principal:
            raise RequestError("forbidden", "this session belongs to someone else", "session")
        return session

    def open(self, identity: str | None, principal: str, now: int) -> Session:
        """Return the session of this id, a new one if there is none.

        Raises:
            RequestError: it belongs to another principal (``forbidden``).
            Refused: there is no room (``overloaded``).
        """
        self.expire(now)
        session = self.get(identity, principal) if identity is not None else None
        if session is None:
            self._make_room()
            session = Session(identity or f"{self._random.getrandbits(128):032x}", principal)
            self._sessions[session.id] = session
        self._touch(session, now)
        return session

    def _make_room(self) -> None:
        if len(self._sessions) >= self._limit:
            if not self._idle:
                raise Refused("overloaded", "this node holds as many sessions as it may", 5)
            identity, _ = self._idle.popitem(last=False)
            del self._sessions[identity]

    def _touch(self, session: Session, now: int) -> None:
        self._idle.pop(session.id, None)
        if not session.connected and not session.controls:
            self._idle[session.id] = now

    def take(self, session: Session, connection: DataConnection, now: int) -> None:
        """Make a connection the session's data connection; an older one is told that it was replaced."""
        older, session.data = session.data, connection
        if not session.streamed:
            # Changes from before the first data connection are nothing that it meets again: the filter that they made
            # holds for the whole of its replay.
            session.streamed = True
            session.steps.clear()
        if older is not None:
            older.end("replaced")
        self._touch(session, now)

    def leave(self, session: Session, connection: DataConnection, now: int) -> None:
        """Forget a data connection that has ended, if it is still the session's."""
        if session.data is connection:
            session.data = None
            self._touch(session, now)

    def attach(self, session: Session, now: int) -> None:
        """Count one more control connection.

        Raises:
            RequestError: there are 4 already (``too_many``).
        """
        if session.controls >= CONTROLS:
            raise RequestError("too_many", f"a session has at most {CONTROLS} control connections", "session", 1)
        session.controls += 1
        self._touch(session, now)

    def detach(self, session: Session, now: int) -> None:
        """Count one control connection less."""
        session.controls -= 1
        self._touch(session, now)

    def expire(self, now: int) -> None:
        """Drop the sessions that were left too long ago."""
        while self._idle:
            identity, left = next(iter(self._idle.items()))
            if now - left < self._memory:
                return
            del self._idle[identity], self._sessions[identity]

    def statistics(self) -> Mapping[str, int]:
        """Return how many sessions there are, how many without a connection, and how many there may be."""
        return {"sessions": len(self._sessions), "idle": len(self._idle), "limit": self._limit}
