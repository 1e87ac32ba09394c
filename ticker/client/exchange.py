"""Exchange: one HTTP request with its whole answer, and what errors of the library and of the server mean."""

from __future__ import annotations

import httpx

from ticker.client.messages import read_failure
from ticker.core.codes import ClientError, Disconnected, Violation
from ticker.core.eventstream import EVENT_LIMIT

# The largest answer that is read: a message of 4 MiB, or a page of as many bytes again.
ANSWER_LIMIT = 2 * EVENT_LIMIT
# What is read of an error's body.
ERROR_LIMIT = 64 * 1024


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    params: dict[str, str] | None = None,
    body: bytes | None = None,
    content_type: str = "application/x-ndjson",
) -> bytes:
    """Send a request and return the body of its answer.

    Raises:
        Disconnected: there is no answer now; with the code ``cut`` the request may have been carried out.
        ClientError: the answer is final.
        Violation: the answer is too large.
    """
    headers = {"Content-Type": content_type} if body is not None else {}
    try:
        async with http.stream(method, url, params=params, content=body, headers=headers) as response:
            answer = await read_body(response, ANSWER_LIMIT)
    except httpx.TransportError as error:
        raise lost(error) from error
    if response.status_code != 200:
        raise answer_error(response.status_code, response.headers, answer)
    if len(answer) >= ANSWER_LIMIT:
        raise Violation(f"an answer of more than {ANSWER_LIMIT} bytes")
    return answer


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """Return a body, or its beginning of at least ``limit`` bytes."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body)


def lost(error: Exception) -> Disconnected:
    """Return what a library's error means: a connection that broke, or nobody there."""
    text = str(error) or type(error).__name__
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, OSError)):
        return Disconnected("unreachable", text, reached=False)
    return Disconnected("cut", text)


def answer_error(status: int, headers: httpx.Headers, body: bytes) -> ClientError:
    """Return what an answer other than 200 means: come back later, or never (PROTOCOL.md section 8)."""
    failure = read_failure(body)
    code = failure.code if failure else f"http_{status}"
    message = failure.message if failure else f"the server answered {status}"
    if status < 300 or status in (408, 425, 429) or status >= 500:
        wait = headers.get("Retry-After", "")
        return Disconnected(code, message, float(wait) if wait.isdigit() else None)
    return ClientError(code, message, failure.field if failure else None)
