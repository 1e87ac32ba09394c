"""Publish: send a file of ticks to a server, in batches, as fast as it takes them or as fast as they happened."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from ticker.client import Api, ClientError
from ticker.core.codes import Disconnected, StartError, TickerError
from ticker.core.tick import Instrument, Quote, Trade

T = TypeVar("T")

# One request carries at most so many ticks and bytes; the server takes 4 MiB.
BATCH_TICKS = 1000
BATCH_BYTES = 1024 * 1024

# A longer line is an error: a file without a newline must not fill the memory.
LINE_LIMIT = 64 * 1024

# At the speed of the recording, ticks of so many microseconds go together.
SLOT = 50_000

# Refusals in a row that are waited out, and the seconds for one that does not say how many.
ATTEMPTS = 20
RETRY_AFTER = 1.0

# Lines of a recording that hold no tick.
_OTHERS = frozenset({"recording", "gap", "snapshot", "bar", "end"})


class BadLine(TickerError):
    """A line that can't be published; what came before it was."""


class _Quote(Quote, frozen=True, gc=False, tag="quote"):
    """A quote whose time the server may give."""

    ts: int | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]


class _Trade(Trade, frozen=True, gc=False, tag="trade"):
    """A trade whose time the server may give."""

    ts: int | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]


class Other(msgspec.Struct, frozen=True):
    """A line of a recording that is no tick; a header has instruments."""

    type: str
    instruments: list[Instrument] = []


_tick: msgspec.json.Decoder[_Quote | _Trade] = msgspec.json.Decoder(_Quote | _Trade)
_other = msgspec.json.Decoder(Other)


@dataclass(frozen=True)
class Line:
    """One tick of a file."""

    number: int
    data: bytes
    # Microseconds, None if the file leaves it to the server.
    ts: int | None


@dataclass
class Progress:
    """How far a file has come."""

    accepted: int = 0
    skipped: int = 0
    last: str | None = None


class Publisher:
    """One file on its way; ``progress`` can be looked at meanwhile."""

    def __init__(
        self, api: Api, known: Iterable[Instrument], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """``known`` are the server's instruments: what the file says of others is sent before their ticks."""
        self.progress = Progress()
        self._api = api
        self._sleep = sleep
        self._known = {instrument.symbol for instrument in known}
        # Instruments of the file that the server has still to be told of.
        self._new: list[Instrument] = []

    async def run(self, path: Path, *, paced: bool = False) -> None:
        """Publish every tick of a file; ``paced`` keeps the distances of their times.

        Raises:
            StartError: there is no such file, or it can't be read.
            BadLine: a line is no tick, or the server refuses it; the text names it.
            ClientError: the server refuses publishing, or is gone.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for offset, batch in batches(self._lines(path), paced):
            await self._sleep(max(0.0, begin + offset - loop.time()))
            await self._send(batch)

    def _lines(self, path: Path) -> Iterator[Line]:
        for number, data in read_lines(path):
            line = parse_line(number, data)
            if isinstance(line, Line):
                yield line
                continue
            self.progress.skipped += 1
            for instrument in line.instruments:
                if instrument.symbol not in self._known:
                    self._known.add(instrument.symbol)
                    self._new.append(instrument)

    async def _send(self, batch: list[Line]) -> None:
        new, self._new = self._new, []
        for instrument in new:
            await self._patiently(partial(self._api.define, instrument))
        try:
            published = await self._patiently(partial(self._api.publish, b"\n".join(line.data for line in batch)))
        except Disconnected as error:
            raise Disconnected(error.code, f"{_span(batch)} may not have been accepted: {error.message}") from error
        except ClientError as error:
            raise blame(error, batch) from error
        self.progress.accepted += published.accepted
        self.progress.last = published.last

    async def _patiently(self, request: Callable[[], Awaitable[T]]) -> T:
        """Repeat a request while the server asks for patience; one whose answer was lost is not repeated."""
        for _ in range(ATTEMPTS):
            try:
                return await request()
            except Disconnected as error:
                if error.code in ("cut", "unreachable"):
                    raise
                refusal = error
                await self._sleep(error.retry_after or RETRY_AFTER)
        raise refusal


def batches(lines: Iterator[Line], paced: bool) -> Iterator[tuple[float, list[Line]]]:
    """Yield batches with the seconds after the beginning at which each is due: 0 unless paced."""
    batch: list[Line] = []
    size = due = 0  # bytes; microseconds after the first tick
    first: int | None = None
    for line in lines:
        first = line.ts if first is None else first
        slot = due
        if paced and line.ts is not None and first is not None:
            slot = max(due, (line.ts - first) // SLOT * SLOT)
        if batch and (slot > due or len(batch) == BATCH_TICKS or size + len(line.data) > BATCH_BYTES):
            yield due / 1e6, batch
            batch, size = [], 0
        batch.append(line)
        size, due = size + len(line.data) + 1, slot
    if batch:
        yield due / 1e6, batch


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, from 1; decompressed if its name ends in ``.gz``.

    Raises:
        StartError: there is no such file, or it can't be read.
        BadLine: a line is longer than the limit, or the compressed file is damaged.
    """
    number = 0
    try:
        with _open(path) as file:
            while data := file.readline(LINE_LIMIT + 1):
                number += 1
                if len(data) > LINE_LIMIT:
                    raise BadLine(f"{path} line {number} is longer than {LINE_LIMIT} bytes")
                yield number, data.strip()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadLine(f"{path} is damaged after line {number}: {error}") from error
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}") from error


def parse_line(number: int, data: bytes) -> Line | Other:
    """Return a line's tick as the server takes it, or what else a recording holds.

    Raises:
        BadLine: it is no tick.
    """
    if not data:
        return Other("")
    try:
        tick = _tick.decode(data)
    except msgspec.DecodeError as error:
        other = _read_other(data)
        if other is not None and other.type in _OTHERS:
            return other
        raise BadLine(f"line {number} is no tick: {error}") from error
    return Line(number, msgspec.json.encode(tick), None if tick.ts is msgspec.UNSET else tick.ts)


def blame(error: ClientError, batch: list[Line]) -> TickerError:
    """Return an error that names the line, where the server named the index in the batch."""
    place = re.search(r"\[(\d+)\]\.?(.*)", error.field or "")
    if place is None or int(place[1]) >= len(batch):
        return error
    field = f" ({place[2]})" if place[2] else ""
    return BadLine(f"line {batch[int(place[1])].number} is refused: {error.message}{field}")


def _open(path: Path) -> IO[bytes]:
    # A pipe or a device would block, or never end.
    if not path.is_file():
        raise StartError(f"there is no file {path}")
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _read_other(data: bytes) -> Other | None:
    try:
        return _other.decode(data)
    except msgspec.DecodeError:
        return None


def _span(batch: list[Line]) -> str:
    return f"lines {batch[0].number} to {batch[-1].number}"
