"""Whatever a client sends is answered, by the documented error or an ack, and is never the server's mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.live import Live, live
from tests.support.sockets import JSON, MSGPACK

SESSION = "a-session-of-mine-1"

# Most of what can be sent is wrong in the first byte; values that are nearly right get further.
TEXTS = st.text(max_size=10) | st.sampled_from(
    ["A", "A*", "a", "*" * 64, "A\nB", "sector:", "quote", "1m", "1-1", "x" * 16, "2" * 400]
)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.sampled_from([0, 1, 20, 1e308, 5e-324, -0.0, 2**53])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
OPS = [
    *("auth", "subscribe", "unsubscribe", "set", "conflate", "pause", "play", "attach", "detach", "stream"),
    *("snapshot", "list", "ping", "publish", "jump"),
]
FIELDS = ["token", "symbols", "types", "interval", "ms", "session", "cursor", "batch", "conflate", "ticks", "seconds"]
COMMANDS = st.fixed_dictionaries(
    {"op": st.sampled_from(OPS)},
    optional={name: VALUES | st.lists(TEXTS, max_size=3) for name in FIELDS},
)
TICKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["quote", "trade"]), "symbol": st.sampled_from(["A", "B", "a", "A\n"])},
    optional={
        **{name: NUMBERS | st.sampled_from([1, 1.01]) for name in ("bid", "bid_size", "ask", "ask_size")},
        **{name: NUMBERS | st.sampled_from([1, 1.01]) for name in ("price", "size", "ts")},
        "side": st.sampled_from(["buy", "sell", None, "hold"]),
    },
)

fuzz = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


class Fuzzed:
    """A server that runs while a test's examples do, and fails the test if it logged a complaint."""

    def __enter__(self) -> Fuzzed:
        self._runner = asyncio.Runner()
        self._runner.__enter__()
        self._stack = AsyncExitStack()
        self.server = self.run(self._stack.enter_async_context(live(max_symbols=50)))
        self.client = self.run(self._stack.enter_async_context(httpx.AsyncClient(base_url=self.server.url)))
        return self

    def __exit__(self, *error: object) -> None:
        self.run(self._stack.aclose())
        self._runner.__exit__(*error)

    def run(self, job: Coroutine[Any, Any, Any]) -> Any:
        """Run the server until a job is done."""
        return self._runner.run(asyncio.wait_for(job, 10))


def state(server: Live) -> tuple[int, int]:
    """Return what a publication would change."""
    return server.node.tape.ring.newest, len(server.node.tape.instruments)


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
def test_every_message_of_a_socket_has_one_answer(protocol: str) -> None:
    binary = protocol == MSGPACK

    async def open_socket(server: Live) -> ClientConnection:
        url = f"ws://127.0.0.1:{server.port}/v1/ws?symbols=A&conflate=60000"
        return await connect(url, subprotocols=[Subprotocol(protocol)], proxy=None)

    async def ask(socket: ClientConnection, command: dict[str, Any], identity: int) -> Any:
        message = {**command, "id": identity}
        await socket.send(msgspec.msgpack.encode(message) if binary else json.dumps(message))
        while True:
            received = await socket.recv()
            answer = msgspec.msgpack.decode(received) if isinstance(received, bytes) else json.loads(received)
            if answer["type"] in ("ack", "error") and answer.get("id", identity) == identity:
                return answer

    with Fuzzed() as fuzzed:
        sockets = [fuzzed.run(open_socket(fuzzed.server))]
        closed: list[int | None] = []

        @fuzz
        @given(COMMANDS)
        def check(command: dict[str, Any]) -> None:
            before = state(fuzzed.server)
            try:
                answer = fuzzed.run(ask(sockets[0], command, 7))
            except ConnectionClosed:
                closed.append(sockets.pop().close_code)
                sockets.append(fuzzed.run(open_socket(fuzzed.server)))
                return
            if answer["type"] == "error":
                assert answer["code"] in ("bad_request", "bad_symbols", "bad_cursor", "not_found", "too_many")
                assert state(fuzzed.server) == before

        check()
        fuzzed.run(sockets[0].close())
        # Only by the limit of ten messages that are no op at all.
        assert set(closed) <= {4503}


def test_every_body_that_is_published_has_its_answer() -> None:
    with Fuzzed() as fuzzed:

        @fuzz
        @given(st.lists(TICKS, max_size=3), st.booleans())
        def check(ticks: list[dict[str, Any]], as_lines: bool) -> None:
            before = state(fuzzed.server)
            body = "\n".join(map(json.dumps, ticks)) if as_lines else json.dumps(ticks)
            headers = {"Content-Type": "application/x-ndjson" if as_lines else "application/json"}
            answer = fuzzed.run(fuzzed.client.post("/v1/ticks", content=body, headers=headers))
            if answer.status_code == 200:
                assert state(fuzzed.server)[0] == before[0] + answer.json()["accepted"] == before[0] + len(ticks)
            else:
                assert (answer.status_code, state(fuzzed.server)) == (400, before)
                assert answer.json()["error"]["code"] in ("bad_request", "bad_symbols")

        check()
        # Whatever was accepted can be shown.
        for path in ("/v1/snapshot", "/v1/symbols", "/v1/bars/A", "/v1/ticks?cursor=earliest&types=quote,trade,bar"):
            answer = fuzzed.run(fuzzed.client.get(path))
            assert answer.status_code in (200, 404)
            assert "null" not in answer.text.replace('"side":null', "").replace('"gap":null,"snapshot":null', "")


def test_every_instrument_and_every_patch_has_its_answer() -> None:
    fields = st.dictionaries(
        st.sampled_from(["name", "sector", "currency", "tick_size", "lot_size", "reference", "synthetic"]), VALUES
    )
    with Fuzzed() as fuzzed:
        fuzzed.run(fuzzed.client.get(f"/v1/poll?session={SESSION}&wait=0"))

        @fuzz
        @given(fields, TEXTS, COMMANDS)
        def check(fields: dict[str, Any], symbol: str, command: dict[str, Any]) -> None:
            before = state(fuzzed.server)
            put = fuzzed.run(fuzzed.client.put(f"/v1/symbols/{quote(symbol or 'A', safe='')}", content=as_body(fields)))
            patch = fuzzed.run(fuzzed.client.patch(f"/v1/sessions/{SESSION}", content=as_body(command)))

            assert put.status_code in (200, 400, 404)
            assert put.status_code == 200 or state(fuzzed.server) == before
            assert patch.status_code in (200, 400)

        fuzzed.client.headers["Content-Type"] = "application/json"
        check()
        assert fuzzed.run(fuzzed.client.get("/v1/symbols")).status_code == 200


def as_body(value: object) -> bytes:
    """Return JSON, NaN and infinity in it as Python writes them."""
    return json.dumps(value).encode()


def test_every_query_has_its_answer() -> None:
    names = ["symbols", "types", "interval", "conflate", "cursor", "batch", "session", "wait", "limit", "end", "x"]
    paths = ["/v1/stream", "/v1/poll", "/v1/ticks", "/v1/snapshot", "/v1/bars/A", "/v1/symbols"]
    parameters = st.lists(st.tuples(st.sampled_from(names), TEXTS | st.just("0")), max_size=3)
    with Fuzzed() as fuzzed:
        fuzzed.run(fuzzed.server.publish_numbered(30))

        @fuzz
        @given(st.sampled_from(paths), parameters, st.none() | TEXTS)
        def check(path: str, parameters: list[tuple[str, str]], accept: str | None) -> None:
            headers = {} if accept is None else {"Accept": quote(accept)}
            # HEAD, since a stream would not end.
            method = "HEAD" if path == "/v1/stream" else "GET"
            asked = [*parameters, *([("wait", "0")] if path == "/v1/poll" else [])]
            answer = fuzzed.run(fuzzed.client.request(method, path, params=asked, headers=headers))

            assert answer.status_code in (200, 400, 403, 404, 406)
            assert method == "HEAD" or answer.status_code == 200 or answer.json()["error"]["code"]

        check()
