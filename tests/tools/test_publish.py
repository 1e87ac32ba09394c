"""Publishing files to a fake server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.peer import Peer, Play, answer, refuse
from ticker.client import Api, ClientError, Request
from ticker.core.codes import Disconnected, StartError, TickerError
from ticker.core.tick import Instrument
from ticker.tools import publish
from ticker.tools.publish import BadLine, Publisher, batches, parse_line, read_lines

TRADE = {"type": "trade", "symbol": "A", "price": 1.5, "size": 1, "side": "buy"}


def lines_of(*objects: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)


def accept(count: int, last: str = "1-9") -> Play:
    return answer(200, json.dumps({"accepted": count, "first": "1-1", "last": last}).encode())


class Clock:
    """Remembers the waits; none takes time."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


async def send(path: Path, *plays: Play, paced: bool = False) -> tuple[Publisher, Peer, Clock]:
    clock = Clock()
    async with Peer(*plays) as peer, Api(Request(peer.url, token="t")) as api:
        publisher = Publisher(api, [Instrument("KNOWN")], clock.sleep)
        await publisher.run(path, paced=paced)
    return publisher, peer, clock


@pytest.mark.parametrize("name", ["ticks.ndjson", "ticks.ndjson.gz"])
async def test_sends_the_ticks_of_a_recording_without_what_the_server_gives(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = lines_of(
        {"type": "recording", "version": 1, "instruments": []},
        TRADE | {"ts": 5, "cursor": "1-5"},
        {"type": "gap", "from": "1-6", "to": "1-7", "lost": 2, "reason": "slow"},
        {"type": "quote", "symbol": "A", "bid": 1, "bid_size": 1, "ask": 2, "ask_size": 1, "ts": 9},
        TRADE,
    )
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    publisher, peer, _ = await send(path, accept(3))
    (asked,) = peer.asked

    assert (publisher.progress.accepted, publisher.progress.skipped, publisher.progress.last) == (3, 2, "1-9")
    assert (asked.path, asked.headers["content-type"]) == ("/v1/ticks", "application/x-ndjson")
    assert asked.headers["authorization"] == "Bearer t"
    sent = [json.loads(line) for line in peer.bodies[0].splitlines()]
    assert [(tick["type"], tick.get("ts"), "cursor" in tick) for tick in sent] == [
        ("trade", 5, False),
        ("quote", 9, False),
        ("trade", None, False),
    ]


async def test_splits_a_file_into_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "BATCH_TICKS", 2)
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of(*[TRADE] * 5))
    publisher, peer, _ = await send(path, accept(2), accept(2), accept(1))

    assert [body.count(b"trade") for body in peer.bodies] == [2, 2, 1]
    assert publisher.progress.accepted == 5


async def test_waits_where_the_server_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of(TRADE))
    plays = [refuse(429, "rate_limited", "later", "Retry-After: 3"), refuse(503, "not_ready", "soon"), accept(1)]
    publisher, _, clock = await send(path, *plays)

    assert publisher.progress.accepted == 1
    assert clock.waits == [0.0, 3.0, 1.0]


async def test_gives_up_after_many_refusals(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of(TRADE))
    with pytest.raises(Disconnected, match="not_ready: lines 1 to 1 may not have been accepted: soon"):
        await send(path, *[refuse(503, "not_ready", "soon")] * publish.ATTEMPTS)


async def test_a_lost_answer_is_not_sent_again_and_said(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of(TRADE, TRADE))
    with pytest.raises(Disconnected, match="lines 1 to 2 may not have been accepted"):
        await send(path, Play(b""))


async def test_names_the_line_that_the_server_refuses(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(b"\n" + lines_of({"type": "end"}, TRADE, TRADE))
    with pytest.raises(BadLine, match=r"^line 4 is refused: off the grid \(price\)$"):
        await send(path, refuse(400, "bad_request", "off the grid", field="[1].price"))
    with pytest.raises(BadLine, match=r"^line 3 is refused: bad$"):
        await send(path, refuse(400, "bad_request", "bad", field="ticks[0]"))
    with pytest.raises(ClientError, match="forbidden: no"):
        await send(path, refuse(403, "forbidden", "no"))


@pytest.mark.parametrize(
    "line", [b"no", b"[]", b'{"type":"trade"}', b'{"type":1}', b'{"type":"news"}', b'{"type":"quote","symbol":"A"}']
)
def test_names_a_line_that_is_no_tick(line: bytes) -> None:
    with pytest.raises(BadLine, match=r"^line 7 is no tick: "):
        parse_line(7, line)


def test_files_that_can_not_be_read_are_said(tmp_path: Path) -> None:
    damaged, endless = tmp_path / "d.gz", tmp_path / "e"
    damaged.write_bytes(gzip.compress(lines_of(TRADE) * 9)[:-9])
    endless.write_bytes(b"x" * 100_000)
    (tmp_path / "n.gz").write_bytes(b"no gzip")
    for path, error, text in [
        (tmp_path / "none", StartError, "there is no file"),
        (tmp_path, StartError, "there is no file"),
        (damaged, BadLine, "damaged after line"),
        (tmp_path / "n.gz", BadLine, "damaged after line 0"),
        (endless, BadLine, "line 1 is longer than"),
    ]:
        with pytest.raises(TickerError, match=text) as caught:
            list(read_lines(path))
        assert caught.type is error


def test_a_file_without_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"")

    def refuse_open(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse_open)
    with pytest.raises(StartError, match="can't be read: Permission denied"):
        list(read_lines(path))


def test_a_paced_file_keeps_its_distances() -> None:
    times = [1_000_000, 1_010_000, 1_060_000, 1_055_000, None, 3_000_000]
    lines = [publish.Line(number, b"x", ts) for number, ts in enumerate(times)]

    assert [(due, [line.number for line in batch]) for due, batch in batches(iter(lines), True)] == [
        (0.0, [0, 1]),
        (0.05, [2, 3, 4]),
        (2.0, [5]),
    ]
    assert [len(batch) for _, batch in batches(iter(lines), False)] == [6]


async def test_a_paced_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of(TRADE | {"ts": 0}, TRADE | {"ts": 90_000_000}))
    _, _, clock = await send(path, accept(1), accept(1), paced=True)

    assert clock.waits[0] == 0.0
    assert 85 < clock.waits[1] <= 90


async def test_a_file_without_ticks_sends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(lines_of({"type": "end"}))
    publisher, peer, _ = await send(path)

    assert (publisher.progress.accepted, publisher.progress.skipped, peer.asked) == (0, 1, [])


async def test_tells_the_server_of_symbols_that_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    known, new = {"symbol": "KNOWN", "tick_size": 0.5}, {"symbol": "EUR/USD", "tick_size": 0.00001, "reference": 1.0792}
    header = {"type": "recording", "version": 1, "instruments": [known, new]}
    path.write_bytes(lines_of(header, TRADE, header))
    publisher, peer, clock = await send(path, refuse(503, "not_ready", "soon"), answer(200, b"{}"), accept(1))

    assert [asked.path for asked in peer.asked] == ["/v1/symbols/EUR/USD", "/v1/symbols/EUR/USD", "/v1/ticks"]
    assert peer.asked[0].headers["content-type"] == "application/json"
    assert json.loads(peer.bodies[0]).items() >= new.items()
    assert (publisher.progress.accepted, clock.waits) == (1, [0.0, 1.0])
