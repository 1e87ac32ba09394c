from __future__ import annotations

import gzip
import logging
import math
import os
import zlib
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds import FeedContext
from feeds.recording import RECORDING, SPEEDS, Recorder, Recording
from feeds.records import LINE_LIMIT, SLICE_LINES, Gap
from tests.support.capture import CAPTURE, capture_lines, capture_ticks
from tests.support.fake_clock import FakeClock
from ticker.core.codes import BadRecording, FeedError, StartError
from ticker.core.cursor import Cursor
from ticker.core.tick import Instrument, Quote, Tick, Trade

SYMBOLS = ["AAPL", "BTC/USDT", "X.Y-Z_1"]
AMOUNTS = st.floats(0, 1e12, allow_nan=False)
PRICES = st.floats(-1e9, 1e12, allow_nan=False)
TIMES = st.integers(0, 2**53 - 1)
TICKS = st.one_of(
    st.builds(Quote, st.sampled_from(SYMBOLS), PRICES, AMOUNTS, PRICES, AMOUNTS, TIMES),
    st.builds(Trade, st.sampled_from(SYMBOLS), PRICES, AMOUNTS, st.sampled_from(["buy", "sell", None]), TIMES),
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def quote(ts: int, bid: float = 10.0) -> Quote:
    return Quote("AAPL", bid, 3, bid + 0.01, 5, ts)


def open_file(path: Path, clock: FakeClock, speed: str = "max", loop: bool = False, alone: bool = True) -> Recording:
    return Recording(path, FeedContext(clock, alone), SPEEDS[speed], loop, clock.sleep)


async def play(feed: Recording) -> list[Tick]:
    return [tick async for batch in feed.batches() for tick in batch]


def write(path: Path, *lines: bytes) -> Path:
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)
    return path


def write_ticks(path: Path, *ticks: Tick) -> Path:
    return write(path, *(msgspec.json.encode(tick) for tick in ticks))


async def test_the_capture_plays_as_an_independent_reading_has_it() -> None:
    feed = open_file(CAPTURE, FakeClock())

    assert await play(feed) == capture_ticks()
    assert len(capture_ticks()) == 55_281
    assert feed.statistics() == {"damaged": 0, "skipped": 3_044, "gaps": 0}
    assert list(feed.history()) == []


def test_the_instrument_of_a_capture_is_known_from_its_head() -> None:
    feed = open_file(CAPTURE, FakeClock())

    expected = Instrument("BTCUSDT", "BTC/USDT", "Crypto", "USDT", tick_size=0.01, lot_size=1e-05)
    assert feed.instruments == (expected,)


@pytest.mark.parametrize(("speed", "factor"), [("x1", 1), ("x10", 10)])
async def test_each_tick_of_the_capture_comes_when_it_is_due(speed: str, factor: int) -> None:
    clock = FakeClock()
    start, first = clock.now, capture_ticks()[0].ts
    late: Counter[int] = Counter()
    async for batch in open_file(CAPTURE, clock, speed).batches():
        for tick in batch:
            late[clock.now - (start + round((tick.ts - first) / factor))] += 1

    assert sum(late.values()) == 55_281
    assert set(late) <= {-1, 0, 1}
    assert clock.now - start == pytest.approx(304_500_000 / factor, rel=0.001)


async def test_at_full_speed_nothing_waits_and_lists_are_bounded() -> None:
    clock = FakeClock()
    sizes = [len(batch) async for batch in open_file(CAPTURE, clock).batches()]

    assert max(sizes) <= SLICE_LINES
    assert min(sizes) >= 1
    assert set(clock.waits) == {0}
    assert len(clock.waits) >= len(sizes)


async def test_beside_another_feed_times_are_moved_to_now(tmp_path: Path) -> None:
    path = write_ticks(tmp_path / "t.ndjson", quote(1_000), quote(2_001_000), quote(2_001_000), quote(5_001_000))
    clock = FakeClock()
    start = clock.now
    feed = open_file(path, clock, "x1", alone=False)

    assert [tick.ts - start for tick in await play(feed)] == [0, 2_000_000, 2_000_000, 5_000_000]


async def test_beside_another_feed_a_fast_recording_does_not_run_ahead_of_now(tmp_path: Path) -> None:
    path = write_ticks(tmp_path / "t.ndjson", *(quote(second * 1_000_000) for second in range(1000)))
    for speed in SPEEDS:
        clock = FakeClock()
        async for batch in open_file(path, clock, speed, alone=False).batches():
            assert all(tick.ts <= clock.now for tick in batch)


async def test_the_capture_alone_keeps_its_times_beside_another_they_are_now() -> None:
    clock = FakeClock()
    played = await play(open_file(CAPTURE, clock, alone=False))

    assert {tick.ts for tick in played} == {clock.now}
    assert [msgspec.structs.replace(tick, ts=old.ts) for tick, old in zip(played, capture_ticks(), strict=True)] == (
        capture_ticks()
    )


@pytest.mark.parametrize("speed", ["x1", "max"])
async def test_a_loop_begins_again_and_time_never_goes_back(tmp_path: Path, speed: str) -> None:
    # The third is a late one: it stands between others in every round.
    times = [100, 400, 250, 900]
    path = write_ticks(tmp_path / "t.ndjson", *(quote(ts) for ts in times))
    clock = FakeClock()
    played: list[int] = []
    async for batch in open_file(path, clock, speed, loop=True).batches():
        played += [tick.ts for tick in batch]
        if len(played) == 12:
            break

    assert played == [ts + turn * 801 for turn in range(3) for ts in times]


async def test_a_loop_keeps_its_pace(tmp_path: Path) -> None:
    path = write_ticks(tmp_path / "t.ndjson", quote(0), quote(1_999_999))
    clock = FakeClock()
    start = clock.now
    seen: list[int] = []
    async for _ in open_file(path, clock, "x1", loop=True).batches():
        seen.append(clock.now - start)
        if len(seen) == 4:
            break

    assert seen == [0, 1_999_999, 2_000_000, 3_999_999]


async def test_a_loop_over_a_recording_without_ticks_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    Recorder(path).close()

    assert await play(open_file(path, FakeClock(), loop=True)) == []


async def test_the_same_feed_plays_from_the_beginning_each_time(tmp_path: Path) -> None:
    feed = open_file(write_ticks(tmp_path / "t.ndjson", quote(5), quote(6)), FakeClock())

    assert await play(feed) == await play(feed) == [quote(5), quote(6)]


DAMAGED = [
    b"{",
    b"\xff\xfe",
    b"17",
    b"null",
    b'{"type":"quote"}',
    b'{"symbol":"AAPL"}',
    b'{"type":"trade","symbol":"AAPL","price":NaN,"size":1,"side":"buy","ts":1}',
    b'{"type":"trade","symbol":"AAPL","price":1e999,"size":1,"side":"buy","ts":1}',
    b'{"type":"trade","symbol":"AAPL","price":"1","size":1,"side":"buy","ts":1}',
    b'{"type":"trade","symbol":"AAPL","price":1,"size":-1,"side":"buy","ts":1}',
    b'{"type":"trade","symbol":"AAPL","price":1,"size":1,"side":"BUY\\n","ts":1}',
    b'{"type":"trade","symbol":"AAPL","price":1,"size":1,"side":"buy","ts":-1}',
    b'{"type":"trade","symbol":"AAPL","price":1,"size":1,"side":"buy","ts":9007199254740992}',
    b'{"type":"trade","symbol":"AAPL","price":1,"size":1,"side":"buy","ts":1.5}',
    b'{"type":"trade","symbol":"aapl","price":1,"size":1,"side":"buy","ts":1}',
    b'{"type":"trade","symbol":"A\\nB","price":1,"size":1,"side":"buy","ts":1}',
    b'{"type":"quote","symbol":"AAPL","bid":1,"bid_size":1,"ask":1,"ask_size":-0.5,"ts":1}',
    b'{"type":"quote","symbol":"AAPL","bid":1,"bid_size":1,"ask":1,"ask_size":1,"ts":1,"x":"\xff"}',
    b'{"type":"recording","version":2,"instruments":[]}',
    b'{"type":"recording","version":1,"instruments":[{"symbol":"no symbol"}]}',
    b"[" * 100_000,
    b'{"type":"later","x":' + b"[" * 100_000,
]


@pytest.mark.parametrize("line", DAMAGED)
async def test_a_damaged_line_is_counted_and_the_ticks_around_it_play(tmp_path: Path, line: bytes) -> None:
    ticks = [msgspec.json.encode(quote(ts)) for ts in (1, 2)]
    feed = open_file(write(tmp_path / "t.ndjson", ticks[0], line, ticks[1]), FakeClock())

    assert await play(feed) == [quote(1), quote(2)]
    assert feed.statistics()["damaged"] == 1


async def test_damaged_lines_are_logged_once_with_the_number_and_once_with_their_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "t.ndjson", msgspec.json.encode(quote(1)), *DAMAGED)
    with caplog.at_level(logging.WARNING, "feeds.recording"):
        await play(open_file(path, FakeClock()))

    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith(f"{path} line 2 is damaged")
    assert caplog.messages[1] == f"{path}: {len(DAMAGED)} damaged lines in all"


async def test_a_loop_counts_damage_in_each_round_and_logs_that_of_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "t.ndjson", msgspec.json.encode(quote(1)), b"{")
    feed = open_file(path, FakeClock(), loop=True)
    batches = feed.batches()
    for _ in range(5):
        await anext(batches)

    assert feed.statistics()["damaged"] == 5
    assert len(caplog.messages) == 2


async def test_a_damaged_line_can_not_forge_a_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    forged = b'{"type":"trade","symbol":"A","price":1,"size":1,"side":"x\\nERROR forged","ts":1}'
    await play(open_file(write(tmp_path / "t.ndjson", msgspec.json.encode(quote(1)), forged), FakeClock()))

    assert caplog.messages
    assert not any("\n" in message for message in caplog.messages)


async def test_a_crossed_quote_is_what_happened(tmp_path: Path) -> None:
    crossed = Quote("AAPL", 11.0, 1, 10.0, 1, 5)

    assert await play(open_file(write_ticks(tmp_path / "t.ndjson", crossed), FakeClock())) == [crossed]


@in_one_folder
@given(lines=st.lists(st.one_of(TICKS, st.sampled_from(DAMAGED)), min_size=1, max_size=30), zipped=st.booleans())
async def test_whatever_is_damaged_the_ticks_are_those_of_the_other_lines(
    tmp_path: Path, lines: list[Tick | bytes], zipped: bool
) -> None:
    ticks = [quote(0), *(line for line in lines if not isinstance(line, bytes))]
    encoded = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    path = write(tmp_path / ("t.gz" if zipped else "t.ndjson"), msgspec.json.encode(quote(0)), *encoded)
    feed = open_file(path, FakeClock())

    assert await play(feed) == ticks
    assert feed.statistics()["damaged"] == len(lines) + 1 - len(ticks)


@in_one_folder
@given(st.data())
async def test_a_truncated_gzip_plays_every_whole_line_and_ends_with_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    caplog.clear()
    whole = gzip.compress(b"\n".join(capture_lines()[:400]) + b"\n", mtime=0)
    cut = data.draw(st.integers(1_000, len(whole) - 1))
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[:cut])
    readable = zlib.decompressobj(wbits=31).decompress(whole[:cut]).count(b"\n")
    feed = open_file(path, FakeClock())

    played = await play(feed)

    assert len(played) + feed.statistics()["skipped"] == readable
    assert played == capture_ticks()[: len(played)]
    assert feed.statistics()["damaged"] == 1
    assert caplog.messages[0].startswith(f"{path} line {readable + 1} is damaged")


@in_one_folder
@given(st.data())
async def test_a_gzip_with_a_damaged_byte_plays_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(gzip.compress(b"\n".join(capture_lines()[:100]) + b"\n", mtime=0))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged.gz"
    path.write_bytes(whole)
    try:
        feed = open_file(path, FakeClock())
    except BadRecording:
        return
    played = await play(feed)

    assert len(played) <= 100
    assert played == capture_ticks()[: len(played)] or feed.statistics()["damaged"] >= 1


async def test_a_line_beyond_all_measure_is_one_damaged_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gap = b'{"type":"gap","from":null,"to":"5-9","lost":null,"reason":"slow"}'
    lines = [msgspec.json.encode(quote(1)), b"x" * (3 * LINE_LIMIT), msgspec.json.encode(quote(2)), gap]
    feed = open_file(write(tmp_path / "t.ndjson", *lines), FakeClock())

    assert await play(feed) == [quote(1), quote(2)]
    assert feed.statistics()["damaged"] == 1
    assert [message.split(":")[0].split()[2] for message in caplog.messages[:2]] == ["2", "4"]


async def test_blank_lines_and_an_unfinished_last_line_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    path.write_bytes(b"\n" + msgspec.json.encode(quote(1)) + b"\r\n\r\n" + msgspec.json.encode(quote(2)))
    feed = open_file(path, FakeClock())

    assert await play(feed) == [quote(1), quote(2)]
    assert feed.statistics()["damaged"] == 0


async def test_gaps_are_counted_and_logged_and_foreign_records_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gap = b'{"type":"gap","from":"5-1","to":"5-9","lost":9,"reason":"slow"}'
    end = b'{"type":"end","cursor":"5-9","more":false}'
    snapshot = b'{"type":"snapshot","cursor":"5-9","scope":"all","quotes":[],"trades":[]}'
    path = write(tmp_path / "t.ndjson", gap, snapshot, msgspec.json.encode(quote(1)), end)
    feed = open_file(path, FakeClock())

    assert await play(feed) == [quote(1)]
    assert feed.statistics() == {"damaged": 0, "skipped": 2, "gaps": 1}
    assert caplog.messages == [f"{path} line 1: a gap, '5-1' to '5-9'"]


@pytest.mark.parametrize("name", ["t.ndjson", "t.gz", "capture.gz"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"ts,symbol,price\n1723161600001,BTCUSDT,61685.99\n",
        b'{"a":1}\n',
        b'{"type":"FeatureCollection","features":[]}\n',
        b"1723161600001658384 hello\n",
        b"[" * 5_000,
        b"\n".join([b"nothing"] * 70 + [msgspec.json.encode(quote(1))]),
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name == "t.gz" else content)
    with pytest.raises(BadRecording, match=r"^/.* is no recording: .*$") as refused:
        open_file(path, FakeClock())

    assert "\n" not in str(refused.value)


async def test_a_recording_may_begin_with_damaged_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "t.ndjson", *[b"nothing"] * 64, msgspec.json.encode(quote(1)))

    assert await play(open_file(path, FakeClock())) == [quote(1)]


def test_a_missing_file_a_folder_and_a_pipe_are_a_start_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, text in {"missing.gz": "no such file: ", "pipe": " is no file", ".": " is no file"}.items():
        with pytest.raises(StartError, match=text):
            open_file(tmp_path / name, FakeClock())
    with pytest.raises(StartError, match="can't be read"):
        open_file(tmp_path / ("x" * 300), FakeClock())


async def test_a_file_that_goes_away_is_a_feed_error(tmp_path: Path) -> None:
    path = write_ticks(tmp_path / "t.ndjson", quote(1))
    feed = open_file(path, FakeClock())
    path.unlink()
    with pytest.raises(FeedError, match="can't be read"):
        await play(feed)


async def test_instruments_are_replaced_when_a_symbol_or_a_finer_price_comes(tmp_path: Path) -> None:
    ticks: list[Tick] = [*[quote(1, 10.0)] * SLICE_LINES, quote(2, 10.0625), Trade("MSFT", 3.5, 0.25, None, 3)]
    feed = open_file(write_ticks(tmp_path / "t.ndjson", *ticks), FakeClock())
    before = feed.instruments
    seen = [{one.symbol: one.tick_size for one in feed.instruments} async for _ in feed.batches()]

    assert before == (Instrument("AAPL", tick_size=0.01, lot_size=1.0),)
    assert seen == [{"AAPL": 0.01}, {"AAPL": 0.0001, "MSFT": 0.1}]


@in_one_folder
@given(ticks=st.lists(TICKS, max_size=40), name=st.sampled_from(["t.ndjson", "t.ndjson.gz"]), cursors=st.booleans())
async def test_what_the_recorder_wrote_the_feed_plays(
    tmp_path: Path, ticks: list[Tick], name: str, cursors: bool
) -> None:
    path = tmp_path / name
    path.unlink(missing_ok=True)
    instruments = [Instrument(symbol, name="A \u2028 B", tick_size=0.05, reference=1.5) for symbol in SYMBOLS]
    with Recorder(path, instruments) as recorder:
        for seq, tick in enumerate(ticks, 1):
            recorder.write(tick, Cursor(1_763_899_999_000, seq) if cursors else None)
    feed = open_file(path, FakeClock())

    assert feed.instruments == tuple(instruments)
    assert await play(feed) == ticks
    assert feed.instruments == tuple(instruments)
    assert feed.statistics() == {"damaged": 0, "skipped": 0, "gaps": 0}


async def test_the_capture_recorded_and_played_is_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "copy.gz"
    with Recorder(path) as recorder:
        for tick in capture_ticks():
            recorder.write(tick)

    assert await play(open_file(path, FakeClock())) == capture_ticks()


def test_the_recorder_writes_the_servers_json_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    line = b'{"type":"trade","symbol":"AAPL","price":189.44,"size":100,"side":"buy","ts":5,"cursor":"7-1"}'
    with Recorder(path) as recorder:
        recorder.write(line + b"\n")
        recorder.write(Trade("AAPL", 189.44, 100, "buy", 5), Cursor(7, 1))
        recorder.write(Gap("7-2", "7-4", 3, "slow"))

    assert path.read_bytes().splitlines() == [
        b'{"type":"recording","version":1,"instruments":[]}',
        line,
        line,
        b'{"type":"gap","from":"7-2","to":"7-4","lost":3,"reason":"slow"}',
    ]


async def test_instruments_that_come_later_are_known_when_it_plays(tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    new = Instrument("AAPL", name="Apple", tick_size=0.05)
    with Recorder(path) as recorder:
        for ts in range(2 * SLICE_LINES):
            recorder.write(quote(ts))
        recorder.describe([new])
        recorder.write(quote(9_999))
    feed = open_file(path, FakeClock())
    assert new not in feed.instruments

    assert len(await play(feed)) == 2 * SLICE_LINES + 1
    assert feed.instruments == (new,)


@pytest.mark.parametrize("name", ["t.ndjson", "t.gz"])
async def test_what_was_flushed_can_be_played_while_the_recording_goes_on(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with Recorder(path) as recorder:
        recorder.write(quote(1))
        recorder.flush()
        played = await play(open_file(path, FakeClock()))
        recorder.write(quote(2))

    assert played == [quote(1)]
    assert await play(open_file(path, FakeClock())) == [quote(1), quote(2)]


def test_the_recorder_overwrites_nothing_and_says_what_is_wrong(tmp_path: Path) -> None:
    path = write_ticks(tmp_path / "t.gz", quote(1))
    before = path.read_bytes()
    with pytest.raises(StartError, match="is there already"):
        Recorder(path)
    with pytest.raises(StartError, match="can't be written: No such file"):
        Recorder(tmp_path / "no folder" / "t.ndjson")

    assert path.read_bytes() == before


def test_the_recorder_takes_no_record_of_several_lines(tmp_path: Path) -> None:
    with Recorder(tmp_path / "t.ndjson") as recorder, pytest.raises(ValueError, match="one line"):
        recorder.write(b'{"type":\n"quote"}')


async def test_the_feed_type_opens_with_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ticks(tmp_path / "t.ndjson", quote(1), quote(60_000_001))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    context = FeedContext(FakeClock())
    for path in ("t.ndjson", "~/t.ndjson", str(tmp_path / "t.ndjson")):
        feed = RECORDING.open(path, {"speed": "max", "loop": "0"}, context)

        assert feed.name == f"recording:{path}?speed=max&loop=0"
        assert [tick async for batch in feed.batches() for tick in batch] == [quote(1), quote(60_000_001)]
    assert RECORDING.open("t.ndjson", {}, context).name == "recording:t.ndjson"


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("", {}, "needs the path"),
        ("t", {"speed": "x2"}, "speed is one of x1, x10, max, not 'x2'"),
        ("t", {"loop": "yes"}, "loop is 0 or 1, not 'yes'"),
        ("t", {}, "no such file: t"),
    ],
)
def test_a_wrong_option_is_a_start_error(
    path: str, query: dict[str, str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartError, match=text):
        RECORDING.open(path, query, FeedContext(FakeClock()))


def test_the_documented_options_are_the_ones_that_work() -> None:
    assert {option.name: option.default for option in RECORDING.options} == {"speed": "x1", "loop": "0"}
    assert math.isinf(SPEEDS["max"])
