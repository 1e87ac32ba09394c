"""``GET /v1/poll`` and ``GET /v1/ticks``: long and short polling (PROTOCOL.md sections 6 and 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import msgspec
from quart import Blueprint, Response, request

from ticker.core.follower import FUTURE_WAIT
from ticker.core.poll import Answer, Poll
from ticker.core.session import SECOND
from ticker.core.wire import JSON, MSGPACK, Codec, to_json
from ticker.fanout import PollMember
from ticker.node import Node
from ticker.web.context import abort, accepts, node, principal
from ticker.web.query import parse_query, seconds, within

blueprint = Blueprint("poll", __name__)

JSON_TYPE, MSGPACK_TYPE, LINES_TYPE = "application/json", "application/msgpack", "application/x-ndjson"


@blueprint.get("/v1/poll")
async def poll() -> Response:
    """Answer when there is something to say, or when the wait is over."""
    kind = accepts(JSON_TYPE, MSGPACK_TYPE)
    codec: Codec = MSGPACK if kind == MSGPACK_TYPE else JSON
    answer = await _ask(codec, seconds(request.args, "wait", high=25, default=25))
    encode = msgspec.msgpack.encode if kind == MSGPACK_TYPE else to_json
    return _reply(encode(answer._asdict()), kind)


@blueprint.get("/v1/ticks")
async def ticks() -> Response:
    """Answer at once with what there is."""
    kind = accepts(JSON_TYPE, LINES_TYPE)
    answer = await _ask(JSON, 0)
    body = b"".join(_lines(answer)) if kind == LINES_TYPE else to_json(answer._asdict())
    return _reply(body, kind)


def _reply(body: bytes, kind: str) -> Response:
    return Response(body, headers={"Content-Type": kind, "Cache-Control": "no-store", "Vary": "Accept"})


def _lines(answer: Answer) -> Iterator[bytes]:
    """Yield one line for each part of an answer; without the last line it was cut."""
    if answer.gap is not None:
        yield to_json({"type": "gap", **answer.gap}) + b"\n"
    if answer.snapshot is not None:
        yield to_json({"type": "snapshot", **answer.snapshot}) + b"\n"
    for tick in answer.ticks:
        yield bytes(tick) + b"\n"
    yield to_json({"type": "end", "cursor": answer.cursor, "more": answer.more}) + b"\n"


async def _ask(codec: Codec, wait: float) -> Answer:
    here = node()
    limit = within(request.args, "limit", 1, 10_000, default=1000)
    query = parse_query(request.args, here.settings.subscription_limit)
    here.refuse()
    now = here.clock()
    session = here.sessions.open(query.session, principal(), now)
    session.refuse(now)
    session.take_query(query.wish, default=("*",))
    asked = Poll(here.tape, session, codec, query.start, limit, now)
    answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    member = PollMember(asked, answered)
    here.take(session, member)
    here.clients["poll"] += 1
    try:
        return await _answer(here, asked, member, answered, wait)
    except asyncio.CancelledError:
        # The session was cut, or the client has gone; without this it would get a 500.
        abort()()
        raise
    finally:
        here.clients["poll"] -= 1
        here.leave(session, member)


async def _answer(
    here: Node, asked: Poll, member: PollMember, answered: asyncio.Future[Answer | None], wait: float
) -> Answer:
    """Look, and wait until there is something to say: nothing runs between the look and the first wait."""
    answer = asked.look(here.clock()) if wait else asked.finish(here.clock())
    if answer is None:
        here.fanout.join(member)
        answer = await _wait(answered, wait or FUTURE_WAIT / SECOND)
    if answer is None and (answer := asked.finish(here.clock())) is None:
        # Its cursor lies ahead of this node; the fan-out looks until that is settled one way or the other.
        answer = await _wait(answered, FUTURE_WAIT / SECOND + 1)
    return answer or asked.give_up()


async def _wait(answered: asyncio.Future[Answer | None], seconds: float) -> Answer | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await asyncio.shield(answered)
    return None
