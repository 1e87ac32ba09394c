"""Carry: where a session's stream begins to be served, and where that ends."""

from __future__ import annotations

from collections.abc import Callable

from ticker.core.follower import Start
from ticker.core.session import Session
from ticker.core.stream import Stream
from ticker.core.wire import Codec
from ticker.fanout import Sink, StreamMember
from ticker.node import Node


def carry(
    here: Node,
    session: Session,
    codec: Codec,
    sink: Sink,
    *,
    start: Start,
    batched: bool,
    ended: Callable[[], None],
) -> StreamMember:
    """Begin a session's stream on a sink, in place of the data connection that the session has.

    Whoever owns the sink wakes the member when it is ready again.

    Args:
        ended: called once after ``bye`` was written.
    """
    stream = Stream(
        here.tape,
        session,
        codec,
        start=start,
        batched=batched,
        terms=here.terms,
        random=here.random,
        now=here.clock(),
    )
    member = StreamMember(stream, sink, ended)
    here.take(session, member)
    here.fanout.join(member)
    return member


def drop(here: Node, member: StreamMember) -> None:
    """End a stream's service without a word."""
    here.leave(member.stream.session, member)


def hold(here: Node, member: StreamMember | None) -> None:
    """Serve a stream no more until its sink is ready again."""
    if member is not None:
        here.fanout.full(member)


def go_on(here: Node, member: StreamMember | None) -> None:
    """Serve a stream whose sink is ready again."""
    if member is not None and member.behind:
        here.fanout.wake(member)
