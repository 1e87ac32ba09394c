from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.core.limits import Backoff


class Longest(Random):
    """Draws the upper end, so that the ceilings show."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_ceilings_grow_by_the_factor_up_to_the_cap() -> None:
    backoff = Backoff(1, 1.5, 4, Longest())

    assert [backoff.next() for _ in range(6)] == [1, 1.5, 2.25, 3.375, 4, 4]


def test_reset_begins_again_at_the_base() -> None:
    backoff = Backoff(1, 2, 30, Longest())
    for _ in range(4):
        backoff.next()
    backoff.reset()

    assert [backoff.next(), backoff.next()] == [1, 2]


def test_a_base_above_the_cap_waits_the_cap() -> None:
    backoff = Backoff(10, 2, 3, Longest())

    assert [backoff.next(), backoff.next()] == [3, 3]


def test_waits_fill_the_whole_range_below_the_ceiling() -> None:
    backoff = Backoff(8, 1, 8, Random(1))
    waits = [backoff.next() for _ in range(4000)]

    assert 0 <= min(waits) < 0.05
    assert 7.95 < max(waits) <= 8
    assert sum(waits) / len(waits) == pytest.approx(4, rel=0.05)


@settings(deadline=None)
@given(st.floats(0.001, 100), st.floats(1, 10), st.floats(0.001, 1000), st.integers())
def test_no_wait_is_negative_or_above_the_cap_however_many_there_were(
    base: float, factor: float, cap: float, seed: int
) -> None:
    backoff = Backoff(base, factor, cap, Random(seed))

    assert all(0 <= backoff.next() <= cap for _ in range(1100))
