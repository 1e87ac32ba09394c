"""``GET /v1/stream``: Server-Sent Events (PROTOCOL.md section 4)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from random import Random
from typing import cast

from quart import Blueprint, Response, request

from ticker.core.codes import Refused
from ticker.core.framing import CHUNKED, PLAIN, Framing, framed
from ticker.core.session import Session
from ticker.core.stream import reconnect_after
from ticker.core.wire import SSE, sse_event, sse_retry, to_json
from ticker.fanout import StreamMember
from ticker.lane import TakeOver, Wire
from ticker.log import get_logger
from ticker.node import Node
from ticker.web.carry import carry, drop, go_on, hold
from ticker.web.connection import Connection
from ticker.web.context import accepts, connection, node, principal, take_over
from ticker.web.query import Query, parse_query
from ticker.web.reply import refusal

blueprint = Blueprint("sse", __name__)
log = get_logger(__name__)

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

# How events stand in the bytes of a connection, by the version of HTTP.
FRAMINGS: dict[str, Framing] = {"1.0": PLAIN, "1.1": CHUNKED, "2": PLAIN}

# Streams of one HTTP/2 connection that are kept free of event streams, so that a page's requests still get through.
REQUESTS_BESIDE = 10


@blueprint.get("/v1/stream")
async def stream() -> Response:
    """Answer with the head of the stream that the query asks for; then its connection is taken over."""
    accepts("text/event-stream")
    here, carrier = node(), connection()
    query = parse_query(request.args, here.settings.subscription_limit, request.headers)
    if query.session is not None:
        here.sessions.get(query.session, principal())
    # A connection that was taken over serves no second request.
    headers = HEADERS if request.http_version == "2" else {**HEADERS, "Connection": "close"}
    if request.method == "HEAD":
        return Response("", headers=headers)
    events = EventStream(here, carrier, principal(), FRAMINGS[request.http_version])
    return Response(events.begin(query, take_over()), headers=headers)


class EventStream:
    """One event stream, from the end of the answer's head to the end of its connection."""

    __slots__ = ("_carrier", "_member", "_node", "_opened", "_principal", "_wire", "framing")

    def __init__(self, here: Node, carrier: Connection, principal: str, framing: Framing) -> None:
        self.framing = framing
        self._node = here
        self._carrier = carrier
        self._principal = principal
        self._member: StreamMember | None = None
        self._opened = time.monotonic()
        self._wire: Wire

    async def begin(self, query: Query, take_over: TakeOver) -> AsyncIterator[bytes]:
        """Take the connection over; yield what refuses the stream instead, if it may not begin now."""
        try:
            session = self._open(query)
        except Refused as error:
            yield sse_retry(reconnect_after(self._node.random)) + refused(error, self._node.random)
            return
        # What fails has been closed by its client meanwhile.
        with suppress(ConnectionError):
            self._wire = take_over(self)
            self._join(session, query)

    def _open(self, query: Query) -> Session:
        here, now = self._node, self._node.clock()
        here.refuse()
        self._check_room()
        session = here.sessions.open(query.session, self._principal, now)
        session.refuse(now)
        session.take_query(query.wish, default=("*",))
        return session

    def _check_room(self) -> None:
        room = self._node.settings.h2_max_concurrent_streams - REQUESTS_BESIDE
        if self._carrier.http_version == "2" and self._carrier.event_streams >= room:
            raise Refused("overloaded", f"a connection carries at most {room} event streams", 5)

    def _join(self, session: Session, query: Query) -> None:
        here = self._node
        self._carrier.event_streams += 1
        here.clients["sse"] += 1
        self.write(framed([sse_retry(reconnect_after(here.random))], self.framing))
        self._member = carry(here, session, SSE, self, start=query.start, batched=query.batched, ended=self._ended)
        log.info("stream_opened", client=self._principal, session=session.id, http=self._carrier.http_version)

    @property
    def ready(self) -> bool:
        """Whether all that was written has left."""
        return self._wire.ready

    @property
    def send(self) -> Callable[[bytes], int]:
        """What sends bytes at once and returns how many."""
        return self._wire.send

    def keep(self, data: bytes) -> None:
        """Take the bytes that ``send`` did not."""
        self._wire.keep(data)

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what can't be sent now."""
        self._wire.write(data)

    def abort(self) -> None:
        """End at once, without a word."""
        self._wire.abort()

    def _ended(self) -> None:
        if self.framing.end:
            self._wire.write(self.framing.end)
        self._wire.finish()
        self._leave()

    def received(self, data: bytes) -> None:
        """Pass over what a client sends that has nothing more to say."""

    def finished(self) -> None:
        """Go on: only the request has ended."""

    def full(self) -> None:
        """Leave what comes in the ring."""
        hold(self._node, self._member)

    def writable(self) -> None:
        """Go on with what waits in the ring."""
        go_on(self._node, self._member)

    def lost(self) -> None:
        """Leave: the connection has ended."""
        self._leave()

    def _leave(self) -> None:
        member, self._member = self._member, None
        if member is None:
            return
        drop(self._node, member)
        self._carrier.event_streams -= 1
        self._node.clients["sse"] -= 1
        stream = member.stream
        log.info(
            "stream_closed",
            client=self._principal,
            session=stream.session.id,
            reason=stream.ending or "disconnected",
            seconds=round(time.monotonic() - self._opened, 3),
            sent=stream.sent,
            gaps=stream.gaps,
        )


def refused(error: Refused, random: Random) -> bytes:
    """Return the events that refuse a stream in band: EventSource gives up for ever on an error status."""
    data = refusal(error, random)
    return sse_retry(round(cast(float, data["retry_after"]) * 1000)) + sse_event(b"refused", to_json(data))
