"""Stretch: some ticks that stand together in the ring, as every view reads them: indexed and encoded once for all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set

from ticker.core.ring import Entry, Ring
from ticker.core.tick import Quote
from ticker.core.wire import Codec, Message

# Stretches that are remembered, and the ticks of the longest of them. Thousands of views read the newest one within a
# flush; replays read a few older ones.
REMEMBERED, LONGEST = 16, 1024


class Stretch:
    """The entries after one place up to another."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        # Where in the list the ticks of each symbol stand, and those just before which bars stand; None until asked.
        self._places: dict[str, list[int]] | None = None
        self._closing: list[int] = []
        self._messages: dict[Codec, _Messages] = {}
        self._superseded: dict[int, set[int]] = {}

    def of(self, symbols: Set[str], with_bars: bool) -> list[Entry]:
        """Return the entries of some symbols, and those at which bars of any symbol closed."""
        found = self.places(symbols)
        if with_bars and self._closing:
            found = sorted({*found, *self._closing})
        return [self.entries[place] for place in found]

    def places(self, symbols: Set[str]) -> list[int]:
        """Return where among the entries those of some symbols stand."""
        places = self._index()
        found: list[int] = []
        for symbol in places.keys() & symbols:
            found += places[symbol]
        found.sort()
        return found

    def _index(self) -> dict[str, list[int]]:
        if self._places is None:
            self._places = {}
            for place, entry in enumerate(self.entries):
                self._places.setdefault(entry.tick.symbol, []).append(place)
            self._closing = [place for place, entry in enumerate(self.entries) if entry.bars]
        return self._places

    def messages(self, codec: Codec) -> _Messages:
        """Return the ticks in a client's format, by their places; each is made when it is first looked up."""
        messages = self._messages.get(codec)
        if messages is None:
            messages = self._messages[codec] = _Messages(self.entries, codec)
        return messages

    def superseded(self, window: int) -> set[int]:
        """Return the positions of the quotes that a newer one of the same symbol and window replaces.

        Args:
            window: its length in microseconds.
        """
        found = self._superseded.get(window)
        if found is None:
            found = self._superseded[window] = self._find_superseded(window)
        return found

    def _find_superseded(self, window: int) -> set[int]:
        newest: dict[tuple[int, str], int] = {}
        superseded = set()
        for entry in self.entries:
            if entry.tick.__class__ is Quote:
                key = entry.placed // window, entry.tick.symbol
                if key in newest:
                    superseded.add(newest[key])
                newest[key] = entry.position
        return superseded


class _Messages(dict[int, Message]):
    """The messages of entries by their places among them."""

    def __init__(self, entries: list[Entry], codec: Codec) -> None:
        super().__init__()
        self._entries = entries
        self._codec = codec

    def __missing__(self, place: int) -> Message:
        message = self[place] = self._codec.tick(self._entries[place])
        return message


class Stretches:
    """The stretches of a ring that were read last."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._stretches: OrderedDict[tuple[int, int], Stretch] = OrderedDict()

    def get(self, after: int, to: int) -> Stretch:
        """Return the stretch after one place up to another; both must be kept."""
        stretch = self._stretches.get((after, to))
        if stretch is None:
            stretch = Stretch(self.ring.slice(after, to))
            if to - after <= LONGEST:
                self._stretches[after, to] = stretch
                if len(self._stretches) > REMEMBERED:
                    self._stretches.popitem(last=False)
        return stretch
