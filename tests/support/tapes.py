"""Markets for tests of the core: ticks with few words, and tapes that have taken some."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ticker.core.bars import Bars
from ticker.core.ring import Entry, Ring
from ticker.core.stream import Stream
from ticker.core.tape import Batch, Tape
from ticker.core.tick import Quote, Side, Tick, Trade
from ticker.core.wire import Message

EPOCH = 1000
SECOND = 1_000_000
# 2027-01-15 08:00:00 UTC in microseconds: a multiple of every interval.
NOON = 1_800_000_000 * SECOND

Data = dict[str, Any]
"""What an event, an answer or a record says, read back from its bytes."""


def quote(symbol: str = "A", bid: float = 1, ts: int = NOON, ask: float | None = None) -> Quote:
    """Return a quote, by default one wide."""
    return Quote(symbol, bid, 1, bid + 1 if ask is None else ask, 1, ts)


def trade(symbol: str = "A", price: float = 1, ts: int = NOON, size: float = 1, side: Side | None = None) -> Trade:
    """Return a trade of one."""
    return Trade(symbol, price, size, side, ts)


def make_tape(size: int = 100, epoch: int = EPOCH) -> Tape:
    """Return an empty market."""
    return Tape(Ring(size, epoch), Bars())


def put(tape: Tape, *ticks: Tick, placed: int = NOON, epoch: int | None = None) -> None:
    """Give ticks the next places, in a new epoch if that is larger."""
    begins = epoch is not None and epoch > tape.ring.epoch
    first = 1 if begins else tape.ring.seq + 1
    tape.apply(Batch(epoch if epoch is not None else tape.ring.epoch, first, placed, ticks))


def tape_of(*ticks: Tick, size: int = 100) -> Tape:
    """Return a market that has taken ticks, all at one moment."""
    tape = make_tape(size)
    put(tape, *ticks)
    return tape


def records(entries: Iterable[Entry]) -> list[Data]:
    """Read the encodings of entries."""
    return [json.loads(entry.json) for entry in entries]


def read(messages: Sequence[Message]) -> list[Data]:
    """Read what the JSON codec wrote."""
    return [json.loads(message) for message in messages]


def read_raws(raws: Iterable[msgspec.Raw]) -> list[Data]:
    """Read records that stand inside other data."""
    return [json.loads(bytes(raw)) for raw in raws]


def pull_all(stream: Stream, now: int) -> list[Data]:
    """Return all that a stream with the JSON codec has to say at a moment."""
    events: list[Data] = []
    while messages := stream.pull(now):
        events += read(messages)
    return events
