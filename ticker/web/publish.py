"""Publishing: ``POST /v1/ticks``, ``PUT /v1/symbols/<symbol>`` and what they share with the op ``publish``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
from quart import Blueprint, Response, request

from ticker.core import publishing
from ticker.core.codes import BadRequest, RequestError
from ticker.core.commands import explain
from ticker.core.tick import Instrument
from ticker.core.wire import instrument_record
from ticker.node import Node
from ticker.web.context import Client, client, is_own_origin, node
from ticker.web.reply import as_json

blueprint = Blueprint("publish", __name__)

ARRAY, LINES = "application/json", "application/x-ndjson"


def check_right(client: Client) -> None:
    """Raise RequestError unless a client may publish: without credentials, from this machine only."""
    if not client.is_local:
        raise RequestError("forbidden", "without credentials publishing works from this machine only")


def check_change(*types: str) -> str:
    """Return the content type of a request that changes something.

    A foreign page may reach a server on loopback, but can send neither these types nor a false Origin.

    Raises:
        RequestError: the Origin is foreign (``forbidden``) or the type another (``unsupported_media_type``).
    """
    if not is_own_origin(request.headers):
        raise RequestError("forbidden", "this origin may not change anything", "Origin")
    if request.mimetype not in types:
        raise RequestError("unsupported_media_type", f"send {' or '.join(types)}", "Content-Type")
    return request.mimetype


async def body(limit: int) -> bytes:
    """Return the request's body. Of a longer one at most ``MAX_CONTENT_LENGTH`` bytes are kept before it is refused.

    Raises:
        RequestError: it is longer than ``limit`` bytes (``too_large``).
    """
    if (request.content_length or 0) <= limit:
        data = cast(bytes, await request.get_data(cache=False))
        if len(data) <= limit:
            return data
    raise RequestError("too_large", f"a body has at most {limit} bytes")


async def publish(here: Node, published: Sequence[publishing.Published], place: str = "") -> dict[str, object]:
    """Publish ticks, all or none, and return what the publisher is told.

    Raises:
        RequestError: names the index, the field and the rule.
    """
    ticks = here.rules.check(published, place)
    new = {tick.symbol for tick in ticks}.difference(here.tape.instruments)
    if new:
        await here.bus.define([Instrument(symbol) for symbol in sorted(new)])
    first, last = await here.market.publish(ticks)
    return {"accepted": len(ticks), "first": str(first), "last": str(last)}


@blueprint.post("/v1/ticks")
async def publish_ticks() -> Response:
    """Publish an array or lines of ticks."""
    kind = check_change(ARRAY, LINES)
    check_right(client())
    here = node()
    data = await body(here.settings.publish_limit)
    here.refuse()
    return as_json(
        await publish(here, publishing.decode_array(data) if kind == ARRAY else publishing.decode_lines(data))
    )


class _Fields(msgspec.Struct, frozen=True):
    """The fields of an instrument that a client may set; absent ones stay."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    sector: str | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET
    tick_size: float | msgspec.UnsetType = msgspec.UNSET
    lot_size: float | msgspec.UnsetType = msgspec.UNSET
    reference: float | msgspec.UnsetType | None = msgspec.UNSET
    synthetic: bool | msgspec.UnsetType = msgspec.UNSET


@blueprint.put("/v1/symbols/<path:symbol>")
async def put_symbol(symbol: str) -> Response:
    """Set fields of an instrument, which is created if it is new."""
    check_change(ARRAY)
    check_right(client())
    here = node()
    given = _decode_fields(await body(here.settings.message_limit))
    old = here.tape.instruments.get(symbol)
    if old is None and len(here.tape.instruments) >= here.settings.max_symbols:
        raise RequestError("bad_symbols", f"the market has at most {here.settings.max_symbols} symbols", "symbol")
    instrument = msgspec.structs.replace(old or Instrument(symbol), **given)
    publishing.check_instrument(instrument)
    await here.bus.define([instrument])
    return as_json(instrument_record(here.tape.instruments[symbol]))


def _decode_fields(data: bytes) -> dict[str, object]:
    try:
        fields = msgspec.json.decode(data, type=_Fields)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadRequest(*explain(error)) from None
    given = {name: getattr(fields, name) for name in fields.__struct_fields__}
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}
