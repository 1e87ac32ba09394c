"""Arrivals: when ticks come, a Hawkes process with two exponential kernels per symbol.

It is drawn in its cluster form (Hawkes and Oakes 1974): immigrants come at a Poisson rate, and every tick, of whatever
generation, has a Poisson number of children at exponential delays. That is exact in continuous time, costs the same
for any number of symbols, and cannot explode, since a tick has less than one child in the mean.
"""

from __future__ import annotations

import numpy as np

from feeds.universe import Floats, Ints

# Mean children of a tick by kernel, and the mean delay in seconds: the burst after an event, and the busy minute.
FAST_CHILDREN, FAST_DELAY = 0.58, 0.04
SLOW_CHILDREN, SLOW_DELAY = 0.27, 10.0
BRANCHING = FAST_CHILDREN + SLOW_CHILDREN
# A step holds at most so many times its mean number of ticks, and so many more: a limit, met about never.
BURST_FACTOR, BURST_ALLOWANCE = 20, 1000


class Arrivals:
    """Ticks of all symbols in the order of time; ``rates`` are their means per second."""

    def __init__(self, rates: Floats, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rates = rates
        self._mean = float(rates.sum())
        # Times in seconds and symbols of children that are born but not yet due. It begins with as many as a process
        # that has always run has in the mean: the rate is right from the first second.
        fast = self._unborn(FAST_CHILDREN, FAST_DELAY)
        slow = self._unborn(SLOW_CHILDREN, SLOW_DELAY)
        self._times = np.concatenate([fast[0], slow[0]])
        self._symbols = np.concatenate([fast[1], slow[1]])

    def step(self, begin: float, end: float, activity: Floats) -> tuple[Floats, Ints]:
        """Return times and symbols of the ticks from ``begin`` to ``end`` (seconds), in no order.

        ``activity`` is the factor on each symbol's rate of immigrants.
        """
        due = self._times < end
        later = [(self._times[~due], self._symbols[~due])]
        immigrants = self._immigrants(begin, end, activity)
        limit = int(BURST_FACTOR * self._mean * (end - begin)) + BURST_ALLOWANCE
        times = np.concatenate([self._times[due], immigrants[0]])[:limit]
        symbols = np.concatenate([self._symbols[due], immigrants[1]])[:limit]
        born = [(times, symbols)]
        room = limit - len(times)
        while len(times):
            times, symbols = self._children(times, symbols, room)
            due = times < end
            later.append((times[~due], symbols[~due]))
            times, symbols = times[due], symbols[due]
            born.append((times, symbols))
            room -= len(times)
        self._times, self._symbols = _joined(later)
        return _joined(born)

    def _unborn(self, children: float, delay: float) -> tuple[Floats, Ints]:
        count = self._rng.poisson(self._rates * (children * delay))
        return self._rng.exponential(delay, int(count.sum())), np.repeat(np.arange(len(count)), count)

    def _immigrants(self, begin: float, end: float, activity: Floats) -> tuple[Floats, Ints]:
        total = np.cumsum(self._rates * activity)
        count = self._rng.poisson(float(total[-1]) * (1 - BRANCHING) * (end - begin))
        symbols = np.searchsorted(total, self._rng.random(count) * total[-1], side="right")
        return self._rng.uniform(begin, end, count), symbols

    def _children(self, times: Floats, symbols: Ints, room: int) -> tuple[Floats, Ints]:
        """Draw the next generation: a Poisson number in all, each of a parent picked evenly."""
        count = min(self._rng.poisson(BRANCHING * len(times)), max(room, 0))
        parents = self._rng.integers(0, len(times), count)
        mean = np.where(self._rng.random(count) * BRANCHING < FAST_CHILDREN, FAST_DELAY, SLOW_DELAY)
        return times[parents] + mean * self._rng.standard_exponential(count), symbols[parents]


def _joined(pieces: list[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    return np.concatenate([times for times, _ in pieces]), np.concatenate([symbols for _, symbols in pieces])
