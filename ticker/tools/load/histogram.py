"""Histogram: how long things took, in fixed buckets, so that a billion of them take no more memory than one. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

# Buckets to each doubling: a value is known to one part in 64. In the manner of HdrHistogram (Tene).
STEPS = 64
_BITS = STEPS.bit_length() - 1

# Twelve days in microseconds: what takes longer counts as so long.
LIMIT = 2**40 - 1


class Histogram:
    """Counts of whole numbers >= 0, such as microseconds.

    The first buckets hold one number each; from 128 on they widen, 64 to each doubling.
    """

    def __init__(self, counts: Sequence[int] = ()) -> None:
        """``counts`` are those of another one, which this goes on with."""
        self._counts = [*counts, *[0] * (bucket(LIMIT) + 1 - len(counts))]

    def add(self, value: int) -> None:
        """Count a value; one below 0 counts as 0, one above the limit as the limit."""
        # The body of ``bucket`` once more: a call for each tick would double its cost.
        value = 0 if value < 0 else min(value, LIMIT)
        shift = max(value.bit_length() - _BITS - 1, 0)
        self._counts[(shift << _BITS) + (value >> shift)] += 1

    def merge(self, other: Histogram) -> None:
        """Count all that another one has counted."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]

    def __len__(self) -> int:
        return sum(self._counts)

    def counts(self) -> list[int]:
        """Return the counts of the buckets up to the last one in use, to make an equal one from."""
        last = max((index for index, count in enumerate(self._counts) if count), default=-1)
        return self._counts[: last + 1]

    def percentile(self, percent: float) -> int | None:
        """Return the highest number of the bucket in which the value of that rank lies; None if there is none.

        The rank is the nearest: at least ``percent`` of a hundred values are not larger. So it is never below the
        true value, and at most one part in 64 above it.
        """
        total = len(self)
        rank, seen = max(1, -int(-total * percent // 100)), 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return highest(index)
        return None

    def percentiles(self, *percents: float) -> list[int | None]:
        """Return several of them."""
        return [self.percentile(percent) for percent in percents]

    @classmethod
    def of(cls, values: Iterable[int]) -> Self:
        """Return one that has counted some values."""
        histogram = cls()
        for value in values:
            histogram.add(value)
        return histogram


def bucket(value: int) -> int:
    """Return the number of the bucket of a value from 0 to the limit."""
    shift = max(value.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (value >> shift)


def highest(index: int) -> int:
    """Return the largest number of a bucket."""
    shift = max((index >> _BITS) - 1, 0)
    return ((index - (shift << _BITS) + 1) << shift) - 1
