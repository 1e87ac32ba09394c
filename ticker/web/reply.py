"""Reply: how JSON answers and errors look."""

from __future__ import annotations

from math import ceil
from random import Random

from quart import Response

from ticker.core.codes import RequestError
from ticker.core.wire import short, to_json

JSON = "application/json"


def as_json(value: object, status: int = 200) -> Response:
    """Return a JSON answer that nobody keeps."""
    return Response(to_json(value), status, {"Content-Type": JSON, "Cache-Control": "no-store"})


def as_error(error: RequestError) -> Response:
    """Return an error as PROTOCOL.md section 8 has it."""
    response = as_json({"error": error.fields()}, error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(ceil(error.retry_after))
    return response


def refusal(error: RequestError, random: Random) -> dict[str, object]:
    """Return the data of ``refused``, which refuses in band what is temporary.

    The wait is up to half longer than it must be, so that those who are refused together don't come back together.
    """
    seconds = (error.retry_after or 1) * random.uniform(1, 1.5)
    return {"code": error.code, "retry_after": short(round(seconds, 3))}
