from __future__ import annotations

import numpy as np

from feeds.arrivals import BRANCHING, BURST_ALLOWANCE, BURST_FACTOR, Arrivals
from feeds.universe import Floats

RATES = np.array([40.0, 8.0, 2.0])
CALM = np.ones(3)


def counts(arrivals: Arrivals, steps: int, activity: Floats = CALM, seconds: int = 1) -> Floats:
    """Return how many ticks each symbol has in each step of so many seconds, shape (steps, symbols)."""
    ticks = [arrivals.step(at, at + seconds, activity)[1] for at in range(0, steps * seconds, seconds)]
    return np.array([np.bincount(symbols, minlength=3) for symbols in ticks], float)


def test_mean_rates_are_as_told() -> None:
    found = counts(Arrivals(RATES, np.random.default_rng(1)), 4000)

    np.testing.assert_allclose(found.mean(axis=0), RATES, rtol=0.08)


def test_the_rate_is_right_from_the_first_second() -> None:
    first = [counts(Arrivals(RATES, np.random.default_rng(seed)), 1).sum() for seed in range(400)]

    np.testing.assert_allclose(np.mean(first), RATES.sum(), rtol=0.1)


def test_the_length_of_a_step_does_not_matter() -> None:
    arrivals = Arrivals(RATES, np.random.default_rng(2))
    ends = np.arange(1, 8001) / 4
    total = sum(len(arrivals.step(end - 0.25, end, CALM)[0]) for end in ends)

    np.testing.assert_allclose(total / 2000, RATES.sum(), rtol=0.08)


def test_ticks_lie_within_their_step() -> None:
    arrivals = Arrivals(RATES, np.random.default_rng(3))
    for begin in range(50):
        times, symbols = arrivals.step(begin, begin + 1, CALM)

        assert len(times) == len(symbols)
        assert ((begin <= times) & (times < begin + 1)).all()


def test_variance_over_long_windows_is_that_of_a_branching_process() -> None:
    # Fano factor of a Hawkes process over windows much longer than its memory: 1 / (1 - branching ratio)^2.
    found = counts(Arrivals(RATES, np.random.default_rng(4)), 200, seconds=500)[:, 0]

    np.testing.assert_allclose(found.var() / found.mean(), 1 / (1 - BRANCHING) ** 2, rtol=0.35)


def test_activity_raises_the_rate_of_its_symbol_alone() -> None:
    found = counts(Arrivals(RATES, np.random.default_rng(5)), 4000, np.array([1.0, 3.0, 1.0]))[1000:]

    np.testing.assert_allclose(found.mean(axis=0), RATES * [1, 3, 1], rtol=0.12)


def test_a_step_is_bounded_however_wild_the_activity() -> None:
    arrivals = Arrivals(RATES, np.random.default_rng(6))
    limit = BURST_FACTOR * RATES.sum() + BURST_ALLOWANCE
    for begin in range(60):
        times, _ = arrivals.step(begin, begin + 1, 300 * CALM)

        assert len(times) <= limit
