"""``WS /v1/ws``: data, and control of subscriptions (PROTOCOL.md section 5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import assert_never

import msgspec
from quart import Blueprint, websocket
from quart.wrappers import Websocket

from ticker.core import commands, publishing
from ticker.core.codes import BadRequest, Close, RequestError
from ticker.core.session import Wish, parse_session_id, parse_wish
from ticker.core.stream import NEVER, Ending, Stream, reconnect_after
from ticker.core.wire import JSON, MSGPACK, Codec, instrument_record
from ticker.fanout import StreamMember
from ticker.log import get_logger
from ticker.node import Node
from ticker.web import ops
from ticker.web.connection import Connection
from ticker.web.context import abort, connection, is_local, is_own_origin, node, principal
from ticker.web.publish import publish
from ticker.web.pump import Pump
from ticker.web.query import Query, parse_query, parse_start

blueprint = Blueprint("websocket", __name__)
log = get_logger(__name__)

CODECS: dict[str, Codec] = {"ticker.v1.json": JSON, "ticker.v1.msgpack": MSGPACK}

# Messages that are no valid op, after which a client is sent away.
BAD_MESSAGES = 10

_CLOSES: dict[Ending, Close] = {
    "shutdown": Close.GOING_AWAY,
    "lifetime": Close.GOING_AWAY,
    "expired": Close.UNAUTHORIZED,
    "replaced": Close.REPLACED,
}


@blueprint.websocket("/v1/ws")
async def socket() -> None:
    """Serve one WebSocket until either side closes it."""
    here = node()
    if not is_own_origin(websocket.headers):
        raise RequestError("forbidden", "pages of this origin may not connect", "Origin")
    query = parse_query(websocket.args, websocket.query_string, here.settings.subscription_limit)
    name = _subprotocol(websocket.requested_subprotocols)
    if query.session is not None:
        here.sessions.get(query.session, principal())
    codec = CODECS[name or "ticker.v1.json"]
    await websocket.accept(subprotocol=name)
    peer = websocket._get_current_object()  # type: ignore[attr-defined]  # the proxy would look it up for each message
    try:
        served = Socket(here, peer, connection(), principal(), query, codec, abort())
    except RequestError as refusal:
        data = {"code": refusal.code, "retry_after": round(refusal.retry_after or 1, 3)}
        await peer.send(codec.event("refused", data))
        await peer.close(Close.TRY_AGAIN_LATER, "try_again_later")
        return
    await served.run()


def _subprotocol(offered: list[str]) -> str | None:
    """Return the first known subprotocol, None where none is offered.

    Raises:
        BadRequest: some are offered and none is known.
    """
    if not offered:
        return None
    for name in offered:
        if name in CODECS:
            return name
    raise BadRequest(f"the subprotocols are {' and '.join(CODECS)}", "Sec-WebSocket-Protocol")


class Socket:
    """One WebSocket: its own session, the session it controls, and the stream it carries, if any.

    Raises:
        RequestError: it may not begin now.
    """

    def __init__(
        self,
        here: Node,
        peer: Websocket,
        carrier: Connection,
        principal: str,
        query: Query,
        codec: Codec,
        abort: Callable[[], None],
    ) -> None:
        self._node = here
        self._peer = peer
        self._carrier = carrier
        self._principal = principal
        self._query = query
        self._codec = codec
        self._binary = codec is MSGPACK
        self._abort = abort
        self._pump = Pump(abort)
        # How the socket is closed once everything was sent; None aborts it.
        self._close: Close | None = Close.NORMAL
        self._bad_messages = 0
        self._member: StreamMember | None = None
        self._opened = time.monotonic()
        now = here.clock()
        here.refuse()
        self._own = here.sessions.open(query.session, principal, now)
        here.sessions.attach(self._own, now)
        # The session that ops are for.
        self._target = self._own
        if query.wish != Wish():
            self._take_query(query.wish)

    def _take_query(self, wish: Wish) -> None:
        if self._own.connected:
            place = self._node.tape.ring.newest
            self._own.change("set", wish, max(place, self._own.data.position or 0) if self._own.data else place)
        else:
            self._own.take_query(wish, default=())

    async def run(self) -> None:
        """Serve until either side closes."""
        self._node.sockets.add(self)
        log.info("socket_opened", client=self._principal, session=self._own.id, http=self._carrier.http_version)
        receiving = asyncio.create_task(self._receive(), name="socket receive")
        try:
            await self._send()
            await self._end()
        finally:
            receiving.cancel()
            self._leave()

    async def _send(self) -> None:
        while messages := await self._pump.take():
            for message in messages:
                await self._peer.send(message)

    async def _end(self) -> None:
        if self._close is None:
            self._abort()
        else:
            await self._peer.close(self._close, self._close.name.lower())

    def close(self, code: Close | None) -> None:
        """Close when everything was sent; None aborts instead."""
        self._close = code
        self._pump.close()

    def end(self, reason: Ending) -> None:
        """Say ``bye`` and close."""
        if self._member is not None:
            self._member.stream.end(reason)
            self._node.fanout.wake(self._member)
            return
        retry = NEVER if reason == "replaced" else reconnect_after(self._node.random)
        newest = self._node.tape.ring.cursor(self._node.tape.ring.newest)
        data = {"reason": reason, "reconnect": reason != "replaced", "retry": retry}
        self._pump.write([self._codec.event("bye", data, newest)])
        self.close(_CLOSES[reason])

    def _leave(self) -> None:
        here, now = self._node, self._node.clock()
        here.sockets.discard(self)
        member = self._member
        self._stop_stream()
        here.sessions.detach(self._own, now)
        if self._target is not self._own:
            here.sessions.detach(self._target, now)
        log.info(
            "socket_closed",
            client=self._principal,
            session=self._own.id,
            seconds=round(time.monotonic() - self._opened, 3),
            sent=member.stream.sent if member else 0,
            gaps=member.stream.gaps if member else 0,
        )

    async def _receive(self) -> None:
        while True:
            message = await self._peer.receive()
            try:
                await self._take(message)
            except Exception as error:  # a bug of ours: the client is told, the process goes on
                log.exception("socket_failed", error)
                self.close(Close.INTERNAL_ERROR)
            await self._pump.room()

    async def _take(self, message: str | bytes | None) -> None:
        if not isinstance(message, bytes if self._binary else str):
            self.close(Close.WRONG_TYPE)
            return
        identity: commands.Identity | None = None
        try:
            identity = commands.decode_envelope(message, self._binary).id
            command = commands.decode_command(message, self._binary)
            answer = {"type": "ack", "op": command.op, **await self._do(command)}
        except RequestError as error:
            answer = {"type": "error", **error.fields()}
            self._bad_messages += isinstance(error, commands.BadMessage)
        if identity is not None:
            answer["id"] = identity
        self._pump.write([self._codec.answer(answer)])
        if self._bad_messages >= BAD_MESSAGES:
            self.close(Close.BAD_MESSAGE)

    async def _do(self, command: commands.SocketCommand) -> dict[str, object]:
        """Do what a command asks and return the fields of its ack."""
        extra: dict[str, object] = {}
        match command:
            case commands.Cut() if self._target.data is not None and self._target.data is self._member:
                return self._cut_myself(command)
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

    def _attach(self, identity: str) -> None:
        here, now = self._node, self._node.clock()
        session = here.sessions.open(identity, self._principal, now)
        if session is self._target:
            return
        if session is not self._own:
            here.sessions.attach(session, now)
        self._detach()
        self._target = session

    def _detach(self) -> None:
        if self._target is not self._own:
            self._node.sessions.detach(self._target, self._node.clock())
        self._target = self._own

    def _cut_myself(self, command: commands.Cut) -> dict[str, object]:
        """Let the ack out before the connection that carries it is cut."""
        self._target.cut_until = self._node.clock() + int(command.seconds * 1_000_000)
        self.close(None)
        return ops.effective(self._node, self._target)

    async def _publish(self, ticks: msgspec.Raw) -> dict[str, object]:
        if not is_local():
            raise RequestError("forbidden", "without credentials publishing works from this machine only")
        self._node.refuse()
        return await publish(self._node, publishing.decode_raw(bytes(ticks), self._binary), "ticks")

    def _stream(self, command: commands.Stream) -> None:
        here, now = self._node, self._node.clock()
        session = self._own
        start = self._query.start if command.cursor is None else parse_start(command.cursor)
        wish = parse_wish(None, None, conflate=command.conflate)
        session.refuse(now)
        self._stop_stream()
        session.take_query(wish, default=())
        stream = Stream(
            here.tape,
            session,
            self._codec,
            start=start,
            batched=self._query.batched if command.batch is None else command.batch,
            terms=here.terms,
            random=here.random,
            now=now,
        )
        self._member = member = StreamMember(stream, self._pump, ended=lambda: self._ended(stream))
        self._pump.on_ready = lambda: here.fanout.wake(member) if member.behind else None
        here.sessions.take(session, member, now)
        here.fanout.join(member)

    def _stop_stream(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            self._pump.detach()
            self._node.fanout.leave(member)
            self._node.sessions.leave(self._own, member, self._node.clock())

    def _ended(self, stream: Stream) -> None:
        assert stream.ending is not None
        self.close(_CLOSES[stream.ending])
