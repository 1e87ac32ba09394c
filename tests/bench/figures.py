"""Medians, quantiles and growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import linear_regression, median

__all__ = ["growth", "median", "quantile", "ratio"]


def quantile(values: Sequence[int], share: float) -> int:
    """Return the value of a sorted sequence that so large a share lies at or below; 0 of an empty one.

    >>> quantile([1, 2, 3, 4], 0.5)
    2
    """
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round: a machine's speed drifts, and both of a round drift alike."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return the exponent of the power of x that y grows with, by least squares: 1 is linear, 0 constant.

    >>> growth([(1, 3), (10, 30), (100, 300)])
    1.0
    """
    exponent, _ = linear_regression([math.log(x) for x, _ in points], [math.log(y) for _, y in points])
    return round(exponent, 6)
