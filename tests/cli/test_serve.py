"""``ticker serve`` as a process: what it prints, keeps, refuses, and how it ends."""

from __future__ import annotations

import signal
import socket
import ssl
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.process import COMMAND, environment, server_process
from ticker.certificate import development_certificate
from ticker.core.eventstream import EventStreamParser


def refused(state: Path, *arguments: str, **variables: str) -> str:
    """Run a server that can't start; return the sentence that says why."""
    ran = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(state, **variables),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    lines = ran.stderr.splitlines()

    assert (ran.returncode, ran.stdout, len(lines)) == (2, "", 1), ran.stderr
    assert lines[0].startswith("ticker: ")
    return lines[0]


def presented(url: str) -> bytes:
    """Return the certificate that a server shows, as DER."""
    host, _, port = url.removeprefix("https://").partition(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))


def der(path: Path) -> bytes:
    """Read a certificate."""
    return ssl.PEM_cert_to_DER_cert(path.read_text())


# What it prints and keeps


def test_prints_where_page_stream_and_api_are(tmp_path: Path) -> None:
    with server_process(tmp_path, "--tls") as server:
        plain, secure = server.urls

        assert server.greeting == [
            "ticker is live",
            f"  page    {plain}/",
            f"  page    {secure}/",
            f"  stream  curl -N {plain}/v1/stream",
            f"  api     {plain}/v1/symbols  /v1/snapshot  /v1/bars/<symbol>  /v1/poll",
            "  stop    Ctrl-C",
        ]
        assert (plain.rpartition(":")[0], secure.rpartition(":")[0]) == ("http://127.0.0.1", "https://localhost")
        assert httpx.get(f"{plain}/readyz").json()["ready"] is True


def test_the_development_certificate_is_kept_where_only_its_user_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "ticker"
    shown = []
    for _ in range(2):
        with server_process(tmp_path, "--tls") as server:
            trusting = ssl.create_default_context(cafile=folder / "localhost.pem")
            shown.append(presented(server.urls[1]))

            assert httpx.get(f"{server.urls[1]}/healthz", verify=trusting).status_code == 200
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}

    assert modes == {"ticker": 0o700, "localhost.pem": 0o600, "localhost-key.pem": 0o600}
    assert shown == [der(folder / "localhost.pem")] * 2


def test_a_certificate_of_ones_own_is_used_instead(tmp_path: Path) -> None:
    own, state = tmp_path / "own", tmp_path / "state"
    certificate, key = development_certificate(own, datetime.now(UTC))
    with server_process(state, "--tls", "--cert", str(certificate), "--key", str(key)) as server:
        assert presented(server.urls[1]) == der(certificate)
    assert not state.exists()


def test_without_tls_there_is_one_port_and_no_certificate(tmp_path: Path) -> None:
    with server_process(tmp_path / "state") as server:
        assert len(server.urls) == 1
    assert not (tmp_path / "state").exists()


def test_obeys_the_environment_but_not_a_bare_host(tmp_path: Path) -> None:
    variables = {"HOST": "203.0.113.1", "TICKER_HOST": "127.0.0.2", "TICKER_NODE": "from-the-environment"}
    with server_process(tmp_path, **variables) as server:
        (url,) = server.urls
        with httpx.stream("GET", f"{url}/v1/stream", headers={"Host": "localhost"}) as answer:
            parser = EventStreamParser()
            for data in answer.iter_raw():
                parser.feed(data)
                if hello := next(parser.events(), None):
                    break

    assert url.startswith("http://127.0.0.2:")
    assert hello is not None
    assert '"node":"from-the-environment"' in hello.data


# What it refuses


@pytest.mark.parametrize("source", ["--port", "TICKER_PORT", "PORT"])
def test_a_port_in_use_is_one_sentence(tmp_path: Path, source: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        is_option = source.startswith("--")
        options, variables = ([source, port], {}) if is_option else ([], {source: port})
        sentence = refused(tmp_path, "--no-feed", *options, **variables)

    assert sentence == (
        f"ticker: Port {port} of 127.0.0.1 is in use; stop what uses it or choose another with --port (TICKER_PORT)."
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "hint"),
    [
        (["--ring-size", "5"], {}, "--ring-size is '5', it must be a whole number from 100"),
        ([], {"TICKER_RING_SIZE": "many"}, "TICKER_RING_SIZE is 'many', it must be a whole number from 100"),
        ([], {"TICKER_RINGSIZE": "500"}, "did you mean TICKER_RING_SIZE?"),
        (["--feed", "recording:/nowhere/day.ndjson"], {}, "/nowhere/day.ndjson"),
        (["--feed", "nothing:"], {}, "nothing"),
        (["--feed", "synthetic:?speed=3"], {}, "speed"),
        (
            ["--port", "0", "--tls", "--cert", "/nowhere/cert.pem", "--key", "/nowhere/key.pem"],
            {},
            "'/nowhere/cert.pem' can't be read",
        ),
        (["--tls", "--cert", "/nowhere/cert.pem"], {}, "set --key (TICKER_KEY) too"),
        (["--port", "0", "--host", "203.0.113.1", "--no-feed"], {}, "choose another with --host (TICKER_HOST)"),
    ],
    ids=["option", "variable", "unknown variable", "file", "feed", "feed's option", "certificate", "key", "host"],
)
def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], hint: str
) -> None:
    assert hint in refused(tmp_path, *arguments, **variables)


# How it ends


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM] * 3], ids=str)
def test_says_bye_when_it_is_told_to_stop(tmp_path: Path, signals: list[signal.Signals]) -> None:
    with server_process(tmp_path) as server, httpx.stream("GET", f"{server.urls[0]}/v1/stream") as answer:
        chunks = answer.iter_raw()
        received = next(chunks)
        while b"event: snapshot" not in received:
            received += next(chunks)
        for signum in signals:
            server.signal(signum)
        received += b"".join(chunks)
        parser = EventStreamParser()
        parser.feed(received)
        *_, bye = parser.events()

        assert (bye.name, '"reason":"shutdown"' in bye.data) == ("bye", True)
        assert server.wait() == 0
