"""``WS /v1/ws``: the socket itself, from its handshake to its close code (PROTOCOL.md section 5)."""

from __future__ import annotations

import time
from contextlib import suppress

from quart import Blueprint, websocket

from ticker.core import commands
from ticker.core.codes import BadRequest, Close, RequestError
from ticker.core.framing import BINARY, TEXT
from ticker.core.stream import Ending, reconnect_after
from ticker.core.wire import JSON, MSGPACK, Codec, Message
from ticker.lane import Socket, TakeOver
from ticker.log import get_logger
from ticker.node import Node
from ticker.web.carry import go_on, hold
from ticker.web.connection import Connection
from ticker.web.context import Client, client, connection, is_own_origin, node, principal, take_over
from ticker.web.control import CLOSES, Control
from ticker.web.query import Query, parse_query
from ticker.web.reply import refusal

blueprint = Blueprint("websocket", __name__)
log = get_logger(__name__)

CODECS: dict[str, Codec] = {"ticker.v1.json": JSON, "ticker.v1.msgpack": MSGPACK}

# Messages that are no valid op, after which a client is sent away.
BAD_MESSAGES = 10


@blueprint.websocket("/v1/ws")
async def socket() -> None:
    """Do the handshake; then the connection is taken over."""
    here = node()
    if not is_own_origin(websocket.headers):
        raise RequestError("forbidden", "pages of this origin may not connect", "Origin")
    query = parse_query(websocket.args, here.settings.subscription_limit)
    name = _subprotocol(websocket.requested_subprotocols)
    if query.session is not None:
        here.sessions.get(query.session, principal())
    served = SocketClient(here, connection(), client(), CODECS[name or "ticker.v1.json"])
    take = take_over()
    await websocket.accept(subprotocol=name)
    # What fails has been closed by its client meanwhile.
    with suppress(ConnectionError):
        served.begin(query, take)


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


class SocketClient:
    """One client on a WebSocket: takes its ops, and hands on their answers and its ticks."""

    __slots__ = (
        *("_bad_messages", "_carrier", "_client", "_codec", "_control", "_node", "_opened", "_reason", "_socket"),
    )

    def __init__(self, here: Node, carrier: Connection, client: Client, codec: Codec) -> None:
        self._node = here
        self._carrier = carrier
        self._client = client
        self._codec = codec
        self._control: Control | None = None
        # Why it ends, once it does: no message is taken any more, else one that asks on would keep it open.
        self._reason: str | None = None
        self._bad_messages = 0
        self._opened = time.monotonic()
        self._socket: Socket

    def begin(self, query: Query, take_over: TakeOver) -> None:
        """Take the connection over, and refuse the client in band if it may not begin now."""
        here = self._node
        framing = TEXT if self._codec is JSON else BINARY
        self._socket = Socket(take_over, self, framing, here.pulse, here.settings.message_limit)
        try:
            self._control = Control(here, self._client, query, self._codec, self._socket, self._close_with)
        except RequestError as error:
            self._write(self._codec.event("refused", refusal(error, here.random)))
            self._close_with(Close.TRY_AGAIN_LATER)
            return
        here.sockets.add(self)
        session = self._control.own.id
        log.info("socket_opened", client=self._client.principal, session=session, http=self._carrier.http_version)

    def full(self) -> None:
        """Leave what comes in the ring."""
        if self._control is not None:
            hold(self._node, self._control.member)

    def writable(self) -> None:
        """Go on with what waits in the ring."""
        if self._control is not None:
            go_on(self._node, self._control.member)

    def lost(self) -> None:
        """Leave: the connection has ended."""
        control, self._control = self._control, None
        if control is None:
            return
        self._node.sockets.discard(self)
        stream = control.leave()
        log.info(
            "socket_closed",
            client=self._client.principal,
            session=control.own.id,
            reason=self._reason or "disconnected",
            seconds=round(time.monotonic() - self._opened, 3),
            sent=stream.sent if stream else 0,
            gaps=stream.gaps if stream else 0,
        )

    def end(self, reason: Ending) -> None:
        """Say ``bye`` and close."""
        member = self._control.member if self._control is not None else None
        if member is not None:
            member.end(reason)
            self._node.fanout.wake(member)
            return
        ring = self._node.tape.ring
        data = {"reason": reason, "reconnect": True, "retry": reconnect_after(self._node.random)}
        self._write(self._codec.event("bye", data, ring.cursor(ring.newest)))
        self._close_with(CLOSES[reason])

    def _write(self, message: Message) -> None:
        self._socket.write(self._socket.framing.join([message]))

    def _close_with(self, code: Close | None) -> None:
        """Close when everything was sent; None cuts instead."""
        if self._reason is not None:
            return
        self._reason = code.name.lower() if code is not None else "cut"
        if code is not None:
            self._socket.close(code, self._reason)

    async def take(self, message: str | bytes) -> None:
        """Do what a message asks."""
        if self._reason is None:
            await self._take(message)

    async def _take(self, message: str | bytes) -> None:
        if not isinstance(message, str if self._codec is JSON else bytes):
            self._close_with(Close.WRONG_TYPE)
            return
        self._write(self._codec.answer(await self._answer(message)))
        if self._reason == "cut":
            # The answer has left.
            self._socket.abort()
        elif self._bad_messages >= BAD_MESSAGES:
            self._close_with(Close.BAD_MESSAGE)

    async def _answer(self, message: str | bytes) -> dict[str, object]:
        """Return the one answer to a message."""
        assert self._control is not None
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
