"""Control: the ops of one WebSocket (PROTOCOL.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import msgspec

from ticker.core import commands, publishing
from ticker.core.codes import Close
from ticker.core.session import Wish, parse_session_id, parse_wish
from ticker.core.stream import Ending, Stream
from ticker.core.wire import MSGPACK, Codec, instrument_record
from ticker.fanout import Sink, StreamMember
from ticker.node import Node
from ticker.web import ops
from ticker.web.carry import carry, drop
from ticker.web.context import Client
from ticker.web.publish import check_right, publish
from ticker.web.query import Query, parse_start

CLOSES: dict[Ending, Close] = {
    "shutdown": Close.GOING_AWAY,
    "lifetime": Close.GOING_AWAY,
    "expired": Close.UNAUTHORIZED,
    "replaced": Close.REPLACED,
}


class Control:
    """What a socket controls: its own session, whose ticks it may carry, or the session that it is attached to.

    Args:
        sink: takes the ticks.
        close: closes the socket once everything was sent; with None it is cut instead.

    Raises:
        RequestError: it may not begin now.
    """

    __slots__ = ("_client", "_close", "_codec", "_node", "_query", "_sink", "_target", "member", "own")

    def __init__(
        self,
        here: Node,
        client: Client,
        query: Query,
        codec: Codec,
        sink: Sink,
        close: Callable[[Close | None], None],
    ) -> None:
        self._node = here
        self._client = client
        self._query = query
        self._codec = codec
        self._sink = sink
        self._close = close
        # What streams on this socket.
        self.member: StreamMember | None = None
        now = here.clock()
        here.refuse()
        # The session whose ticks this socket carries.
        self.own = here.sessions.open(query.session, client.principal, now)
        here.sessions.attach(self.own, now)
        # The session that ops are for.
        self._target = self.own
        if query.wish != Wish():
            self._take_query(query.wish)

    def _take_query(self, wish: Wish) -> None:
        if self.own.connected:
            ops.change(self._node, self.own, "set", wish)
        else:
            self.own.take_query(wish, default=())

    def leave(self) -> Stream | None:
        """Leave both sessions, since the socket has gone; return what streamed last."""
        member = self.member
        self._stop_stream()
        self._detach()
        self._node.sessions.detach(self.own, self._node.clock())
        return member.stream if member is not None else None

    async def do(self, command: commands.SocketCommand) -> dict[str, object]:
        """Do what a command asks and return the fields of its ack.

        Raises:
            RequestError: it can't be done; nothing is changed.
        """
        extra: dict[str, object] = {}
        match command:
            case commands.Cut() if self.member is not None and self._target.data is self.member:
                self._cut_myself(command)
            case (
                commands.Subscribe()
                | commands.Unsubscribe()
                | commands.Set()
                | commands.Conflate()
                | commands.Pause()
                | commands.Play()
                | commands.Cut()
            ):
                return ops.apply(self._node, self._target, command)
            case commands.Attach(session=identity):
                self._attach(parse_session_id(identity))
            case commands.Detach():
                self._detach()
            case commands.Stream():
                self._stream(command)
            case commands.Snapshot():
                extra["snapshot"] = ops.snapshot(self._node, self._target, self._codec)
            case commands.List():
                extra["instruments"] = [instrument_record(each) for each in self._node.tape.instruments.values()]
            case commands.Ping():
                extra["ts"] = self._node.clock()
            case commands.Publish(ticks=ticks):
                extra.update(await self._publish(ticks))
            case commands.Auth():
                # Without credentials configured any token is as good as none.
                pass
            case _:
                assert_never(command)
        return {**ops.effective(self._node, self._target), **extra}

    def _cut_myself(self, command: commands.Cut) -> None:
        """Let the ack out before the connection that carries it is cut."""
        ops.refuse_for(self._node, self._target, command.seconds)
        self._close(None)

    def _attach(self, identity: str) -> None:
        sessions, now = self._node.sessions, self._node.clock()
        session = sessions.open(identity, self._client.principal, now)
        if session is self._target:
            return
        if session is not self.own:
            sessions.attach(session, now)
        self._detach()
        self._target = session

    def _detach(self) -> None:
        if self._target is not self.own:
            self._node.sessions.detach(self._target, self._node.clock())
        self._target = self.own

    async def _publish(self, ticks: msgspec.Raw) -> dict[str, object]:
        check_right(self._client)
        self._node.refuse()
        return await publish(self._node, publishing.decode_raw(bytes(ticks), self._codec is MSGPACK), "ticks")

    def _stream(self, command: commands.Stream) -> None:
        here, session = self._node, self.own
        start = self._query.start if command.cursor is None else parse_start(command.cursor)
        wish = parse_wish(None, None, conflate=command.conflate)
        session.refuse(here.clock())
        self._stop_stream()
        session.take_query(wish, default=())
        batched = self._query.batched if command.batch is None else command.batch
        self.member = carry(here, session, self._codec, self._sink, start=start, batched=batched, ended=self._ended)

    def _stop_stream(self) -> None:
        member, self.member = self.member, None
        if member is not None:
            drop(self._node, member)

    def _ended(self) -> None:
        assert self.member is not None
        assert self.member.stream.ending is not None
        self._close(CLOSES[self.member.stream.ending])
