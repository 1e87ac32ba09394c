"""MarketModel: returns, volatility and activity of all symbols, one fixed step after the other.

The log-return of a symbol is a sum of three parts: the market's factor, its sector's factor and its own. Each such
*source* has Student-t innovations and a volatility of its own, the exponential of three Ornstein-Uhlenbeck processes
whose shocks are correlated with its returns (leverage), after the figures of Cont 2001, "Empirical properties of asset
returns: stylized facts and statistical issues".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from feeds.universe import Floats, Universe

# Relaxation times in seconds and stationary standard deviations of the three log-volatility scales, shape (3, 1).
TIME_SCALES = np.array([[25.0], [500.0], [9000.0]])
DEVIATIONS = np.array([[0.45], [0.40], [0.30]])
VARIANCE = float((DEVIATIONS**2).sum())
# Correlation of volatility's shocks with returns: a fall makes the market nervous.
LEVERAGE = -0.35
# Degrees of freedom of the innovations; their variance is df / (df - 2).
FREEDOM = 4.0
# No innovation goes beyond so many standard deviations, no log-volatility beyond so much: nothing can explode.
LARGEST_SHOCK = 12.0
LARGEST_LOG_VOLATILITY = 2.5
# Log-activity per unit of log-volatility by scale, shape (3, 1); most on the fastest, so that the mean rate holds
# within hours.
COUPLING = np.array([[1.5], [0.7], [0.0]])
# Most by which a nervous symbol's rate exceeds its mean.
LARGEST_ACTIVITY = 8.0
# Seconds in which a price comes back to where it began: far too slow to see in returns, and enough to keep a market
# that runs for months on its grid.
REVERSION_TIME = 5 * 86_400.0


def seasonal(phase: float) -> float:
    """Return the U-shaped factor of volatility and activity at ``phase`` (0 to 1) of a session; its mean is 1."""
    return 0.7 + 0.9 * (2 * phase - 1) ** 2


class Move(NamedTuple):
    """What one step did, one element a symbol."""

    # Log-returns over the step.
    returns: Floats
    # The standard deviation that they were drawn with.
    scale: Floats
    # Factor of the mean rate of arrivals, mean 1.
    activity: Floats
    # Volatility relative to its mean.
    nervousness: Floats


class MarketModel:
    """The hidden state of the market: three log-volatilities a source.

    Sources are the market, then the sectors, then the symbols' own parts. The slowest scale is one for all: a nervous
    day is nervous everywhere.
    """

    def __init__(self, universe: Universe, levels: Floats, rng: np.random.Generator) -> None:
        self._universe = universe
        self._rng = rng
        # Log-volatilities, shape (3, sources); replaced at each step.
        self._levels = levels
        symbols = np.arange(len(universe.listings))
        # The sources of each symbol, shape (3, symbols).
        self._sources = np.stack([0 * symbols, 1 + universe.sector, 1 + universe.sector_count + symbols])
        # The parts of the sources in each symbol's variance, shape (3, symbols).
        self._shares = universe.loadings**2
        # The mean of exp(normal) is exp(variance / 2); taken off so that mean activity is 1.
        self._activity_offset = float(((COUPLING * DEVIATIONS) ** 2).sum()) / 2 * (self._shares**2).sum(axis=0)

    @staticmethod
    def levels(universe: Universe, rng: np.random.Generator) -> Floats:
        """Draw log-volatilities from their stationary distribution."""
        levels = rng.standard_normal((3, 1 + universe.sector_count + len(universe.listings)))
        levels[-1] = levels[-1, 0]
        return DEVIATIONS * levels

    def step(self, seconds: float, season: float) -> Move:
        """Draw the next step of ``seconds``, ``season`` being the seasonal factor in it."""
        shocks = self._shocks()
        log_volatility = np.clip(self._levels.sum(axis=0), -LARGEST_LOG_VOLATILITY, LARGEST_LOG_VOLATILITY)
        volatility = np.exp(log_volatility - VARIANCE)
        parts = self._universe.loadings * volatility[self._sources]
        unit = self._universe.volatility * (math.sqrt(seconds) * season)
        nervousness = np.sqrt((parts**2).sum(axis=0))
        returns = unit * (parts * shocks[self._sources]).sum(axis=0)
        activity = self._activity(season)
        self._relax(seconds, shocks)
        return Move(returns, unit * nervousness, activity, nervousness)

    def _shocks(self) -> Floats:
        """Draw one Student-t innovation a source, of variance 1."""
        shocks = self._rng.standard_t(FREEDOM, self._levels.shape[1]) * math.sqrt((FREEDOM - 2) / FREEDOM)
        bounded: Floats = np.clip(shocks, -LARGEST_SHOCK, LARGEST_SHOCK)
        return bounded

    def _activity(self, season: float) -> Floats:
        nervous = (COUPLING * self._levels).sum(axis=0)[self._sources]
        activity: Floats = np.exp((self._shares * nervous).sum(axis=0) - self._activity_offset)
        return season * np.minimum(activity, LARGEST_ACTIVITY)

    def _relax(self, seconds: float, shocks: Floats) -> None:
        decay = np.exp(-seconds / TIME_SCALES)
        noise = self._rng.standard_normal(self._levels.shape)
        noise *= math.sqrt(1 - LEVERAGE**2)
        noise += LEVERAGE * shocks
        noise[-1] = noise[-1, 0]
        self._levels = decay * self._levels + DEVIATIONS * np.sqrt(1 - decay**2) * noise
