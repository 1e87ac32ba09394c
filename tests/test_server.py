"""Sockets, TLS and the end: in this process, and in processes that get real signals."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypercorn.utils import LifespanFailureError
from wsproto.events import CloseConnection

from tests.support.raw_http2 import RawHttp2
from tests.support.serving import eventually, on_both_loops, run_on, serving, trusting
from tests.support.websocket import UPGRADE, WebSocketClient
from ticker import server
from ticker.certificate import development_certificate
from ticker.core.codes import StartError
from ticker.server import raise_file_limit, run, say_what_is_low
from ticker.settings import Settings

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer what the connection is; a lifespan is none of its business."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    connection = scope["state"]["connection"]
    connection.event_streams += 1
    text = f"{connection.http_version} {connection.tls} {connection.peer[0]} {connection.event_streams}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


async def living(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing but live."""
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Ask on a connection of HTTP/1.1 and return the body."""
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))


# Ports, TLS


@on_both_loops
async def test_each_request_finds_its_connection() -> None:
    async with serving(hello, tls=True) as served:
        served.complaints.clear()
        plain = await asyncio.open_connection("127.0.0.1", served.port)
        secure = await asyncio.open_connection("127.0.0.1", served.tls_port, ssl=http1_only())
        answers = [await ask(*plain), await ask(*plain), await ask(*secure)]
        for _, writer in (plain, secure):
            writer.close()
        for port, tls in ((served.port, None), (served.tls_port, trusting())):
            client = await RawHttp2.connect(port, tls=tls)
            stream = client.request("/")
            await client.until(partial(client.ended.__contains__, stream))
            answers.append(bytes(client.data[stream]))
            await client.close()

        assert answers == [
            b"1.1 False 127.0.0.1 1",
            b"1.1 False 127.0.0.1 2",
            b"1.1 True 127.0.0.1 1",
            b"2 False 127.0.0.1 1",
            b"2 True 127.0.0.1 1",
        ]


def http1_only() -> ssl.SSLContext:
    """Return a client's context without ALPN."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_tls_is_1_2_or_newer_with_http2_first_and_trusts_its_own_certificate(tmp_path: Path) -> None:
    async def check() -> None:
        async with serving(living, tls=True) as served:
            certificate, _ = development_certificate(tmp_path / "ticker", datetime.now(UTC))
            context = ssl.create_default_context(cafile=str(certificate))
            context.set_alpn_protocols(["http/1.1", "h2"])
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            _, writer = await asyncio.open_connection("localhost", served.tls_port, ssl=context)
            agreed = writer.get_extra_info("ssl_object")
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            # The server's alert, or, where the end of the connection overtakes it, that end.
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await asyncio.open_connection("127.0.0.1", served.tls_port, ssl=old)

            assert (agreed.selected_alpn_protocol(), agreed.version()) == ("h2", "TLSv1.2")
            writer.close()

    run_on("asyncio", check)


@on_both_loops
async def test_bytes_that_are_not_tls_do_no_harm_on_the_tls_port() -> None:
    async with serving(living, tls=True) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.tls_port)
        writer.write(GET)
        await reader.read()
        writer.close()


@on_both_loops
async def test_localhost_is_every_address_of_it_on_one_port() -> None:
    async with serving(living, host="localhost") as served:
        for family, _, _, _, address in socket.getaddrinfo("localhost", served.port, type=socket.SOCK_STREAM):
            _, writer = await asyncio.open_connection(str(address[0]), served.port, family=family)
            writer.close()

        assert served.urls == [f"http://localhost:{served.port}"]


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", ["http://127.0.0.1", "https://localhost"]),
        ("0.0.0.0", ["http://localhost", "https://localhost"]),
        ("::1", ["http://localhost", "https://localhost"]),
        ("127.0.0.2", ["http://127.0.0.2", "https://127.0.0.2"]),
    ],
)
def test_the_urls_are_ones_that_can_be_opened(host: str, names: list[str]) -> None:
    async def check() -> None:
        async with serving(living, host=host, tls=True) as served:
            assert [url.rpartition(":")[0] for url in served.urls] == names

    run_on("asyncio", check)


@on_both_loops
async def test_accepted_sockets_drop_peers_that_are_dead_for_35_seconds() -> None:
    options: list[int] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await living(scope, receive, send)
            return
        abort = scope["state"]["connection"].abort
        accepted = abort.__self__.writer.get_extra_info("socket")
        for level, option in (
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ):
            options.append(accepted.getsockopt(level, option))
        abort()

    async with serving(look) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(GET)
        await reader.read()
        writer.close()

    assert options == [35000, 1, 20, 1]


def test_the_limit_of_files_is_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        raise_file_limit()
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised == (hard, hard)


def test_limits_of_the_system_below_the_settings_are_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "raise_file_limit", lambda: 1024)
    monkeypatch.setattr(server, "_longest_backlog", lambda: 128)
    say_what_is_low(Settings.load({}, {"max_sessions": 1024, "backlog": 128}))
    assert caplog.records == []

    say_what_is_low(Settings.load({}, {"max_sessions": 1025, "backlog": 129}))

    assert [record.message for record in caplog.records] == ["file_limit_low", "backlog_limit_low"]


def test_what_is_there_at_the_start_is_not_looked_at_again() -> None:
    script = "import gc; from ticker.server import spare_the_collector as spare; spare(); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert int(done.stdout) > 10_000


# What can't start


def start(**overrides: Any) -> None:
    """Start a server that should not start."""

    async def check() -> None:
        async with serving(living, **overrides):
            pass

    run_on("asyncio", check)


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError) as plain:
            start(port=port)
        with pytest.raises(StartError) as secure:
            start(tls=True, tls_port=port)

    assert str(plain.value) == (
        f"Port {port} of 127.0.0.1 is in use; stop what uses it or choose another with --port (TICKER_PORT)."
    )
    assert "--tls-port (TICKER_TLS_PORT)" in str(secure.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_ours_is_said(host: str) -> None:
    with pytest.raises(StartError, match=rf"'{host}' is no address of this machine \(.*\); choose another with --host"):
        start(host=host)


def test_a_port_that_needs_more_rights_is_said() -> None:
    with (
        patch.object(socket.socket, "bind", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(StartError, match="Port 80 needs more rights than this user has; choose one from 1024 on"),
    ):
        start(port=80)


def test_a_certificate_that_cant_be_used_is_said(tmp_path: Path) -> None:
    certificate, key = map(str, development_certificate(tmp_path / "one", datetime.now(UTC)))
    _, other = map(str, development_certificate(tmp_path / "two", datetime.now(UTC)))
    for chosen, message in (
        ((str(tmp_path / "none"), key), "can't be read (No such file or directory); name a PEM file."),
        ((certificate, str(tmp_path)), "can't be read (Is a directory); name a PEM file."),
        ((certificate, other), f"{other!r} is not the key of the certificate {certificate!r}; give the right --key."),
        ((__file__, key), "are no certificate and unencrypted key in PEM; give the right ones with --cert and --key."),
    ):
        with pytest.raises(StartError) as raised:
            start(tls=True, cert=chosen[0], key=chosen[1])

        assert str(raised.value).endswith(message)


def test_a_certificate_that_is_given_is_used(tmp_path: Path) -> None:
    certificate, key = map(str, development_certificate(tmp_path / "given", datetime.now(UTC)))
    start(tls=True, cert=certificate, key=key)

    assert not (tmp_path / "ticker").exists()


def test_an_app_that_fails_at_its_start_ends_the_server() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no feed"})

    async def check() -> None:
        async with serving(failing):
            pass

    with pytest.raises(LifespanFailureError, match="no feed"):
        run_on("asyncio", check)


def test_a_loop_that_is_not_installed_is_said() -> None:
    async def main(shutdown: asyncio.Event) -> None: ...

    with (
        patch.dict(sys.modules, {"uvloop": None}),
        pytest.raises(StartError, match="uvloop is not installed; install it or set --loop asyncio"),
    ):
        run(main, Settings.load({}, {"loop": "uvloop"}))


# The end


async def stubborn(scope: Any, receive: Any, send: Any) -> None:
    """Begin an answer and never end it, whatever comes."""
    if scope["type"] == "lifespan":
        await living(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    await asyncio.Event().wait()


@on_both_loops
async def test_what_does_not_end_is_cut_in_time() -> None:
    async with serving(stubborn, drain_seconds=0.5) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(GET)
        await reader.readuntil(b"begun")
        began = asyncio.get_running_loop().time()
        served.shutdown.set()
        left = await reader.read()
        await eventually(lambda: served.complaints)
        complaints, served.complaints[:] = served.complaints[:], []
        writer.close()

        assert asyncio.get_running_loop().time() - began < 0.5 * 5
        assert (left, complaints) == (b"\r\n", ["connections_cut"])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("fault", "complaint"), [("hangs", "drain_too_long"), ("fails", "drain_failed")])
def test_a_drain_that_goes_wrong_does_not_hold_up_the_end(loop: str, fault: str, complaint: str) -> None:
    async def drain() -> None:
        if fault == "fails":
            raise RuntimeError
        await asyncio.Event().wait()

    async def check() -> None:
        async with serving(living, drain=drain, drain_seconds=0.5) as served:
            served.shutdown.set()
            await eventually(lambda: served.complaints)
            complaints, served.complaints[:] = served.complaints[:], []

            assert complaints[0].splitlines()[0] == complaint

    run_on(loop, check)


def test_an_app_that_hangs_at_its_end_does_not_hold_up_the_end() -> None:
    async def hanging(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    async def check() -> None:
        async with serving(hanging, drain_seconds=0.5) as served:
            served.shutdown.set()
            await eventually(lambda: served.complaints)
            complaints, served.complaints[:] = served.complaints[:], []

            assert complaints == ["shutdown_too_long"]

    run_on("asyncio", check)


@on_both_loops
async def test_idle_connections_are_closed_at_once_and_http2_is_told() -> None:
    async with serving(hello) as served:
        served.complaints.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        await ask(reader, writer)
        client = await RawHttp2.connect(served.port)
        stream = client.request("/")
        await client.until(lambda: stream in client.ended)
        served.shutdown.set()
        left = await reader.read()
        await client.end()
        writer.close()
        await client.close()

        assert (left, client.goaway) == (b"", 0)


@on_both_loops
async def test_a_request_on_http2_while_draining_is_refused() -> None:
    is_drained = asyncio.Event()

    async def drain() -> None:
        await is_drained.wait()

    async with serving(stubborn, drain=drain) as served:
        client = await RawHttp2.connect(served.port)
        first = client.request("/")
        await client.until(lambda: client.data[first])
        served.shutdown.set()
        await client.round_trip()
        second = client.request("/")
        await client.until(lambda: second in client.resets)
        is_drained.set()
        await client.close()

        assert client.resets == {second: 7}


# Processes


@asynccontextmanager
async def process(loop: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """Run ``tests.support.streaming_server`` and yield it with its ports."""
    variables = {f"TICKER_{name.upper()}": value for name, value in settings.items()}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.support.streaming_server"),
        env={
            **os.environ,
            "TICKER_LOOP": loop,
            "TICKER_TLS": "1",
            "TICKER_PORT": "0",
            "TICKER_TLS_PORT": "0",
            **variables,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert running.stdout is not None
    try:
        await running.stdout.readline()
        urls = (await running.stdout.readline()).decode().split()
        yield running, [int(url.rpartition(":")[2]) for url in urls]
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def read_http1(port: int, tls: ssl.SSLContext | None, begun: Callable[[], Awaitable[object]]) -> bytes:
    """Read a stream to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(GET)
    text = await reader.readuntil(b"data: 0\n\n")
    await begun()
    text += await reader.read()
    writer.close()
    return text


async def read_http2(port: int, tls: ssl.SSLContext | None, begun: Callable[[], Awaitable[object]]) -> bytes:
    """Read ten streams of one connection to their ends."""
    client = await RawHttp2.connect(port, tls=tls)
    streams = [client.request("/") for _ in range(10)]
    await client.until(lambda: client.has_data_of(streams))
    await begun()
    await client.until(lambda: client.ended.issuperset(streams))
    await client.end()
    await client.close()
    return b"|".join(bytes(client.data[stream][-12:]) for stream in streams)


async def read_websocket(port: int, begun: Callable[[], Awaitable[object]]) -> list[object]:
    """Read a WebSocket to its end."""
    client = await WebSocketClient.connect(port, UPGRADE)
    await client.read()
    await begun()
    return [event for event in await client.events() if isinstance(event, CloseConnection)]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_signals_end_every_stream_with_its_ending_and_the_process_with_0(loop: str) -> None:
    async def check() -> None:
        async with process(loop) as (running, (plain, secure)):
            begun = asyncio.Barrier(6)
            reading = asyncio.gather(
                read_http1(plain, None, begun.wait),
                read_http1(secure, http1_only(), begun.wait),
                read_http2(plain, None, begun.wait),
                read_http2(secure, trusting(), begun.wait),
                read_websocket(plain, begun.wait),
            )
            await begun.wait()
            began = asyncio.get_running_loop().time()
            for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
                running.send_signal(signum)
            http1, tls_http1, http2, tls_http2, websocket = await reading
            output, errors = await running.communicate()
            took = asyncio.get_running_loop().time() - began

            assert [text[-22:] for text in (http1, tls_http1)] == [b"c\r\nevent: bye\n\n\r\n0\r\n\r\n"[-22:]] * 2
            assert [http2, tls_http2] == [b"|".join([b"event: bye\n\n"] * 10)] * 2
            assert websocket == [CloseConnection(code=1001, reason="going_away")]
            assert (running.returncode, output, errors) == (0, b"shutdown\ndone\n", b"")
            assert took < 5

    run_on("asyncio", check)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_signal_to_a_process_with_streams_that_do_not_end_is_obeyed_in_time(loop: str) -> None:
    async def check() -> None:
        async with process(loop, drain_seconds="1") as (running, (plain, _)):
            reader, writer = await asyncio.open_connection("127.0.0.1", plain)
            writer.write(GET.replace(b"/ ", b"/stubborn ", 1))
            await reader.readuntil(b"data: 0\n\n")
            running.send_signal(signal.SIGTERM)
            output, errors = await asyncio.wait_for(running.communicate(), 10)
            writer.close()

            assert (running.returncode, output) == (0, b"shutdown\ndone\n")
            assert [line.partition(b"event=")[2] for line in errors.splitlines()] == [b"connections_cut count=1"]

    run_on("asyncio", check)
