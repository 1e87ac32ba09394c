"""The histogram against the sorted list of what it was told."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.tools.load.histogram import LIMIT, STEPS, Histogram, bucket, highest

VALUES = st.lists(st.integers(0, 2**41) | st.integers(0, 300), min_size=1)


@given(VALUES, st.floats(0, 100))
@example([1], 0.0)
@example([1, 2], 50.0)
@example([LIMIT], 100.0)
def test_a_percentile_is_never_below_the_true_one_and_at_most_one_part_in_64_above(
    values: list[int], percent: float
) -> None:
    ordered = sorted(min(value, LIMIT) for value in values)
    true = next(each for rank, each in enumerate(ordered, 1) if rank >= len(ordered) * percent / 100)
    found = Histogram.of(values).percentile(percent)

    assert found is not None
    assert true <= found <= true + true // STEPS


@given(VALUES, VALUES)
def test_two_together_are_one_that_was_told_all(first: list[int], second: list[int]) -> None:
    merged = Histogram(Histogram.of(first).counts())
    merged.merge(Histogram.of(second))

    assert merged.counts() == Histogram.of(first + second).counts()
    assert len(merged) == len(first) + len(second)


@given(st.integers(0, LIMIT))
def test_a_value_lies_in_its_bucket(value: int) -> None:
    index = bucket(value)

    assert highest(index) >= value
    assert index == 0 or highest(index - 1) < value


def test_an_empty_one_knows_nothing() -> None:
    assert Histogram().percentiles(50, 99) == [None, None]
    assert Histogram().counts() == []


@pytest.mark.parametrize(("value", "counted"), [(-5, 0), (2**60, LIMIT)])
def test_a_value_out_of_range_counts_as_the_nearest(value: int, counted: int) -> None:
    assert Histogram.of([value]).percentile(50) == counted
