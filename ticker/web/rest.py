"""Plain requests: symbols, snapshot, bars, sessions, health (PROTOCOL.md sections 7 and 8)."""

from __future__ import annotations

from math import inf

from msgspec import Raw
from quart import Blueprint, Response, request

from ticker.core.codes import RequestError
from ticker.core.commands import decode_session_command
from ticker.core.session import Session, parse_session_id
from ticker.core.subscription import TICK_TYPES, Subscription, parse_interval, parse_symbols, parse_types
from ticker.core.view import Filter
from ticker.core.wire import JSON, bar_json, instrument_record
from ticker.metrics import CONTENT_TYPE
from ticker.web import ops
from ticker.web.context import node, principal
from ticker.web.publish import ARRAY, body, check_change
from ticker.web.query import one, whole, within
from ticker.web.reply import as_json

blueprint = Blueprint("rest", __name__)


@blueprint.get("/v1/symbols")
async def symbols() -> Response:
    """List the instruments."""
    return as_json({"instruments": [instrument_record(each) for each in node().tape.instruments.values()]})


@blueprint.get("/v1/snapshot")
async def snapshot() -> Response:
    """Answer with the newest quote and trade of the symbols asked for."""
    here = node()
    names, types = one(request.args, "symbols"), one(request.args, "types")
    subscription = Subscription(
        ("*",) if names is None else parse_symbols(names.split(",") if names else [], here.settings.subscription_limit),
        TICK_TYPES if types is None else parse_types(types.split(",")),
    )
    view = here.tape.views.get(Filter((subscription,)), JSON, False)
    return as_json(here.tape.snapshot(here.tape.ring.newest, view.wants, JSON.record, "all"))


@blueprint.get("/v1/bars/<path:symbol>")
async def bars(symbol: str) -> Response:
    """Answer with a symbol's bars up to the newest tick."""
    here = node()
    interval = one(request.args, "interval")
    interval = "1m" if interval is None else parse_interval(interval)
    limit = within(request.args, "limit", 1, 5000, default=300)
    end = whole(request.args, "end")
    if symbol not in here.tape.instruments:
        raise RequestError("unknown_symbol", "there is no such symbol", "symbol")
    ring = here.tape.ring
    found = here.tape.bars.since(symbol, interval, limit, inf if end is None else end)
    return as_json({"bars": [Raw(bar_json(bar)) for bar in found], "cursor": str(ring.cursor(ring.newest))})


def _session(identity: str) -> Session:
    session = node().sessions.get(parse_session_id(identity), principal())
    if session is None:
        raise RequestError("not_found", "there is no such session", "session")
    return session


@blueprint.get("/v1/sessions/<identity>")
async def get_session(identity: str) -> Response:
    """Answer with a session's state."""
    here, session = node(), _session(identity)
    return as_json({**ops.effective(here, session), **ops.state(here, session)})


@blueprint.patch("/v1/sessions/<identity>")
async def patch_session(identity: str) -> Response:
    """Do to a session what an op of the WebSocket does."""
    check_change(ARRAY)
    here, session = node(), _session(identity)
    command = decode_session_command(await body(here.settings.message_limit))
    return as_json({**ops.apply(here, session, command), **ops.state(here, session)})


@blueprint.get("/healthz")
async def healthz() -> Response:
    """Say that the process is alive."""
    return as_json({"status": "ok"})


@blueprint.get("/readyz")
async def readyz() -> Response:
    """Say whether every feed told to run here runs, and the bus answers."""
    here = node()
    feeds = [{"feed": run.name, "state": run.state} for run in here.feeding.runs]
    status = {"ready": here.ready, "bus": here.bus.ready, "draining": here.draining, "feeds": feeds}
    return as_json(status, 200 if here.ready else 503)


@blueprint.get("/metrics")
async def metrics() -> Response:
    """Answer with the figures of this node."""
    return Response(node().metrics.render(), content_type=CONTENT_TYPE)
