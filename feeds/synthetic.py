"""The feed ``synthetic:``: an invented market that never closes, paced by the clock."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

import numpy as np

from feeds import Clock, FeedContext, FeedOption, FeedType
from feeds.backfill import KEPT_CELLS, LEAST_KEPT, MOST_KEPT, Backfill, Ladder
from feeds.market_model import MarketModel
from feeds.pace import Sleep
from feeds.synthetic_market import SyntheticMarket, initial_levels
from feeds.universe import Stream, make_universe
from ticker.core.codes import StartError
from ticker.core.tick import Bar, Instrument, Tick

SECOND = 1_000_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# 2000 and 2200: within, times stay exact in a JavaScript number and history can't reach before 1970.
EARLIEST, LATEST = 946_684_800 * SECOND, 7_258_118_400 * SECOND

# Seconds between looks at the clock: a tick is late by half of it in the mean.
PACE = 0.015
# The longest sleep when the next tick is far, so that a clock that is set forward is noticed.
LONGEST_SLEEP = 0.25
# Ticks in a list, so that neither the opening of 10,000 symbols nor a burst holds up the loop for long.
LONGEST_LIST = 2000

OPTIONS = (
    FeedOption("seed", "1", "the same seed gives the same market: a whole number from 0 to 2^63 - 1"),
    FeedOption("symbols", "40", "how many instruments there are, 1 to 10000"),
    FeedOption("rate", "200", "mean ticks a second over all symbols, 0.1 to 100000"),
    FeedOption("start", "now", "when the market begins: now, microseconds since 1970, or an ISO time (UTC if unsaid)"),
    FeedOption("period", "1h", "length of a session, whose shape repeats: 60s to 1d, such as 90s, 30m, 1h"),
    FeedOption("history", "30m", "how far back bars are there from the beginning: 0 to 1d, such as 90s, 30m; 0 = none"),
)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Settings:
    """The options of a feed's URL, read; times in microseconds."""

    seed: int
    symbols: int
    rate: float
    start: int
    period: int
    history: int

    @classmethod
    def read(cls, options: dict[str, str], now: int) -> Settings:
        """Read options, with defaults for those left out.

        Raises:
            StartError: an option is unknown, or its value breaks the rule.
        """
        known = {option.name: option.default for option in OPTIONS}
        for name in options.keys() - known.keys():
            raise StartError(f"synthetic: has no option {name!r}; it knows {', '.join(known)}")
        texts = known | options

        def read(name: str, parse: Callable[[str], Value], is_allowed: Callable[[Value], bool]) -> Value:
            try:
                value = parse(texts[name])
            except (ValueError, OverflowError):
                raise _refusal(name, texts[name]) from None
            if not is_allowed(value):
                raise _refusal(name, texts[name])
            return value

        return cls(
            seed=read("seed", _whole, lambda seed: seed < 2**63),
            symbols=read("symbols", _whole, lambda symbols: 1 <= symbols <= 10_000),
            rate=read("rate", _decimal, lambda rate: 0.1 <= rate <= 100_000),
            start=read("start", lambda text: _time(text, now), lambda start: EARLIEST <= start <= LATEST),
            period=read("period", _duration, lambda period: 60 * SECOND <= period <= 86_400 * SECOND),
            history=read("history", _duration, lambda history: history <= 86_400 * SECOND),
        )


class SyntheticFeed:
    """A feed of an invented market, from the time at which it was opened on."""

    def __init__(self, name: str, settings: Settings, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        # What market time is ahead of the clock: 0 unless ``start`` was given.
        self._ahead = settings.start - clock()
        self._universe = make_universe(settings.seed, settings.symbols)
        self._market = SyntheticMarket(self._universe, settings.seed, settings.rate, settings.start, settings.period)
        self.instruments: Sequence[Instrument] = self._universe.instruments(self._backfill().log_reference)
        # Market time up to which ticks were handed out.
        self._reached = settings.start - 1
        # Ticks handed out so far, and steps that were handed out whole because the loop or the machine had stalled.
        self._ticks = 0
        self._late = 0

    def history(self) -> Iterable[list[Bar]]:
        """Yield bars of the time before the first tick: newest chunk first, each chunk oldest bar first."""
        return self._backfill().chunks() if self._settings.history else ()

    async def batches(self) -> AsyncIterator[list[Tick]]:
        """Yield ticks as they happen, in lists of at most ``LONGEST_LIST``; a stall is caught up step by step."""
        while True:
            now = self._clock() + self._ahead
            while self._reached < now:
                # Whoever catches up leaves the loop to others after every list and every step.
                for batch in self._advance(now):
                    yield batch
                    await self._sleep(0)
                await self._sleep(0)
            wait = (self._market.next_ts - self._clock() - self._ahead) / SECOND
            await self._sleep(min(max(wait, PACE), LONGEST_SLEEP))

    def statistics(self) -> dict[str, int]:
        """Return how many ticks there were, and how many steps came late."""
        return {"ticks": self._ticks, "late": self._late}

    def _advance(self, now: int) -> Iterable[list[Tick]]:
        """Go on to ``now``, but not by more than a step."""
        self._late += now - self._reached > self._market.step_length
        self._reached = min(now, self._reached + self._market.step_length)
        ticks = self._market.advance(self._reached)
        self._ticks += len(ticks)
        return (ticks[first : first + LONGEST_LIST] for first in range(0, len(ticks), LONGEST_LIST))

    def _backfill(self) -> Backfill:
        settings = self._settings
        rng = np.random.default_rng((settings.seed, Stream.PAST))
        model = MarketModel(self._universe, initial_levels(self._universe, settings.seed), rng)
        kept = min(MOST_KEPT, max(LEAST_KEPT, KEPT_CELLS // settings.symbols))
        ladder = Ladder(settings.start - settings.history, settings.start, kept)
        return Backfill(self._universe, model, rng, settings.rate, settings.period, ladder)


def open_synthetic(path: str, query: dict[str, str], context: FeedContext) -> SyntheticFeed:
    """Open the feed of an URL.

    Raises:
        StartError: there is a path, or an option is wrong.
    """
    if path:
        raise StartError(f"synthetic: takes options only, such as synthetic:?seed=7, not {path!r}")
    name = "synthetic:" + (f"?{urlencode(query)}" if query else "")
    return SyntheticFeed(name, Settings.read(query, context.clock()), context.clock)


SYNTHETIC = FeedType(
    scheme="synthetic",
    summary="an invented market with the statistics of a real one, the same for the same seed",
    usage="synthetic:?seed=1&symbols=40&rate=200",
    options=OPTIONS,
    open=open_synthetic,
)


def _refusal(name: str, text: str) -> StartError:
    rule = next(option.help for option in OPTIONS if option.name == name)
    return StartError(f"synthetic: option {name} can't be {text[:40]!r}: {rule}")


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,20}", text):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text):
        raise ValueError(text)
    return float(text)


def _duration(text: str) -> int:
    """Read ``0``, ``90s``, ``30m``, ``1.5h`` or ``1d`` as microseconds."""
    if text == "0":
        return 0
    if text[-1:] not in UNITS:
        raise ValueError(text)
    return math.floor(_decimal(text[:-1]) * UNITS[text[-1]] * SECOND)


def _time(text: str, now: int) -> int:
    """Read ``now``, microseconds since the Unix epoch, or an ISO time."""
    if text == "now":
        return now
    if re.fullmatch("[0-9]{9,}", text):
        return _whole(text)
    moment = datetime.fromisoformat(text)
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = zoned - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
