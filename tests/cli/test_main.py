"""The command line: help, usage errors, exit codes, and each command against a fake server."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feeds import FeedContext, FeedOption, FeedType
from feeds.recording import Recording
from tests.client.peer import Peer, Play, answer, batch, hello, quote, refuse, snapshot, sse, trade
from ticker.cli import main as cli
from ticker.cli.feeds import describe
from ticker.cli.record import progress
from ticker.core.codes import FeedError, StartError
from ticker.tools.record import Recorded

ROOT = Path(__file__).parent.parent.parent


def instruments(*symbols: str) -> Play:
    return answer(
        200, json.dumps({"instruments": [{"symbol": symbol, "reference": 1.0} for symbol in symbols]}).encode()
    )


async def ticker(*arguments: str, stop: str | None = None) -> tuple[int | None, str, str]:
    """Run a command in a process of its own; ``stop`` is what it has to print on stderr before it gets SIGINT."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ticker", *arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    assert process.stdout is not None
    if stop is not None:
        async with asyncio.timeout(20):
            await process.stdout.readuntil(stop.encode())
        process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["ticker", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


@pytest.mark.parametrize("command", ["watch", "record", "publish", "bench", "lab", "feeds"])
def test_each_command_has_help_with_examples(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, command, "--help") == 0
    text = capsys.readouterr().out

    assert text.startswith(f"Usage: ticker {command} ")
    assert re.search(rf"Examples:\n    ticker {command}", text)


def test_the_help_names_every_command_and_imports_none() -> None:
    heavy = "{'quart', 'numpy', 'rich.live', 'httpx', 'feeds'}"
    code = (
        "import sys; sys.argv = ['ticker', '--help']\nimport ticker.cli.main\n"
        f"try: ticker.cli.main.main()\nexcept SystemExit: print(sorted({heavy} & set(sys.modules)))"
    )
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert text.endswith("[]\n")
    assert all(re.search(rf"^  {name} +{re.escape(summary)}$", text, re.M) for name, summary in cli.COMMANDS.items())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["wach"], "No such command 'wach'"),
        (["watch", "--colour"], "No such option"),
        (["record"], "Missing argument"),
        (["publish", "x", "--speed", "x3"], "is not one of"),
        (["watch", "localhost:8000"], "ticker: localhost:8000 is no server's URL: it begins with http:// or https://"),
        (["watch", "http://127.0.0.1:1"], "ticker: no server answers at http://127.0.0.1:1 ("),
        (
            ["watch", "https://127.0.0.1:1", "--ca", "/none"],
            "ticker: /none can't be used as a certificate: No such file",
        ),
        (["record", "x", "http://127.0.0.1:1"], "start one with `ticker serve`"),
        (["bench", "--transport", "pigeon"], "Invalid value for '--transport'"),
        (["bench", "--clients", "0"], "Invalid value for '--clients'"),
        (["bench", "--processes", "65"], "Invalid value for '--processes'"),
        (["bench", "http://127.0.0.1:1"], "ticker: no server answers at http://127.0.0.1:1 ("),
        (["lab", "localhost"], "ticker: localhost is no server's URL: it begins with http:// or https://"),
        (["lab", "--cuts", "-1"], "Invalid value for '--cuts'"),
        (["lab", "http://127.0.0.1:1"], "start one with `ticker serve`"),
    ],
)
def test_what_can_not_start_is_one_sentence_and_code_2(
    arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(StartError("no\x1b[2J\nport"), 2), (FeedError("no\x1b[2J\nport"), 1)])
def test_an_error_is_one_printable_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "build", fail)

    assert call(monkeypatch) == code
    assert capsys.readouterr().err == "ticker: no [2J port\n"


def test_lists_feeds_with_their_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "feeds") == 0
    text = capsys.readouterr().out

    assert "synthetic:?seed=" in text
    assert "recording:PATH?speed=x1&loop=1" in text
    assert re.search(r"^    speed  default x1  x1 as recorded", text, re.M)


def test_describes_a_feed_in_columns() -> None:
    options = (FeedOption("a", "12", "one"), FeedOption("long", "3", "two"))
    kind = FeedType("x", "does", "x:PATH", options, lambda *_: pytest.fail("not to be opened"))

    assert describe(kind) == "x:PATH\n  does\n    a     default 12  one\n    long  default 3   two"


async def test_watch_prints_lines_into_a_pipe_until_it_is_stopped() -> None:
    stream = sse(hello("1-1", follows="snapshot"), snapshot("1-1"), quote("1-2"), end="hold")
    async with Peer(answer(200, snapshot_body()), instruments("A"), stream) as peer:
        code, out, errors = await ticker("watch", peer.url, "--symbols", "A,B*", stop="received 1 ")

    assert (code, errors) == (0, "")
    assert "live sse" in out
    assert [asked.query.get("symbols") for asked in peer.asked] == ["A,B*", None, "A,B*"]


def snapshot_body() -> bytes:
    return json.dumps(snapshot("1-1")).encode()


async def test_watch_says_what_the_server_does_not_take() -> None:
    async with Peer(refuse(400, "bad_symbols", "names are in capitals", field="symbols[0]")) as peer:
        code, out, errors = await ticker("watch", peer.url, "--symbols", "aapl")

    assert (code, out) == (2, "")
    assert errors == f"ticker: {peer.url}: bad_symbols: names are in capitals (symbols[0])\n"


async def test_a_run_that_fails_is_code_1() -> None:
    farewell = {"type": "bye", "reason": "replaced", "reconnect": False, "retry": 1}
    async with Peer(instruments("A"), Play(b""), sse(hello("1-1"), farewell)) as peer:
        peer.plays.pop(1)
        code, _, errors = await ticker("watch", peer.url)

    assert (code, errors) == (1, "ticker: replaced: another connection has taken this session\n")


async def test_records_a_file_that_plays(tmp_path: Path) -> None:
    file = tmp_path / "r.ndjson.gz"
    gap = {"type": "gap", "from": "1-4", "to": "1-8", "lost": 5, "reason": "slow"}
    stream = sse(hello("1-0"), batch("1-0", "1-3", quote("1-1"), trade("1-3")), gap, snapshot("1-8"), trade("1-9", "B"))
    async with Peer(instruments("A"), stream, instruments("A", "B")) as peer:
        peer.plays = [instruments("A"), stream, instruments("A", "B")]
        code, out, errors = await ticker("record", str(file), peer.url, "--ticks", "3")
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]

    assert (code, errors) == (0, "")
    assert out == f"{file}: 3 ticks, 1 gap (5 ticks of the market lost)\n"
    assert [line["type"] for line in lines] == ["recording", "quote", "trade", "gap", "recording", "trade"]
    assert [line.get("cursor") for line in lines] == [None, "1-1", "1-3", None, None, "1-9"]
    assert peer.asked[1].query["cursor"] == "latest"
    feed = Recording(file, FeedContext(lambda: 0), math.inf)
    assert [tick.ts async for ticks in feed.batches() for tick in ticks] == [1, 3, 9]
    assert [instrument.symbol for instrument in feed.instruments] == ["A", "B"]


async def test_a_recording_that_is_stopped_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "r.ndjson"
    gap = {"type": "gap", "from": "1-2", "to": "1-8", "lost": 7, "reason": "slow"}
    stream = sse(hello("1-0"), quote("1-1"), gap, snapshot("1-8"), end="hold")
    async with Peer(instruments("A"), stream) as peer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ticker", "record", str(file), peer.url, "--from", "1-0"),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        async with asyncio.timeout(20):
            while not file.exists() or b"gap" not in file.read_bytes():  # noqa: ASYNC110  written through at once
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            out, errors = await process.communicate()

    assert (process.returncode, errors.decode()) == (0, "")
    assert out.decode() == f"{file}: 1 tick, 1 gap (7 ticks of the market lost)\n"
    assert len(file.read_bytes().splitlines()) == 3


async def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "r.ndjson"
    file.write_text("precious")
    async with Peer(instruments("A")) as peer:
        code, _, errors = await ticker("record", str(file), peer.url)

    assert (code, file.read_text()) == (2, "precious")
    assert errors == f"ticker: {file} is there already: choose another name, or remove it first\n"


async def test_a_cursor_that_is_none_is_said(tmp_path: Path) -> None:
    async with Peer(instruments("A")) as peer:
        code, _, errors = await ticker("record", str(tmp_path / "r"), peer.url, "--from", "noon")

    assert code == 2
    assert errors.startswith("ticker: a cursor is <epoch>-<seq>")


async def test_publishes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "t.ndjson"
    file.write_text('{"type":"trade","symbol":"A","price":1,"size":1,"side":null}\n{"type":"end"}\n')
    published = answer(200, b'{"accepted":1,"first":"1-7","last":"1-7"}')
    async with Peer(instruments("A"), published) as peer:
        code, out, errors = await ticker("publish", str(file), peer.url)

    assert (code, errors) == (0, "")
    assert out == f"{file}: 1 tick accepted, 1 line without a tick, last 1-7\n"


async def test_names_the_line_that_is_no_tick(tmp_path: Path) -> None:
    file = tmp_path / "t.ndjson"
    file.write_text("{}\n")
    async with Peer(instruments("A")) as peer:
        code, out, errors = await ticker("publish", str(file), peer.url)

    assert code == 1
    assert errors.startswith("ticker: line 1 is no tick: ")
    assert out == f"{file}: 0 ticks accepted, last -\n"


@pytest.mark.parametrize(
    ("recorded", "limit", "text"),
    [
        (Recorded(), None, "0 ticks, no gap"),
        (Recorded(1200, 1, 7), 5000, "1,200 of 5,000 ticks, 1 gap (7 ticks of the market lost)"),
        (Recorded(3, 2, 9), None, "3 ticks, 2 gaps (9 ticks of the market lost)"),
    ],
)
def test_says_how_far_a_recording_has_come(recorded: Recorded, limit: int | None, text: str) -> None:
    assert progress(recorded, limit) == text
