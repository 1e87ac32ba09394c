from __future__ import annotations

import asyncio
from itertools import pairwise
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import FeedContext
from feeds.synthetic import (
    EARLIEST,
    LATEST,
    LONGEST_LIST,
    LONGEST_SLEEP,
    OPTIONS,
    PACE,
    SYNTHETIC,
    Settings,
    SyntheticFeed,
    open_synthetic,
)
from tests.support.fake_clock import FakeClock
from ticker.core.codes import StartError
from ticker.core.tick import Quote, Tick

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
RULES = {option.name: option.help for option in OPTIONS}


def open_feed(clock: FakeClock, **options: str) -> SyntheticFeed:
    settings = Settings.read({"symbols": "5", "history": "0", **options}, clock())
    return SyntheticFeed("synthetic:", settings, clock, clock.sleep)


async def play(feed: SyntheticFeed, clock: FakeClock, seconds: float) -> list[list[Tick]]:
    """Return the lists that come until so much time has passed."""
    end = clock.now + seconds * SECOND
    batches: list[list[Tick]] = []
    async for batch in feed.batches():
        batches.append(batch)
        if clock.now >= end:
            return batches
    raise AssertionError("a market never ends")


def test_the_defaults_are_those_that_are_documented() -> None:
    assert Settings.read({}, NOW) == Settings(
        seed=1, symbols=40, rate=200, start=NOW, period=3600 * SECOND, history=1800 * SECOND
    )
    assert {option.name: option.default for option in SYNTHETIC.options} == {
        "seed": "1",
        "symbols": "40",
        "rate": "200",
        "start": "now",
        "period": "1h",
        "history": "30m",
    }


def test_the_documented_usage_can_be_opened() -> None:
    scheme, query = SYNTHETIC.usage.split(":?")

    assert scheme == SYNTHETIC.scheme
    assert Settings.read(dict(parse_qsl(query)), NOW) == Settings.read({}, NOW)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "0", 0),
        ("seed", "9223372036854775807", 2**63 - 1),
        ("symbols", "10000", 10_000),
        ("rate", "50000", 50_000),
        ("rate", "0.5", 0.5),
        ("start", "1700000000123456", 1_700_000_000_123_456),
        ("start", "2023-11-14T22:13:20.5Z", 1_700_000_000_500_000),
        ("start", "2023-11-14T22:13:20", 1_700_000_000 * SECOND),
        ("start", "2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND),
        ("start", "2023-11-15", 1_700_006_400 * SECOND),
        ("period", "90s", 90 * SECOND),
        ("period", "1d", 86_400 * SECOND),
        ("history", "0", 0),
        ("history", "1.5h", 5400 * SECOND),
    ],
)
def test_options_are_read(name: str, text: str, value: float) -> None:
    assert getattr(Settings.read({name: text}, NOW), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "-1"),
        ("seed", "9223372036854775808"),
        ("seed", "one"),
        ("seed", "٣"),
        ("symbols", "0"),
        ("symbols", "10001"),
        ("symbols", "4.5"),
        ("rate", "0"),
        ("rate", "100001"),
        ("rate", "nan"),
        ("rate", "1e3"),
        ("start", "yesterday"),
        ("start", "1"),
        ("start", "1700000000"),
        ("start", "9" * 400),
        ("start", "1999-12-31T23:59:59Z"),
        ("start", "2200-01-01T00:00:01Z"),
        ("period", "59s"),
        ("period", "25h"),
        ("period", "1w"),
        ("history", "30"),
        ("history", "-1s"),
        ("history", "2d"),
        ("history", ""),
    ],
)
def test_a_wrong_value_is_refused_with_the_option_the_value_and_the_rule(name: str, text: str) -> None:
    with pytest.raises(StartError) as refused:
        Settings.read({name: text}, NOW)

    assert str(refused.value) == f"synthetic: option {name} can't be {text[:40]!r}: {RULES[name]}"


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(StartError, match=r"no option 'speed'; it knows seed, symbols, rate, start, period, history$"):
        Settings.read({"speed": "x1"}, NOW)


def test_a_path_is_refused() -> None:
    with pytest.raises(StartError, match="takes options only, such as synthetic:\\?seed=7, not 'file'"):
        open_synthetic("file", {}, FeedContext(FakeClock()))


DIGITS = st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{1,3})?[smhd]?\Z")


@given(st.dictionaries(st.sampled_from(list(RULES)), st.text(max_size=30) | DIGITS | st.datetimes().map(str)))
def test_options_are_within_their_ranges_or_refused(options: dict[str, str]) -> None:
    settings = read_or_refusal(options)
    if isinstance(settings, str):
        assert settings.startswith("synthetic: option ")
        assert any(settings.endswith(rule) for rule in RULES.values())
        return
    assert 0 <= settings.seed < 2**63
    assert 1 <= settings.symbols <= 10_000
    assert 0.1 <= settings.rate <= 100_000
    assert EARLIEST <= settings.start <= LATEST
    assert 60 * SECOND <= settings.period <= 86_400 * SECOND
    assert 0 <= settings.history <= 86_400 * SECOND


def read_or_refusal(options: dict[str, str]) -> Settings | str:
    try:
        return Settings.read(options, NOW)
    except StartError as refusal:
        return str(refusal)


def test_the_feed_is_named_after_its_url_and_knows_its_instruments() -> None:
    feed = SYNTHETIC.open("", {"symbols": "12", "seed": "4"}, FeedContext(FakeClock()))

    assert feed.name == "synthetic:?symbols=12&seed=4"
    assert len(feed.instruments) == 12
    assert SYNTHETIC.open("", {}, FeedContext(FakeClock())).name == "synthetic:"


def test_history_ends_where_ticks_begin() -> None:
    # Past a full minute, so that bars are forming.
    clock = FakeClock(NOW + 12_345_678)
    chunks = list(open_feed(clock, history="10m").history())

    assert len(chunks) == 1
    assert min(bar.ts for bar in chunks[0] if not bar.partial) >= clock.now - 600 * SECOND
    assert max(bar.ts for bar in chunks[0]) < clock.now
    assert any(not bar.closed for bar in chunks[0])


def test_no_history_is_no_bars() -> None:
    assert list(open_feed(FakeClock()).history()) == []


def test_history_changes_the_reference_and_no_tick() -> None:
    clock = FakeClock()
    with_bars, without = open_feed(clock, history="1h"), open_feed(clock)

    assert [one.reference for one in with_bars.instruments] != [one.reference for one in without.instruments]
    assert with_bars._market.advance(clock.now + SECOND) == without._market.advance(clock.now + SECOND)


async def test_ticks_come_when_they_are_due_in_short_lists() -> None:
    clock = FakeClock()
    feed, start, late = open_feed(clock, rate="2000"), clock.now, []
    async for batch in feed.batches():
        late += [clock.now - tick.ts for tick in batch]
        if clock.now >= start + 10 * SECOND:
            break

    assert min(late) >= 0
    assert max(late) <= (PACE + 0.001) * SECOND
    assert len(late) == pytest.approx(20_000, rel=0.4)
    assert len(clock.waits) > 10 / (2 * PACE)


async def test_where_little_happens_it_sleeps_until_the_next_tick() -> None:
    clock = FakeClock()
    batches = await play(open_feed(clock, rate="1"), clock, 200)
    gaps = [after[0].ts - before[-1].ts for before, after in pairwise(batches)]

    assert all(batches)
    assert max(clock.waits) <= LONGEST_SLEEP
    assert max(gaps) > SECOND
    # A look at the clock every 15 ms would be 13,000.
    assert len(clock.waits) < 2500


async def test_the_first_list_is_the_opening_and_every_list_is_bounded() -> None:
    clock = FakeClock()
    batches = await play(open_feed(clock, symbols="10000"), clock, 0.05)
    opening = batches[: 10_000 // LONGEST_LIST]

    assert [len(batch) for batch in opening] == [LONGEST_LIST] * 5
    assert all(isinstance(tick, Quote) and tick.ts == batches[0][0].ts for batch in opening for tick in batch)


async def test_a_stall_is_caught_up_in_bounded_lists_with_turns_for_others() -> None:
    clock = FakeClock()
    feed = open_feed(clock, rate="1000")
    batches = aiter(feed.batches())
    before = [await anext(batches) for _ in range(3)]
    assert feed.statistics()["late"] == 0

    clock.now += 120 * SECOND
    clock.waits.clear()
    after: list[list[Tick]] = []
    while not after or after[-1][-1].ts < clock.now - SECOND // 4:
        after.append(await anext(batches))
    ticks = [tick for batch in before + after for tick in batch]

    assert len(after) > 400
    assert max(len(batch) for batch in after) <= LONGEST_LIST
    assert clock.waits.count(0) >= len(after) - 1
    assert [tick.ts for tick in ticks] == sorted(tick.ts for tick in ticks)
    assert msgspec.json.encode(ticks) == msgspec.json.encode(
        open_feed(FakeClock(), rate="1000")._market.advance(ticks[-1].ts)[: len(ticks)]
    )
    assert feed.statistics() == {"ticks": len(ticks), "late": pytest.approx(480, abs=5)}


async def test_a_stall_in_which_nothing_happened_gives_turns_to_others_too() -> None:
    clock = FakeClock()
    batches = aiter(open_feed(clock, symbols="1", rate="0.1").batches())
    await anext(batches)
    clock.now += 600 * SECOND
    while (await anext(batches))[-1].ts < clock.now - 60 * SECOND:
        pass

    assert clock.waits.count(0) > 2000


async def test_a_clock_that_goes_back_stops_the_market_and_repeats_nothing() -> None:
    clock = FakeClock()
    feed, times = open_feed(clock), []
    async for batch in feed.batches():
        times += [tick.ts for tick in batch]
        if len(times) == len(set(times)) and 500 < len(times) < 600:
            clock.now -= 2 * SECOND
        if len(times) > 1500:
            break

    assert times == sorted(times)


async def test_a_given_start_is_when_the_market_begins_whatever_the_clock() -> None:
    clock = FakeClock()
    batches = await play(open_feed(clock, start="2020-02-29T00:00:00Z"), clock, 2)
    begin = 1_582_934_400 * SECOND

    assert batches[0][0].ts == begin
    assert 1.8 * SECOND < batches[-1][-1].ts - begin < 2.1 * SECOND


async def test_it_runs_on_the_real_clock_and_stops_when_cancelled() -> None:
    feed = SYNTHETIC.open("", {"symbols": "3", "history": "0"}, FeedContext(lambda: NOW))
    batches = feed.batches()
    first = await anext(batches)
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    waiting.cancel()

    assert len(first) >= 3
    with pytest.raises(asyncio.CancelledError):
        await waiting
