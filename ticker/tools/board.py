"""Board: the newest of each symbol, as a terminal shows it, and the counts of a subscription. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ticker.client import Item, Quote, Snapshot, Trade
from ticker.core.tick import SYMBOL, Instrument

# Symbols that are kept: what a server has at most.
SYMBOLS_LIMIT = 10_000
# Prices of a row's chart, at most one each so many seconds.
CHART_WIDTH = 20
CHART_STEP = 1.0

_BARS = "▁▂▃▄▅▆▇█"


@dataclass
class Row:
    """One symbol. Prices are None until there is one."""

    symbol: str
    reference: float | None = None
    tick_size: float = 0.01
    last: float | None = None
    bid: float | None = None
    ask: float | None = None
    # When it last changed here, in seconds of the board's clock.
    changed: float | None = None
    # The last prices, oldest first, and when the newest one began.
    prices: deque[float] = field(default_factory=lambda: deque(maxlen=CHART_WIDTH))
    sampled: float = float("-inf")

    @property
    def price(self) -> float | None:
        """The last trade's price; the middle of bid and ask until there is one."""
        if self.last is None and self.bid is not None and self.ask is not None:
            return (self.bid + self.ask) / 2
        return self.last

    @property
    def change(self) -> float | None:
        """The change from the reference in per cent."""
        if self.price is None or not self.reference:
            return None
        return (self.price / self.reference - 1) * 100

    @property
    def digits(self) -> int:
        """Decimals of a price on the symbol's tick grid."""
        text = f"{self.tick_size:.9f}".rstrip("0")
        return len(text.partition(".")[2])


class Board:
    """Takes items, keeps rows."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._rows: dict[str, Row] = {}
        # Whether the rows have to be sorted before they are shown.
        self._sorted = True

    def take(self, item: Item, now: float) -> None:
        """Take an item that came at ``now``, in seconds; a snapshot is no change."""
        match item:
            case Quote() | Trade():
                self._put(item, now)
            case Snapshot(quotes=quotes, trades=trades):
                ticks: list[Quote | Trade] = [*quotes, *trades]
                for tick in ticks:
                    self._put(tick, None)

    def rows(self) -> list[Row]:
        """Return all rows, by symbol."""
        if not self._sorted:
            self._rows = dict(sorted(self._rows.items()))
            self._sorted = True
        return list(self._rows.values())

    def _put(self, tick: Quote | Trade, now: float | None) -> None:
        row = self._row(tick.symbol)
        if row is None:
            return
        if isinstance(tick, Trade):
            row.last = tick.price
        else:
            row.bid, row.ask = tick.bid, tick.ask
        if now is not None:
            row.changed = now
            self._sample(row, now)

    def _row(self, symbol: str) -> Row | None:
        """Return a symbol's row; None for one that is against the rule (it may hold a terminal's commands)."""
        row = self._rows.get(symbol)
        if row is None and SYMBOL.fullmatch(symbol) and len(self._rows) < SYMBOLS_LIMIT:
            instrument = self._instruments.get(symbol, Instrument(symbol))
            row = self._rows[symbol] = Row(symbol, instrument.reference, instrument.tick_size)
            self._sorted = False
        return row

    def _sample(self, row: Row, now: float) -> None:
        if row.price is None:
            return
        if row.prices and now - row.sampled < CHART_STEP:
            row.prices[-1] = row.price
        else:
            row.prices.append(row.price)
            row.sampled = now


class Rate:
    """Events a second, over the last few seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque(maxlen=100)

    def update(self, now: float, count: int) -> float:
        """Take a count that only rises, at ``now``; return its growth a second."""
        while len(self._samples) > 1 and now - self._samples[0][0] > self._window:
            self._samples.popleft()
        self._samples.append((now, count))
        begin, first = self._samples[0]
        return (count - first) / (now - begin) if now > begin else 0.0


def sparkline(prices: Iterable[float]) -> str:
    """Return a tiny chart, the lowest price as the lowest bar.

    >>> sparkline([1, 2, 3])
    '▁▅█'
    """
    values = list(prices)
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high == low:
        return _BARS[3] * len(values)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in values)
