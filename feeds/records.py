"""Records: what a line of a recording can hold, in either of its two formats."""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from feeds.frames import decode_frame
from ticker.core.codes import BadRecording, StartError
from ticker.core.cursor import LIMIT
from ticker.core.tick import Instrument, Quote, Tick, Trade

# Lines and bytes that are read in one go, about 2 ms of the loop's time; a list of ticks is never longer.
SLICE_LINES = 256
SLICE_BYTES = 256 * 1024
# So many lines may be damaged before the first that shows the format.
DAMAGED_HEAD = 64
# A longer line is damaged. It is read in pieces, so that a file without a newline can't fill the memory.
LINE_LIMIT = 1024 * 1024


# How a compressed file ends that was cut, or damaged in its middle.
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)


class Gap(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}, tag_field="type", tag="gap"):
    """Ticks that the recorder did not get: ``gap`` of PROTOCOL.md section 4, with cursors as text."""

    start: str | None
    end: str
    lost: int | None
    reason: str


class Header(msgspec.Struct, frozen=True, tag_field="type", tag="recording"):
    """What is known of the symbols from here on; the first line of a recording that we wrote."""

    version: Literal[1]
    instruments: tuple[Instrument, ...]


class _Other(msgspec.Struct):
    type: str


Record = Tick | Gap | Header | None
"""What a line holds; None for what may stand in a recording and is of no use to a player, such as a snapshot."""

_record: msgspec.json.Decoder[Tick | Gap | Header] = msgspec.json.Decoder(Quote | Trade | Gap | Header)
_other = msgspec.json.Decoder(_Other)


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield a file's lines with their numbers, decompressed if the name ends in ``.gz``.

    Of a line above ``LINE_LIMIT`` only its beginning comes, then blank pieces under the same number.

    Raises:
        OSError: the file can't be read; ``gzip.BadGzipFile`` if it is no gzip or its checksum is wrong.
        EOFError, zlib.error: the gzip is truncated or damaged; all whole lines before have come.
    """
    number, begins = 0, True
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        while piece := file.readline(LINE_LIMIT):
            number += begins
            yield number, piece if begins else b""
            begins = piece.endswith(b"\n")


def decode_record(line: bytes) -> Record:
    """Read a line of NDJSON.

    Raises:
        ValueError: it is damaged, or a tick breaks a rule. A crossed quote is no damage: the market did it.
    """
    try:
        record = _decode(line.decode())
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if isinstance(record, Quote | Trade):
        _check(record)
    return record


def decode_capture(line: bytes) -> Record:
    """Read a line of a capture, ``<receive time in ns> <frame>``; a tick's time is when its frame was received.

    Raises:
        ValueError: it is damaged.
    """
    received, _, frame = line.partition(b" ")
    if not (received.isdigit() and len(received) <= 19 and int(received) < LIMIT * 1000):
        raise ValueError("it does not begin with a time in nanoseconds")
    return decode_frame(frame, int(received) // 1000)


def read_head(path: Path) -> list[bytes]:
    """Read the first lines of a file, at most a slice.

    Raises:
        StartError: there is no such file, or it can't be read.
    """
    lines: list[bytes] = []
    size = 0
    try:
        # A pipe would block, a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise StartError(f"{path} is no file")
        for _, line in read_lines(path):
            lines.append(line)
            size += len(line)
            if len(lines) >= SLICE_LINES or size >= SLICE_BYTES:
                break
    except BROKEN:
        return lines
    except FileNotFoundError:
        raise StartError(f"no such file: {path}") from None
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}") from None
    return lines


def recognise(path: Path, head: list[bytes]) -> Callable[[bytes], Record]:
    """Return the decoder for a file's lines, by the first that is whole.

    Raises:
        BadRecording: it is no recording.
    """
    for line in head[: DAMAGED_HEAD + 1]:
        with suppress(ValueError):
            if decode_record(line) is not None:
                return decode_record
        with suppress(ValueError):
            decode_capture(line)
            return decode_capture
    raise BadRecording(f"{path} is no recording: it begins neither with ticks as NDJSON nor with captured frames")


def _decode(line: str) -> Record:
    try:
        return _record.decode(line)
    except msgspec.ValidationError:
        if _other.decode(line).type in ("quote", "trade", "gap", "recording"):
            raise
        return None


def _check(tick: Tick) -> None:
    smallest = tick.size if isinstance(tick, Trade) else min(tick.bid_size, tick.ask_size)
    if smallest < 0:
        raise ValueError("a size is negative")
    if not 0 <= tick.ts < LIMIT:
        raise ValueError("ts is out of range")
