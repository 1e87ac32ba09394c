"""Server: the sockets, TLS and HTTP/2 around the web app, and how it all ends when the process is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any, TypeVar

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import LifespanTimeoutError

from ticker.certificate import development_certificate, state_folder
from ticker.core.codes import StartError
from ticker.hypercorn_remedies import Door, Peer, Reader, Stream, Writer, make_config
from ticker.lane import Http1Wire
from ticker.log import get_logger
from ticker.settings import Settings

T = TypeVar("T")

log = get_logger(__name__)

# Seconds after which a TCP peer that acknowledges nothing is dropped (PROTOCOL.md section 5); both TCP_USER_TIMEOUT,
# which watches bytes in flight, and keepalive, which watches silent connections: 20 + 3 * 5.
DEAD_PEER = 35
# Seconds for a TLS handshake, and for the peer's goodbye.
TLS_HANDSHAKE, TLS_SHUTDOWN = 10, 1
# The part of the draining time that connections get; the rest is for cutting them and for the app's own shutdown.
DRAIN_SHARE = 0.8
# Seconds after which a draining server looks again whether connections are left.
DRAIN_CHECK = 0.01

_LOOPBACK_OR_ALL = ("127.0.0.1", "::1", "0.0.0.0", "::", "localhost")


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]], settings: Settings) -> T:
    """Run ``main(shutdown)`` on the loop that the settings name; SIGTERM and SIGINT set ``shutdown``.

    Every further signal does the same: platforms send it to every process and repeat it. From the end of ``main`` on
    both signals are ignored, so that a late one can't turn the exit code into a signal's. So the process should end.
    """
    with asyncio.Runner(loop_factory=_loop_factory(settings.loop)) as runner:
        shutdown, loop = asyncio.Event(), runner.get_loop()

        def stop(*_: object) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(shutdown.set)

        # Not loop.add_signal_handler: closing the loop would bring the default handlers back.
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, stop)
        try:
            return runner.run(main(shutdown))
        finally:
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, signal.SIG_IGN)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        raise StartError("uvloop is not installed; install it or set --loop asyncio (TICKER_LOOP=asyncio).") from None
    return uvloop.new_event_loop


async def serve(
    app: ASGIFramework,
    settings: Settings,
    *,
    ready: Callable[[list[str]], None],
    drain: Callable[[], Awaitable[None]],
    shutdown: asyncio.Event,
) -> None:
    """Serve an ASGI app until ``shutdown`` is set, then let it end its streams.

    The app's lifespan startup runs before the first connection is accepted, its shutdown after the last has ended.
    In draining, listening sockets close first, idle connections at once, and new requests on HTTP/2 are refused; then
    ``drain`` is awaited, which should end every stream, and a connection closes with its last stream.
    What is left when 80 % of ``drain_seconds`` are over is cut.

    Args:
        app: every scope finds the lifespan's state and ``connection``, a ``ticker.web.connection.Connection``, in
            ``scope["state"]``.
        settings: the settings.
        ready: called once with the URLs when connections are accepted.
        drain: called once when the server begins to drain.
        shutdown: set it to end.

    Raises:
        StartError: a port, an address or a certificate can't be used.
    """
    raise_file_limit()
    tls = tls_context(settings) if settings.tls else None
    with contextlib.ExitStack() as opened:
        plain = _listen(settings.host, settings.port, "port", opened)
        secure = _listen(settings.host, settings.tls_port, "tls_port", opened) if tls is not None else []
        server = Server(app, settings)
        async with server.lifespan():
            await server.accept(plain, None)
            await server.accept(secure, tls)
            ready(_urls(settings.host, plain, secure))
            await shutdown.wait()
            await server.drain(drain)


class Server:
    """The listening sockets of one process and the connections accepted on them."""

    def __init__(self, app: ASGIFramework, settings: Settings) -> None:
        self._app = ASGIWrapper(app)
        self._settings = settings
        self._config: Config = make_config(settings)
        self._config.shutdown_timeout = settings.drain_seconds * (1 - DRAIN_SHARE) / 2
        self._context = WorkerContext(None)
        # What the app's lifespan left for its requests.
        self._state: dict[str, Any] = {}
        self._listeners: list[asyncio.Server] = []
        self._door = Door(asyncio.get_running_loop())
        # The connections that are open, and those of them that were taken over; as many as the limit of file
        # descriptors lets.
        self._peers: set[Peer] = set()
        self._wires: set[Http1Wire] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run the app's startup, and its shutdown when the context ends."""
        lifespan = Lifespan(self._app, self._config, asyncio.get_running_loop(), self._state)
        task = asyncio.create_task(lifespan.handle_lifespan(), name="lifespan")
        await lifespan.wait_for_startup()
        if task.done():
            # Raises what the app's startup failed with; an app without lifespan just returned.
            task.result()
        try:
            yield
        finally:
            try:
                await lifespan.wait_for_shutdown()
            except LifespanTimeoutError as error:
                log.error("shutdown_too_long", reason=error)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def accept(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Begin to accept connections, with TLS if there is a context for it."""
        loop = asyncio.get_running_loop()
        for listening in sockets:
            listener = await loop.create_server(
                lambda: Stream(self._connected),
                sock=listening,
                backlog=self._settings.backlog,
                ssl=tls,
                ssl_handshake_timeout=TLS_HANDSHAKE if tls else None,
                ssl_shutdown_timeout=TLS_SHUTDOWN if tls else None,
            )
            self._listeners.append(listener)

    def _connected(self, reader: Reader, writer: Writer) -> Peer:
        loop = asyncio.get_running_loop()
        served = self._app, loop, self._config, self._context, self._state
        peer = Peer(self._door, self._wires, *served, reader, writer)
        self._peers.add(peer)
        peer.task.add_done_callback(lambda _: self._peers.discard(peer))
        return peer

    async def drain(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Stop accepting, let the app end its streams, and cut what is left when time is up."""
        deadline = asyncio.get_running_loop().time() + self._settings.drain_seconds * DRAIN_SHARE
        for listener in self._listeners:
            # Its wait_closed waits for the connections too on Python >= 3.12, so nobody waits for it.
            listener.close()
        await self._context.terminated.set()
        try:
            async with asyncio.timeout_at(deadline):
                await drain()
        except TimeoutError:
            log.warning("drain_too_long", seconds=self._settings.drain_seconds)
        except Exception as error:
            log.exception("drain_failed", error)
        await self._wait_for_peers(deadline)

    async def _wait_for_peers(self, deadline: float) -> None:
        if await self._are_left_at(deadline):
            log.warning("connections_cut", count=len(self._peers) + len(self._wires))
            for peer in list(self._peers):
                peer.abort()
            for wire in list(self._wires):
                wire.abort()
            loop = asyncio.get_running_loop()
            await self._are_left_at(loop.time() + self._settings.drain_seconds * (1 - DRAIN_SHARE) / 2)

    async def _are_left_at(self, deadline: float) -> bool:
        """Wait until all connections have gone, or a moment has come."""
        loop = asyncio.get_running_loop()
        while (self._peers or self._wires) and loop.time() < deadline:  # noqa: ASYNC110 (of two sets, no one event)
            await asyncio.sleep(DRAIN_CHECK)
        return bool(self._peers or self._wires)


def raise_file_limit() -> int:
    """Raise the soft limit of file descriptors to the hard one, often from 1024, and return it: a client takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft


def say_what_is_low(settings: Settings) -> None:
    """Log which limits of the system are below what the settings allow, and how they are raised."""
    files, backlog = raise_file_limit(), _longest_backlog()
    if files != resource.RLIM_INFINITY and files < settings.max_sessions:
        log.warning("file_limit_low", limit=files, max_sessions=settings.max_sessions, mend="ulimit -n")
    if backlog is not None and backlog < settings.backlog:
        log.warning("backlog_limit_low", limit=backlog, backlog=settings.backlog, mend="sysctl net.core.somaxconn")


def _longest_backlog() -> int | None:
    """Return how many connections the kernel lets wait on one socket; None where it does not say (Linux only)."""
    try:
        return int(Path("/proc/sys/net/core/somaxconn").read_text())
    except (OSError, ValueError):
        return None


def spare_the_collector() -> None:
    """Keep the garbage collector from what is there at the start and stays: modules, and the market's history.

    Its thresholds stay as they are. With higher ones the rubbish of handshakes waits longer for it, and an idle
    connection takes 1 to 2 KiB more (``python -m tests.bench.bench_memory``, two cores, November 2026).
    """
    gc.collect()
    gc.freeze()


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return the context for TLS >= 1.2 with ALPN ``h2`` and ``http/1.1`` (RFC 9113 9.2).

    Raises:
        StartError: the certificate or the key can't be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113 9.2.2: only these are not on its list of prohibited suites of TLS 1.2.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate, key = settings.cert, settings.key
    if not certificate:
        certificate, key = map(str, development_certificate(state_folder(environ), datetime.now(UTC)))
    _load_certificate(context, certificate, key)
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    for path, option in ((certificate, "--cert"), (key, "--key")):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise StartError(f"{option} {path!r} can't be read ({error.strerror}); name a PEM file.") from None
    try:
        # The password keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartError(
                f"{key!r} is not the key of the certificate {certificate!r}; give the right --key."
            ) from None
        raise StartError(
            f"{certificate!r} and {key!r} are no certificate and unencrypted key in PEM; give the right ones with "
            "--cert and --key."
        ) from None


def _listen(host: str, port: int, setting: str, opened: contextlib.ExitStack) -> list[socket.socket]:
    """Bind a socket to every address of a host; ``opened`` closes them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets = []
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(opened.enter_context(_bound(family, (address[0], port, *address[2:]))))
            # Where the port is 0, the first address gets a free one and the others the same.
            port = sockets[0].getsockname()[1]
    except OSError as error:
        raise StartError(_why_not(error, host, port, setting)) from None
    return sockets


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        for level, option, value in _socket_options(family):
            listening.setsockopt(level, option, value)
        listening.bind(address)
        # From here on the kernel queues connections; they are accepted when the app has started.
        listening.listen()
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _socket_options(family: int) -> list[tuple[int, int, int]]:
    """Return the options of a listening socket; Linux gives them to the sockets accepted on it."""
    options = [
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    # Elsewhere than on Linux some are missing; dead peers then go when the system's own keepalive finds them.
    for name, value in (
        ("TCP_KEEPIDLE", 20),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", DEAD_PEER * 1000),
    ):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    if family == socket.AF_INET6:
        options.append((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
    return options


def _why_not(error: OSError, host: str, port: int, setting: str) -> str:
    option, variable = "--" + setting.replace("_", "-"), "TICKER_" + setting.upper()
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use; stop what uses it or choose another with {option} ({variable})."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has; choose one from 1024 on with {option} ({variable})."
    return f"{host!r} is no address of this machine ({error.strerror}); choose another with --host (TICKER_HOST)."


def _urls(host: str, plain: list[socket.socket], secure: list[socket.socket]) -> list[str]:
    # The development certificate is for localhost, and nobody can connect to "every address".
    local = "localhost" if host in _LOOPBACK_OR_ALL else host
    name = host if host == "127.0.0.1" else local
    urls = [f"http://{_bracketed(name)}:{plain[0].getsockname()[1]}"]
    if secure:
        urls.append(f"https://{_bracketed(local)}:{secure[0].getsockname()[1]}")
    return urls


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
