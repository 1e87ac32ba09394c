"""What keeps a peer from asking too much or too often."""

from __future__ import annotations

from random import Random


class Backoff:
    """Waits between attempts: exponential with full jitter.

    The n-th wait is drawn evenly from 0 to ``min(cap, base * factor ** n)`` seconds. Full jitter spreads the return of
    many clients best: whoever was cut at one moment does not come back at one moment (Brooker 2015, "Exponential
    Backoff And Jitter").
    """

    def __init__(self, base: float, factor: float, cap: float, random: Random) -> None:
        """Begin at ``base`` seconds; ``factor`` >= 1 is the growth, ``cap`` the longest wait in seconds."""
        self._base = min(base, cap)
        self._factor = factor
        self._cap = cap
        self._random = random
        # The longest that the coming wait can be; grows with each wait. Kept, since factor ** n would overflow.
        self._ceiling = self._base

    def next(self) -> float:
        """Return how many seconds to wait before the coming attempt."""
        wait = self._random.uniform(0, self._ceiling)
        self._ceiling = min(self._ceiling * self._factor, self._cap)
        return wait

    def reset(self) -> None:
        """Begin again at ``base``, after an attempt that went well."""
        self._ceiling = self._base
