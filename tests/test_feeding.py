"""The feeds of a process, with feeds that do as the test says, on a clock that jumps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from feeds import Feed, FeedContext
from tests.support.fake_feed import FakeFeed
from tests.support.tapes import SECOND, quote
from tests.support.virtual_clock import BEGIN, clock, on_virtual_clock
from ticker.bus import MemoryBus
from ticker.core.codes import FeedError, StartError
from ticker.core.tick import Bar, Instrument, Quote, Tick, Trade
from ticker.feeding import Feeding, check
from ticker.market import Market


class Longest(Random):
    """Draws the upper end, so that waits are known."""

    def uniform(self, a: float, b: float) -> float:
        return b


Opener = Callable[[FeedContext], Feed]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Opener | Exception]]:
    """By URL what each opening of a feed gives; the last one again and again."""
    feeds: dict[str, list[Opener | Exception]] = {}

    def open_feed(url: str, context: FeedContext) -> Feed:
        found = feeds[url].pop(0) if len(feeds[url]) > 1 else feeds[url][0]
        if isinstance(found, Exception):
            raise found
        return found(context)

    monkeypatch.setattr("ticker.feeding.open_feed", open_feed)
    return feeds


Shelf = dict[str, list[Opener | Exception]]


def market() -> Market:
    """Return an empty market."""
    return Market(MemoryBus(clock), clock)


@asynccontextmanager
async def running(place: Market, *urls: str) -> AsyncIterator[Feeding]:
    """Open, load and run feeds."""
    feeding = Feeding(urls, place, Longest())
    feeding.open()
    await feeding.load()
    task = asyncio.create_task(feeding.run())
    try:
        yield feeding
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def always(name: str, *script: list[Tick] | Exception) -> list[Opener | Exception]:
    """Return openings that all give a new feed with one script."""
    return [lambda context: FakeFeed(name, script)]


def lists(count: int) -> list[list[Tick]]:
    """Return lists of one tick each."""
    return [[quote()] for _ in range(count)]


def bars(*starts: int) -> list[Bar]:
    """Return bars so many seconds from the beginning."""
    return [Bar("A", "1s", 1, 1, 1, 1, 1, 1, BEGIN + start * SECOND) for start in starts]


@on_virtual_clock
async def test_what_a_feed_brings_is_published_in_order(shelf: Shelf) -> None:
    shelf["a:"] = always("a", [quote("A", 1), quote("A", 2)], [quote("A", 3)])
    place = market()
    async with running(place, "a:") as feeding:
        assert feeding.runs[0].name == "a"
        assert place.tape.ring.newest == 0
        await asyncio.sleep(1.5)
        assert place.tape.ring.newest == 2
        await asyncio.sleep(1)

        assert [entry.tick.bid for entry in place.tape.ring.slice(0, 3)] == [1, 2, 3]  # type: ignore[union-attr]


@on_virtual_clock
async def test_instruments_are_known_before_anything_runs_and_new_ones_before_their_ticks(shelf: Shelf) -> None:
    class Growing(FakeFeed):
        async def batches(self) -> AsyncIterator[list[Tick]]:
            await asyncio.sleep(1)
            self.instruments = (Instrument("A"), Instrument("NEW", name="New"))
            yield [quote("NEW")]

    shelf["a:"] = [lambda context: Growing("a", [])]
    place = market()
    async with running(place, "a:"):
        assert list(place.tape.instruments) == ["A"]
        await asyncio.sleep(2)

        assert place.tape.instruments["NEW"].name == "New"
        assert place.tape.instruments["NEW"].reference == 1.5


@on_virtual_clock
async def test_the_newest_history_is_there_at_once_and_the_rest_is_made_meanwhile_in_a_thread(shelf: Shelf) -> None:
    feed = FakeFeed("a", [[quote("A", ts=BEGIN)]] * 9, [bars(-2, -1), bars(-4, -3), bars(-5)])
    shelf["a:"] = [lambda context: feed]
    place = market()
    feeding = Feeding(["a:"], place, Longest())
    feeding.open()
    await feeding.load()
    assert [bar.ts - BEGIN for bar in place.tape.bars.since("A", "1s", 9)] == [-2 * SECOND, -SECOND]
    task = asyncio.create_task(feeding.run())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(place.tape.bars.since("A", "1s", 9)) == 5
    assert threading.get_ident() not in feed.threads


@on_virtual_clock
async def test_a_feed_that_ends_at_once_still_loads_its_whole_history(shelf: Shelf) -> None:
    shelf["a:"] = [lambda context: FakeFeed("a", [], [bars(number) for number in range(-1, -50, -1)])]
    place = market()
    feeding = Feeding(["a:"], place, Longest())
    feeding.open()
    await feeding.load()
    await feeding.run()

    assert len(place.tape.bars.since("A", "1s", 99)) == 49
    assert feeding.runs[0].state == "ended"


@pytest.mark.parametrize("past", [[RuntimeError("no past")], [["no bar"]], [bars(-1), ["no bar"]]], ids=repr)
@on_virtual_clock
async def test_a_history_that_breaks_leaves_the_ticks(
    shelf: Shelf, caplog: pytest.LogCaptureFixture, past: list[Any]
) -> None:
    class Broken(FakeFeed):
        def history(self) -> Iterable[list[Bar]]:
            for chunk in past:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

    shelf["a:"] = [lambda context: Broken("a", [[quote()]])]
    place = market()
    async with running(place, "a:"):
        await asyncio.sleep(2)

    assert place.tape.ring.newest == 1
    assert "history_failed" in {record.message for record in caplog.records}


@on_virtual_clock
async def test_a_feed_that_dies_is_opened_again_with_growing_waits(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[float] = []

    def open_one(context: FeedContext) -> Feed:
        opened.append(asyncio.get_running_loop().time())
        return FakeFeed("a", [[quote()], FeedError("the line went dead")])

    shelf["a:"] = [open_one]
    place = market()
    async with running(place, "a:"):
        await asyncio.sleep(100)

    # Each runs for 2 s; then it waits for up to 1, 2, 4 … at most 30 s.
    assert opened == [0, 3, 7, 13, 23, 41, 73]
    assert place.tape.ring.newest == 7
    failures = [record for record in caplog.records if record.message == "feed_failed"]
    assert {record.levelname for record in failures} == {"WARNING"}
    assert {record.facts["feed"] for record in failures} == {"a"}  # type: ignore[attr-defined]


@on_virtual_clock
async def test_a_feed_that_ran_for_a_minute_counts_as_mended(shelf: Shelf) -> None:
    opened: list[float] = []

    def open_one(context: FeedContext) -> Feed:
        opened.append(asyncio.get_running_loop().time())
        return FakeFeed("a", [*lists(61 if len(opened) == 4 else 0), FeedError("dead")])

    shelf["a:"] = [open_one]
    async with running(market(), "a:"):
        await asyncio.sleep(100)

    waits = [later - earlier for earlier, later in pairwise(opened)]
    assert waits[:5] == [2, 3, 5, 62 + 1, 3]


@on_virtual_clock
async def test_a_feed_that_cannot_be_opened_again_is_tried_on(shelf: Shelf) -> None:
    good: Opener = lambda context: FakeFeed("a", [[quote()], FeedError("dead")])  # noqa: E731
    shelf["a:"] = [good, StartError("the file is gone"), OSError("disk"), good]
    place = market()
    async with running(place, "a:") as feeding:
        await asyncio.sleep(2.5)
        assert (feeding.runs[0].state, feeding.ready) == ("failed", False)
        await asyncio.sleep(6)
        assert (feeding.runs[0].state, feeding.ready) == ("failed", False)
        await asyncio.sleep(2)
        assert (feeding.runs[0].state, feeding.ready) == ("running", True)

        assert place.tape.ring.newest == 2


@on_virtual_clock
async def test_whatever_a_third_partys_feed_raises_the_others_go_on(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf["bad:"] = always("bad", ZeroDivisionError("oops"))
    shelf["good:"] = always("good", *lists(50))
    place = market()
    async with running(place, "bad:", "good:") as feeding:
        await asyncio.sleep(1.5)
        assert [run.state for run in feeding.runs] == ["failed", "running"]
        assert not feeding.ready
        await asyncio.sleep(29)

        assert place.tape.ring.newest == 30
    broken = [record for record in caplog.records if record.message == "feed_failed"]
    assert broken[0].levelname == "ERROR"
    assert broken[0].exc_info is not None


@on_virtual_clock
async def test_a_feed_that_is_cancelled_from_within_is_opened_again(shelf: Shelf) -> None:
    class Leaking(FakeFeed):
        async def batches(self) -> AsyncIterator[list[Tick]]:
            yield [quote()]
            helper = asyncio.create_task(asyncio.sleep(9))
            await asyncio.sleep(1)
            helper.cancel()
            await helper

    shelf["a:"] = [lambda context: Leaking("a", [])]
    place = market()
    async with running(place, "a:") as feeding:
        await asyncio.sleep(1.5)
        assert (feeding.runs[0].state, feeding.ready) == ("failed", False)
        await asyncio.sleep(1)

        assert place.tape.ring.newest == 2


@on_virtual_clock
async def test_a_feed_that_breaks_when_it_is_cancelled_holds_up_no_end(shelf: Shelf) -> None:
    class Stubborn(FakeFeed):
        async def batches(self) -> AsyncIterator[list[Tick]]:
            yield [quote()]
            try:
                await asyncio.sleep(99)
            except asyncio.CancelledError:
                raise FeedError("the line was closed") from None

    shelf["a:"] = [lambda context: Stubborn("a", [])]
    async with running(market(), "a:"):
        await asyncio.sleep(1)

    assert asyncio.get_running_loop().time() == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_clock
async def test_what_is_no_tick_fails_its_feed_and_changes_nothing(shelf: Shelf) -> None:
    broken: Any = [quote(), {"symbol": "A"}]
    shelf["bad:"] = always("bad", broken)
    shelf["good:"] = always("good", *lists(50))
    place = market()
    async with running(place, "bad:", "good:") as feeding:
        await asyncio.sleep(10.5)

        assert [run.state for run in feeding.runs][1] == "running"
        assert place.tape.ring.newest == 10


@pytest.mark.parametrize(
    "tick",
    [
        None,
        "no tick",
        {"type": "quote", "symbol": "A", "bid": 1, "bid_size": 1, "ask": 2, "ask_size": 1, "ts": BEGIN},
        Bar("A", "1s", 1, 1, 1, 1, 1, 1, BEGIN),
        Quote("A", float("nan"), 1, 2, 1, BEGIN),
        Trade("A", float("inf"), 1, None, BEGIN),
        Trade("A", 1, 1, "up", BEGIN),  # type: ignore[arg-type]
        Trade("A", 1, 1, None, 1.5),  # type: ignore[arg-type]
        Trade("A", 1, 1, None, -1),
        Trade("A", 1, 1, None, 2**53),
        Trade("\ud800", 1, 1, None, BEGIN),
    ],
    ids=repr,
)
def test_what_is_no_tick_is_refused(tick: Any) -> None:
    check([quote(ts=BEGIN)])
    with pytest.raises(FeedError, match="the feed brought what is no tick"):
        check([quote(ts=BEGIN), tick])


@on_virtual_clock
async def test_a_feed_that_has_come_to_its_end_is_not_opened_again_and_is_ready(shelf: Shelf) -> None:
    shelf["a:"] = always("a", [quote()])
    place = market()
    async with running(place, "a:") as feeding:
        await asyncio.sleep(100)

        assert (feeding.runs[0].state, feeding.ready) == ("ended", True)
    assert place.tape.ring.newest == 1


@on_virtual_clock
async def test_before_it_runs_a_feed_is_not_ready(shelf: Shelf) -> None:
    shelf["a:"] = always("a", [quote()])
    feeding = Feeding(["a:"], market(), Longest())
    feeding.open()

    assert (feeding.runs[0].state, feeding.ready) == ("starting", False)
    assert Feeding([], market(), Longest()).ready


@on_virtual_clock
async def test_the_first_opening_may_fail_aloud(shelf: Shelf) -> None:
    shelf["a:"] = [StartError("there is no such file")]
    with pytest.raises(StartError, match="no such file"):
        Feeding(["a:"], market(), Longest()).open()


@on_virtual_clock
async def test_a_feed_knows_the_time_and_whether_it_is_alone(shelf: Shelf) -> None:
    contexts: list[FeedContext] = []

    def open_one(context: FeedContext) -> Feed:
        contexts.append(context)
        return FakeFeed("a", [])

    shelf["a:"] = [open_one]
    place = market()
    Feeding(["a:"], place, Longest()).open()
    Feeding(["a:", "a:"], place, Longest()).open()

    assert [context.alone for context in contexts] == [True, False, False]
    assert contexts[0].clock() == BEGIN
