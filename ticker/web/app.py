"""The web app: routes, errors and what holds for every request."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from quart import Quart, Response, request
from quart.typing import ResponseReturnValue, ResponseTypes
from werkzeug.exceptions import HTTPException

from ticker.core.codes import STATUS, RequestError
from ticker.log import get_logger
from ticker.node import Node
from ticker.web import context, cors, pages, poll, publish, rest, sse
from ticker.web import websocket as sockets
from ticker.web.orphans import HTTPConnection, WebSocketConnection
from ticker.web.reply import as_error

log = get_logger(__name__)

# Names under which a server on loopback may be asked: another one is a page that rebinds its own name onto it.
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_LOOPBACK_HOSTS = ("127.", "::1", "localhost")

# Bytes of a query string; longer lists of symbols go by the op `set`.
QUERY_LIMIT = 8192

_CODES = {status: code for code, status in STATUS.items()}


def create_app(node: Node) -> Quart:
    """Return the app that serves a node."""
    app = Quart("ticker", static_folder=None)
    app.extensions[context.EXTENSION] = node
    app.config["MAX_CONTENT_LENGTH"] = max(node.settings.publish_limit, node.settings.message_limit)
    app.url_map.merge_slashes = False
    for module in (sse, sockets, poll, publish, rest):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(pages.make_blueprint())
    app.asgi_http_class = HTTPConnection
    app.asgi_websocket_class = WebSocketConnection
    app.register_error_handler(RequestError, _on_request_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_bug)
    app.before_request(cors.answer_preflight)
    app.before_request(_check_request)
    app.before_websocket(_check_handshake)
    app.after_request(cors.add_headers)
    app.after_request(_forbid_sniffing)

    @app.while_serving
    async def run_node() -> AsyncGenerator[None, None]:
        async with node.running():
            yield

    return app


async def _check_handshake() -> None:
    _check_host()
    if len(context.current().query_string) > QUERY_LIMIT:
        raise RequestError("uri_too_long", f"a query has at most {QUERY_LIMIT} bytes; send longer lists by the op set")


async def _check_request() -> None:
    await _check_handshake()
    if context.node().draining and request.path.startswith("/v1/") and request.path != "/v1/stream":
        context.node().refuse()


async def _forbid_sniffing(response: ResponseTypes) -> ResponseTypes:
    """Keep browsers from taking what clients have published for a page."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _check_host() -> None:
    settings = context.node().settings
    allowed = tuple(_name_in(entry) for entry in settings.hosts)
    if settings.host.startswith(_LOOPBACK_HOSTS):
        allowed += _LOCAL_NAMES
    if allowed and _name_in(context.current().headers.get("Host", "")) not in allowed:
        raise RequestError("misdirected", "this server is not asked by that name; see TICKER_HOSTS", "Host")


def _name_in(host: str) -> str:
    """Return the name in a ``Host`` header, without the port."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() else host.lower()


async def _on_request_error(error: RequestError) -> Response:
    return as_error(error)


async def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer in our form what Quart and Werkzeug find wrong."""
    code = _CODES.get(error.code or 500, "bad_request")
    response = as_error(RequestError(code, error.description or error.name))
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


async def _on_bug(error: Exception) -> Response:
    log.exception("request_failed", error, path=context.current().path)
    return as_error(RequestError("internal", "the server has made a mistake; it is in its log"))
