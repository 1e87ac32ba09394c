"""Reply: how JSON answers and errors look."""

from __future__ import annotations

from math import ceil

from quart import Response

from ticker.core.codes import RequestError
from ticker.core.wire import to_json

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
