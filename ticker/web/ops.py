"""Ops: what clients do to a session, the same over the WebSocket and over PATCH (PROTOCOL.md sections 5 and 7)."""

from __future__ import annotations

from typing import cast

from ticker.core import commands
from ticker.core.codes import RequestError
from ticker.core.follower import describe, newest_place
from ticker.core.session import SECOND, Session, Wish, parse_conflate, parse_wish
from ticker.core.view import Filter
from ticker.core.wire import Codec
from ticker.fanout import Member
from ticker.node import Node


def apply(here: Node, session: Session, command: commands.SessionCommand) -> dict[str, object]:
    """Do what a command asks of a session and return the fields of its ack.

    Raises:
        RequestError: it can't be done; nothing is changed.
    """
    place: int | None = None
    match command:
        case commands.Change(symbols=symbols, types=types, interval=interval):
            wish = parse_wish(symbols, types, interval, limit=here.settings.subscription_limit)
            place = change(here, session, command.op, wish)
        case commands.Conflate(ms=milliseconds):
            session.conflate = parse_conflate(milliseconds)
        case commands.Pause():
            session.paused = True
        case commands.Play():
            session.paused = False
        case commands.Cut(seconds=seconds):
            _cut(here, session, seconds)
    wake(here, session)
    return effective(here, session, place)


def change(here: Node, session: Session, op: str, wish: Wish) -> int:
    """Change a subscription at the newest place, or at the one that its data connection has reached; return it.

    Raises:
        BadSymbols: there would be too many names; nothing is changed.
    """
    reached = session.data.position if session.data is not None else None
    place = max(newest_place(here.tape, session.conflate, here.clock()), reached or 0)
    session.change(op, wish, place, here.settings.subscription_limit)
    wake(here, session)
    # It stands where the change before it does, if that lies ahead.
    return max(place, session.steps[-1].position) if session.steps else place


def effective(here: Node, session: Session, place: int | None = None) -> dict[str, object]:
    """Return what every ack says: the effective subscription, and the place from which on it holds."""
    if place is None:
        place = newest_place(here.tape, session.conflate, here.clock())
    return {**describe(session.subscription, here.tape), "cursor": str(here.tape.ring.cursor(place))}


def refuse_for(here: Node, session: Session, seconds: float) -> None:
    """Refuse a session's data connections for a time."""
    session.cut_until = here.clock() + int(seconds * SECOND)


def _cut(here: Node, session: Session, seconds: float) -> None:
    if session.data is None:
        raise RequestError("not_found", "nothing streams in this session", "session")
    refuse_for(here, session, seconds)
    session.data.abort()


def wake(here: Node, session: Session) -> None:
    """Let the session's data connection look at once at what has changed."""
    if session.data is not None:
        here.fanout.wake(cast(Member, session.data))


def state(here: Node, session: Session) -> dict[str, object]:
    """Return what ``GET`` and ``PATCH /v1/sessions/<id>`` say of a session besides the ack's fields."""
    return {
        "session": session.id,
        "interval": session.subscription.interval,
        "conflate": session.conflate,
        "paused": session.paused,
        "connected": session.connected,
    }


def snapshot(here: Node, session: Session, codec: Codec) -> dict[str, object]:
    """Return a snapshot of what a session subscribes, now."""
    wanted = Filter((session.subscription,), session.conflate)
    view = here.tape.views.get(wanted, codec, False)
    place = newest_place(here.tape, session.conflate, here.clock())
    return here.tape.snapshot(place, view.wants, codec.record, "all")
