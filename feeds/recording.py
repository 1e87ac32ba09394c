"""Recordings: files of ticks that are played as a feed, and the recorder that writes them.

A recording is NDJSON, one record of PROTOCOL.md section 3 or gap a line and a header wherever instruments become known,
or a capture of Binance combined streams, ``<receive time in ns> <frame>`` a line. Names in ``.gz`` are compressed.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast
from urllib.parse import urlencode

import msgspec

from feeds import FeedContext, FeedOption, FeedType
from feeds.catalogue import Catalogue
from feeds.frames import describe_pair
from feeds.pace import Pace, Sleep
from feeds.records import (
    BROKEN,
    SLICE_BYTES,
    SLICE_LINES,
    Gap,
    Header,
    Record,
    decode_capture,
    read_head,
    read_lines,
    recognise,
)
from ticker.core.codes import FeedError, StartError
from ticker.core.cursor import Cursor
from ticker.core.tick import Bar, Instrument, Tick

SPEEDS = {"x1": 1.0, "x10": 10.0, "max": math.inf}

_log = logging.getLogger(__name__)


class Recording:
    """A feed that plays a file: real ticks, in order, paced by their times."""

    def __init__(
        self, path: Path, context: FeedContext, speed: float = 1.0, loop: bool = False, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Look at the head of the file, for its format and its first instruments.

        Raises:
            StartError: there is no such file, or it can't be read.
            BadRecording: it is no recording.
        """
        self.name = f"recording:{path}"
        self._path = path
        self._loop = loop
        self._new_pace = partial(Pace, context, speed, sleep)
        self._sleep = sleep
        # Lines that were damaged, that carry no tick, and that are gaps; a loop counts them in each round.
        self._counts = Counter(damaged=0, skipped=0, gaps=0)
        head = read_head(path)
        self._decode = recognise(path, head)
        self._catalogue = Catalogue(describe_pair if self._decode is decode_capture else Instrument)
        for line in head:
            with suppress(ValueError):
                self._learn(self._decode(line))
        self.instruments: Sequence[Instrument] = self._catalogue.instruments

    def history(self) -> Iterable[list[Bar]]:
        """Return nothing: a recording begins with its first tick."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Return how many lines were ``damaged``, ``skipped`` (depth frames), and ``gaps`` so far."""
        return dict(self._counts)

    async def batches(self) -> AsyncIterator[list[Tick]]:
        """Yield ticks when their times have come, in lists of at most 256, to the end of the file, or in a loop.

        Raises:
            FeedError: the file can't be read any more.
        """
        pace = self._new_pace()
        first_round = True
        while first_round or (self._loop and pace.turn()):
            for ticks in self._slices():
                self.instruments = self._catalogue.instruments
                await self._sleep(0)
                while ticks:
                    batch = await pace.take(ticks)
                    yield batch
                    ticks = ticks[len(batch) :]
            if first_round and self._counts["damaged"]:
                _log.warning("%s: %d damaged lines in all", self._path, self._counts["damaged"])
            first_round = False

    def _slices(self) -> Iterator[list[Tick]]:
        """Yield the file's ticks in file order; a slice has its bound in lines and bytes read, and may be empty."""
        ticks: list[Tick] = []
        number = lines = size = 0
        try:
            for number, line in read_lines(self._path):
                ticks.extend(self._ticks(number, line))
                lines, size = lines + 1, size + len(line)
                if lines >= SLICE_LINES or size >= SLICE_BYTES:
                    yield ticks
                    ticks, lines, size = [], 0, 0
        except BROKEN as error:
            self._count_damaged(number + 1, error)
        except OSError as error:
            raise FeedError(f"{self._path} can't be read: {error.strerror}") from error
        yield ticks

    def _ticks(self, number: int, line: bytes) -> Iterator[Tick]:
        """Yield the line's tick, if it holds one."""
        if not line.strip():
            return
        try:
            record = self._decode(line)
            self._learn(record)
        except ValueError as error:
            self._count_damaged(number, error)
            return
        if isinstance(record, Gap):
            self._counts["gaps"] += 1
            _log.warning("%s line %d: a gap, %r to %r", self._path, number, record.start, record.end)
        elif record is None:
            self._counts["skipped"] += 1
        elif not isinstance(record, Header):
            yield record

    def _learn(self, record: Record) -> None:
        if isinstance(record, Header):
            self._catalogue.declare(record.instruments)
        elif record is not None and not isinstance(record, Gap):
            self._catalogue.observe(record)

    def _count_damaged(self, number: int, error: Exception) -> None:
        self._counts["damaged"] += 1
        if self._counts["damaged"] == 1:
            # The error's text may quote the line: repr keeps its control characters out of the log.
            _log.warning("%s line %d is damaged and skipped: %r", self._path, number, str(error))


class Recorder:
    """Writes a recording; a context manager.

    A recording that was not closed, or was cut, can be played up to the last ``flush``.
    """

    def __init__(self, path: Path, instruments: Iterable[Instrument] = ()) -> None:
        """Make the file and write what is known of the instruments.

        Raises:
            StartError: there is a file of that name, or it can't be made.
        """
        try:
            self._file = _create(path)
        except FileExistsError:
            raise StartError(f"{path} is there already: choose another name, or remove it first") from None
        except OSError as error:
            raise StartError(f"{path} can't be written: {error.strerror}") from None
        self.describe(instruments)

    def describe(self, instruments: Iterable[Instrument]) -> None:
        """Write what is known of instruments, before the ticks of those that are new or have changed."""
        self.write(msgspec.json.encode(Header(1, tuple(instruments))))

    def write(self, record: bytes | Tick | Gap, cursor: Cursor | None = None) -> None:
        """Write a tick, with its cursor if it is known, or a gap, or either as the JSON that the server sent.

        Raises:
            ValueError: the JSON spans several lines.
        """
        line = record.rstrip() if isinstance(record, bytes) else msgspec.json.encode(record)
        if b"\n" in line:
            raise ValueError("a record is one line")
        if cursor is not None:
            line = line[:-1] + b',"cursor":"%s"}' % str(cursor).encode()
        self._file.write(line + b"\n")

    def flush(self) -> None:
        """Hand everything so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _create(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        # Level 6 takes an eighth of the time of the default, 9, for files 9 % larger (tests/data/btcusdt_20240809.gz).
        return cast(IO[bytes], gzip.open(path, "xb", compresslevel=6))
    return path.open("xb")


def _open(path: str, query: dict[str, str], context: FeedContext) -> Recording:
    speed, loop = query.get("speed", "x1"), query.get("loop", "0")
    if not path:
        raise StartError("recording: needs the path of a file, such as recording:ticks.ndjson.gz")
    if speed not in SPEEDS:
        raise StartError(f"recording: speed is one of {', '.join(SPEEDS)}, not {speed!r}")
    if loop not in ("0", "1"):
        raise StartError(f"recording: loop is 0 or 1, not {loop!r}")
    feed = Recording(Path(path).expanduser(), context, SPEEDS[speed], loop == "1")
    feed.name = f"recording:{path}?{urlencode(query)}".rstrip("?")
    return feed


RECORDING = FeedType(
    scheme="recording",
    summary="plays a file that `ticker record` wrote, or a capture of Binance combined streams",
    usage="recording:PATH?speed=x1&loop=1",
    options=(
        FeedOption("speed", "x1", "x1 as recorded, x10 ten times as fast, max as fast as possible"),
        FeedOption("loop", "0", "1 begins again at the end, with times moved on"),
    ),
    open=_open,
)
