from __future__ import annotations

import pytest
from quart import Quart

from ticker.node import Node
from ticker.settings import Settings
from ticker.web.app import create_app
from ticker.web.context import abort, accepts, connection, is_local, is_own_origin, principal


@pytest.fixture
def app() -> Quart:
    """Return the app of a node that does not run."""
    return create_app(Node(Settings.load({}, {"no_feed": True, "origins": "https://app.example.com"})))


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::1234", False),
        ("192.0.2.127", False),
        ("::ffff:192.0.2.1", False),
        ("127x", False),
    ],
)
async def test_who_is_on_this_machine(app: Quart, address: str, local: bool) -> None:
    async with app.test_request_context("/", headers={"Remote-Addr": address}):
        assert is_local() is local
        assert principal() == address


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        (None, True),
        ("http://localhost:8000", True),
        ("https://localhost:8000", True),
        ("https://app.example.com", True),
        ("http://app.example.com", False),
        ("http://localhost", False),
        ("http://localhost:8001", False),
        ("http://localhost:8000.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_our_own_pages(app: Quart, origin: str | None, own: bool) -> None:
    headers = {"Host": "localhost:8000"} | ({} if origin is None else {"Origin": origin})
    async with app.test_request_context("/", headers=headers) as context:
        assert is_own_origin(context.request.headers) is own


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "a/one"),
        ("", "a/one"),
        ("*/*", "a/one"),
        ("a/two", "a/two"),
        ("a/one;q=0.1, a/two", "a/two"),
        ("b/other, */*;q=0.1", "a/one"),
    ],
)
async def test_the_client_chooses_a_type(app: Quart, accept: str | None, kind: str) -> None:
    async with app.test_request_context("/", headers={} if accept is None else {"Accept": accept}):
        assert accepts("a/one", "a/two") == kind


async def test_a_request_without_a_server_has_a_connection_of_its_own(app: Quart) -> None:
    async with app.test_request_context("/"):
        assert connection() is not connection()
        abort()()
