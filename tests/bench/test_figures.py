from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import growth, quantile, ratio
from tests.bench.load import expected


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0, 1)])
def test_a_quantile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert quantile(range(1, 101), share) == value


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile([], 0.5) == 0


def test_a_ratio_does_not_see_the_drift_of_the_machine() -> None:
    assert ratio([1, 2, 3], [2, 4, 6]) == 0.5


def test_growth_of_what_is_constant_is_nothing() -> None:
    assert growth([(10, 5), (100, 5), (1000, 5)]) == 0


def test_growth_with_the_square_is_two() -> None:
    assert growth([(1, 3), (10, 300), (100, 30_000)]) == 2


@given(st.integers(0, 50), st.integers(0, 50), st.sets(st.integers(0, 6), min_size=1))
def test_ticks_of_symbols_that_come_by_turns_are_foreseen(first: int, more: int, wanted: set[int]) -> None:
    last = first + more

    assert expected(first, last, sorted(wanted), 7) == sum(
        (seq - 1) % 7 in wanted for seq in range(first + 1, last + 1)
    )
