"""CORS: what lets pages of the origins in ``TICKER_ORIGINS`` read the answers under ``/v1/`` (PROTOCOL.md section 9).

Credentials are not allowed: the cookie is SameSite=Strict, so a foreign page has none, and its token is a header.
"""

from __future__ import annotations

from quart import Response, current_app, request
from quart.typing import ResponseTypes

from ticker.web.context import node

# What a page may send besides the headers that need no leave.
ALLOWED = "Authorization, Content-Type, Last-Event-ID"
# What a page may read besides the headers that need no leave.
EXPOSED = "Retry-After"
# Seconds for which a browser asks no more; Chromium keeps an answer for two hours at most.
MAX_AGE = "7200"


async def answer_preflight() -> Response | None:
    """Answer the question that a browser asks before a page's request; None for every other request.

    Belongs before all checks: a page learns nothing of a question that was refused, but reads why its request was.
    """
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not is_preflight or _listed_origin() is None or request.routing_exception is not None:
        return None
    response = await current_app.make_default_options_response()
    response.status_code = 204
    response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
    response.headers["Access-Control-Allow-Headers"] = ALLOWED
    response.headers["Access-Control-Max-Age"] = MAX_AGE
    # An answer that has no content may not say how long it is (RFC 9110 8.6).
    response.headers.remove("Content-Length")
    response.headers.remove("Content-Type")
    return response


async def add_headers(response: ResponseTypes) -> ResponseTypes:
    """Let a page of a listed origin read an answer, errors and event streams too."""
    if node().settings.origins and _is_of_the_api():
        # Also where no origin was named: a cache would hand that answer on to a page.
        response.vary.add("Origin")
    if origin := _listed_origin():
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
    return response


def _listed_origin() -> str | None:
    """Return the origin that a request under ``/v1/`` comes from if it is one of ``TICKER_ORIGINS``."""
    origin = request.headers.get("Origin")
    return origin if origin in node().settings.origins and _is_of_the_api() else None


def _is_of_the_api() -> bool:
    return request.path.startswith("/v1/")
