from __future__ import annotations

import numpy as np
import pytest

from feeds.market_model import DEVIATIONS, LARGEST_ACTIVITY, LARGEST_SHOCK, MarketModel, seasonal
from feeds.universe import Universe, make_universe


@pytest.fixture(scope="module")
def universe() -> Universe:
    return make_universe(1, 40)


def model(universe: Universe, seed: int = 1) -> MarketModel:
    rng = np.random.default_rng(seed)
    return MarketModel(universe, MarketModel.levels(universe, rng), rng)


def test_a_session_is_u_shaped_with_mean_1() -> None:
    phases = (np.arange(1000) + 0.5) / 1000
    shape = np.array([seasonal(phase) for phase in phases])

    assert shape.mean() == pytest.approx(1, abs=1e-6)
    assert shape.argmin() in (499, 500)
    assert (np.diff(shape[:500]) < 0).all()
    assert (np.diff(shape[500:]) > 0).all()
    assert seasonal(0) == seasonal(1) > 2 * seasonal(0.5)


def test_the_season_scales_volatility_and_activity(universe: Universe) -> None:
    calm, busy = model(universe).step(0.25, 0.7), model(universe).step(0.25, 1.4)

    np.testing.assert_allclose(busy.scale, 2 * calm.scale)
    np.testing.assert_allclose(busy.returns, 2 * calm.returns)
    np.testing.assert_allclose(busy.activity, 2 * calm.activity)


def test_volatility_and_activity_are_normalised(universe: Universe) -> None:
    market = model(universe)
    moves = [market.step(200, 1) for _ in range(20_000)]
    variance = np.mean([(move.returns / universe.volatility) ** 2 / 200 for move in moves], axis=0)

    # 46 days: the slowest scale of 2.5 hours is the same for all symbols and has 220 independent values in it.
    assert np.median(variance) == pytest.approx(1, rel=0.2)
    assert np.mean([move.activity for move in moves]) == pytest.approx(1, rel=0.05)


def test_nothing_explodes(universe: Universe) -> None:
    rng = np.random.default_rng(1)
    wild = MarketModel(universe, MarketModel.levels(universe, rng) + 50, rng)
    moves = [wild.step(0.25, 1) for _ in range(100)]

    assert max(move.activity.max() for move in moves) <= LARGEST_ACTIVITY
    assert max((np.abs(move.returns) / move.scale).max() for move in moves) <= 3 * LARGEST_SHOCK
    assert max(move.nervousness.max() for move in moves) < 10


def test_levels_start_as_they_stay(universe: Universe) -> None:
    levels = np.hstack([MarketModel.levels(universe, np.random.default_rng(seed)) for seed in range(200)])

    np.testing.assert_allclose(levels.std(axis=1), DEVIATIONS[:, 0], rtol=0.15)
    assert levels[2].reshape(200, -1).std(axis=1) == pytest.approx(0), "the slowest scale is one for all"
