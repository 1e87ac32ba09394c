"""``GET /v1/stream``: Server-Sent Events (PROTOCOL.md section 4)."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, cast

from quart import Blueprint, Response, request
from quart.wrappers.response import ResponseBody

from ticker.core.codes import Refused
from ticker.core.stream import reconnect_after
from ticker.core.wire import SSE, sse_event, sse_retry, to_json
from ticker.fanout import StreamMember
from ticker.log import get_logger
from ticker.node import Node
from ticker.web.connection import Connection
from ticker.web.context import abort, accepts, connection, node, principal
from ticker.web.pump import Pump, carry, drop
from ticker.web.query import Query, parse_query
from ticker.web.reply import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from random import Random

blueprint = Blueprint("sse", __name__)
log = get_logger(__name__)

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

# Streams of one HTTP/2 connection that are kept free of event streams, so that a page's requests still get through.
REQUESTS_BESIDE = 10


@blueprint.get("/v1/stream")
async def stream() -> Response:
    """Answer with the stream that the query asks for."""
    accepts("text/event-stream")
    here = node()
    query = parse_query(request.args, here.settings.subscription_limit, request.headers)
    if query.session is not None:
        here.sessions.get(query.session, principal())
    body = EventBody(here, connection(), query, principal(), abort())
    response = Response("" if request.method == "HEAD" else body, headers=HEADERS)
    # By default Quart ends a response after a minute.
    response.timeout = None
    return response


class EventBody(ResponseBody):
    """The body of one event stream: it stands in the fan-out from its first byte to its last."""

    def __init__(
        self, here: Node, carrier: Connection, query: Query, principal: str, abort: Callable[[], None]
    ) -> None:
        self._node = here
        self._carrier = carrier
        self._query = query
        self._principal = principal
        self._member: StreamMember | None = None
        self._pump = Pump(abort)
        self._opened = time.monotonic()

    async def __aenter__(self) -> EventBody:
        self._carrier.event_streams += 1
        self._node.clients["sse"] += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._carrier.event_streams -= 1
        self._node.clients["sse"] -= 1
        if self._member is not None:
            self._leave(self._member)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield sse_retry(reconnect_after(self._node.random))
        try:
            self._join()
        except Refused as error:
            yield refused(error, self._node.random)
            return
        while messages := await self._pump.take():
            yield b"".join(cast("list[bytes]", messages))

    def _join(self) -> None:
        here, now = self._node, self._node.clock()
        here.refuse()
        self._check_room()
        session = here.sessions.open(self._query.session, self._principal, now)
        session.refuse(now)
        session.take_query(self._query.wish, default=("*",))
        start, batched = self._query.start, self._query.batched
        self._member = carry(here, session, SSE, self._pump, start=start, batched=batched, ended=self._pump.close)
        log.info("stream_opened", client=self._principal, session=session.id, http=self._carrier.http_version)

    def _check_room(self) -> None:
        room = self._node.settings.h2_max_concurrent_streams - REQUESTS_BESIDE
        if self._carrier.http_version == "2" and self._carrier.event_streams > room:
            raise Refused("overloaded", f"a connection carries at most {room} event streams", 5)

    def _leave(self, member: StreamMember) -> None:
        self._member = None
        drop(self._node, member, self._pump)
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
