"""``WS /v1/ws``: the socket itself, from its handshake to its close code (PROTOCOL.md section 5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from quart import Blueprint, websocket
from quart.wrappers import Websocket

from ticker.core import commands
from ticker.core.codes import BadRequest, Close, RequestError
from ticker.core.stream import Ending, reconnect_after
from ticker.core.wire import JSON, MSGPACK, Codec
from ticker.log import get_logger
from ticker.node import Node
from ticker.web.connection import Connection
from ticker.web.context import abort, connection, is_own_origin, node, principal
from ticker.web.control import CLOSES, Control
from ticker.web.pump import Pump
from ticker.web.query import Query, parse_query
from ticker.web.reply import refusal

blueprint = Blueprint("websocket", __name__)
log = get_logger(__name__)

CODECS: dict[str, Codec] = {"ticker.v1.json": JSON, "ticker.v1.msgpack": MSGPACK}

# Messages that are no valid op, after which a client is sent away.
BAD_MESSAGES = 10


@blueprint.websocket("/v1/ws")
async def socket() -> None:
    """Serve one WebSocket until either side closes it."""
    here = node()
    if not is_own_origin(websocket.headers):
        raise RequestError("forbidden", "pages of this origin may not connect", "Origin")
    query = parse_query(websocket.args, here.settings.subscription_limit)
    name = _subprotocol(websocket.requested_subprotocols)
    if query.session is not None:
        here.sessions.get(query.session, principal())
    codec = CODECS[name or "ticker.v1.json"]
    await websocket.accept(subprotocol=name)
    peer = websocket._get_current_object()  # type: ignore[attr-defined]  # the proxy would look it up for each message
    try:
        served = Socket(here, peer, connection(), principal(), query, codec, abort())
    except RequestError as error:
        await peer.send(codec.event("refused", refusal(error, here.random)))
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
    """One WebSocket: takes ops, and hands on their answers and ticks.

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
        self._codec = codec
        self._abort = abort
        self._pump = Pump(abort)
        self._control = Control(here, principal, query, codec, self._pump, self._close_with)
        # How the socket is closed once everything was sent; None cuts it.
        self._close: Close | None = Close.NORMAL
        # True once it is to be closed: no message is taken any more, else one that asks on would keep it open.
        self._is_ending = False
        self._bad_messages = 0
        self._opened = time.monotonic()

    async def run(self) -> None:
        """Serve until either side closes."""
        self._node.sockets.add(self)
        session = self._control.own.id
        log.info("socket_opened", client=self._principal, session=session, http=self._carrier.http_version)
        receiving = asyncio.create_task(self._receive(), name="socket receive")
        try:
            await self._send()
            if self._close is None:
                self._abort()
            else:
                await self._peer.close(self._close, self._close.name.lower())
        finally:
            receiving.cancel()
            self._leave()

    async def _send(self) -> None:
        while messages := await self._pump.take():
            for message in messages:
                await self._peer.send(message)

    def _leave(self) -> None:
        stream = self._control.member.stream if self._control.member is not None else None
        self._node.sockets.discard(self)
        self._control.leave()
        log.info(
            "socket_closed",
            client=self._principal,
            session=self._control.own.id,
            reason=self._reason(),
            seconds=round(time.monotonic() - self._opened, 3),
            sent=stream.sent if stream else 0,
            gaps=stream.gaps if stream else 0,
        )

    def _reason(self) -> str:
        if not self._is_ending:
            return "disconnected"
        return self._close.name.lower() if self._close is not None else "cut"

    def end(self, reason: Ending) -> None:
        """Say ``bye`` and close."""
        member = self._control.member
        if member is not None:
            member.end(reason)
            self._node.fanout.wake(member)
            return
        ring = self._node.tape.ring
        data = {"reason": reason, "reconnect": True, "retry": reconnect_after(self._node.random)}
        self._pump.write([self._codec.event("bye", data, ring.cursor(ring.newest))])
        self._close_with(CLOSES[reason])

    def _close_with(self, code: Close | None) -> None:
        """Close when everything was sent; None cuts instead."""
        self._close = code
        self._is_ending = True
        self._pump.close()

    async def _receive(self) -> None:
        while not self._is_ending:
            message = await self._peer.receive()
            try:
                await self._take(message)
            except Exception as error:  # a bug of ours: the client is told, the process goes on
                log.exception("socket_failed", error)
                self._close_with(Close.INTERNAL_ERROR)
            await self._pump.room()

    async def _take(self, message: str | bytes) -> None:
        if not isinstance(message, str if self._codec is JSON else bytes):
            self._close_with(Close.WRONG_TYPE)
            return
        self._pump.write([self._codec.answer(await self._answer(message))])
        if self._bad_messages >= BAD_MESSAGES:
            self._close_with(Close.BAD_MESSAGE)

    async def _answer(self, message: str | bytes) -> dict[str, object]:
        """Return the one answer to a message."""
        binary = self._codec is MSGPACK
        identity: commands.Identity | None = None
        answer: dict[str, object]
        try:
            identity = commands.decode_envelope(message, binary).id
            command = commands.decode_command(message, binary)
            answer = {"type": "ack", "op": command.op, **await self._control.do(command)}
        except RequestError as error:
            answer = {"type": "error", **error.fields()}
            self._bad_messages += isinstance(error, commands.BadMessage)
        return answer if identity is None else {**answer, "id": identity}
