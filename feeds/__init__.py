"""Feeds: where ticks come from, opened by a URL such as ``synthetic:?seed=7&rate=200``.

A feed imports ``ticker.core`` and nothing else of the server. Third parties add one through the entry point group
``ticker.feeds``: the entry's name is the URL's scheme, its object a ``FeedType``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ticker.core.tick import Bar, Instrument, Tick

Clock = Callable[[], int]
"""Returns the time in microseconds since the Unix epoch (UTC)."""


class Feed(Protocol):
    """A source of ticks. Opening it does no I/O beyond reading a local file's head."""

    # The URL it was opened with, without secrets.
    name: str
    # What is known of its symbols. A feed that learns of a new one replaces the sequence; its host looks at it before
    # it publishes each batch.
    instruments: Sequence[Instrument]

    def history(self) -> Iterable[list[Bar]]:
        """Yield bars of the time before the first tick: newest chunk first, each chunk oldest bar first.

        Bars with ``closed=False`` are the ones still forming where the ticks begin; they stand in the first chunk.
        The first chunk is awaited before the server is ready, the others are made in the background.
        """
        ...

    def batches(self) -> AsyncIterator[list[Tick]]:
        """Yield ticks in order, in non-empty lists, as they happen.

        Raises:
            FeedError: it can't go on; the host opens it again with backoff.
        """
        ...

    def statistics(self) -> dict[str, int]:
        """Return counts for the metrics, such as ``{"damaged": 1, "skipped": 3044}``."""
        ...


@dataclass(frozen=True)
class FeedContext:
    """What a feed may know of its surroundings."""

    # The time now.
    clock: Clock
    # True if no other feed runs beside it: a recording then keeps its own times.
    alone: bool = True


@dataclass(frozen=True)
class FeedOption:
    """One query parameter of a feed's URL, as ``ticker feeds`` shows it."""

    name: str
    default: str
    help: str


@dataclass(frozen=True)
class FeedType:
    """A kind of feed: its scheme, what it is, its options, and how to open one."""

    scheme: str
    summary: str
    # How a URL of it is written, such as ``recording:PATH?speed=x1``.
    usage: str
    options: tuple[FeedOption, ...]
    # Takes what stands after the scheme: the path, and the query as a dict with one value a key.
    # Raises StartError with one sentence for a wrong option, BadRecording for a file that is no recording.
    open: Callable[[str, dict[str, str], FeedContext], Feed]
