"""View: what all clients with the same filter and the same format read, made once for all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from ticker.core.cursor import Cursor
from ticker.core.framing import Shared
from ticker.core.ring import ClosedBar, Entry, Ring
from ticker.core.stretch import LONGEST, Stretch, Stretches
from ticker.core.subscription import Selection, Subscription, plain_names
from ticker.core.tick import Instrument, Quote
from ticker.core.wire import Codec, Message, encode_items

# Ticks that one chunk is looked for in. Chunks of a replay end at multiples of it, so clients that come back with
# different cursors soon read the same chunks; it also bounds what one client makes the loop do at a time.
STRIDE = 512

# Chunks that a view remembers: the newest flush and a few stretches of replays.
REMEMBERED = 8


class Selected(NamedTuple):
    """What matches in a stretch of the stream."""

    # Ticks and bars in the order of the stream.
    items: list[Entry | ClosedBar]
    # The last place looked at.
    to: int
    # How many of the items are quotes and trades.
    ticks: int


class Chunk(NamedTuple):
    """A stretch of the stream in a client's format."""

    messages: Sequence[Message]
    # The last place looked at: where the next chunk begins.
    to: int
    # How many quotes and trades are in it.
    ticks: int
    # The last place that it names, which a client then holds; None if it names none.
    known: Cursor | None


class Filter(NamedTuple):
    """What matches: every one of these subscriptions at once.

    There is more than one only while a client still waits for what was due before it changed its subscription.
    """

    subscriptions: tuple[Subscription, ...]
    # Windows of conflation in milliseconds; 0 is off.
    conflate: int = 0


class View:
    """One filter over the ring, with the chunks that were made of it last."""

    def __init__(
        self, stretches: Stretches, instruments: dict[str, Instrument], wanted: Filter, codec: Codec, batched: bool
    ) -> None:
        self.wanted = wanted
        self._stretches = stretches
        self._ring = stretches.ring
        self._codec = codec
        self._batched = batched
        self._selections = [Selection(each.symbols, instruments) for each in wanted.subscriptions]
        kinds = set.intersection(*(set(each.types) for each in wanted.subscriptions))
        self._quotes, self._trades = "quote" in kinds, "trade" in kinds
        intervals = {each.interval for each in wanted.subscriptions}
        self._interval = intervals.pop() if "bar" in kinds and len(intervals) == 1 else None
        self._window = wanted.conflate * 1000
        # The names that alone can match, if there are no patterns.
        self._names = plain_names(wanted.subscriptions[0].symbols)
        # Whether the ticks of a symbol that matches are sent, all of them, and nothing else.
        self._takes_ticks = kinds >= {"quote", "trade"} and not self._interval and not self._window
        self._takes_all = self._takes_ticks and all("*" in each.symbols for each in wanted.subscriptions)
        # Whether all ticks of a few names are sent as they are, the commonest of thousands of different views.
        self._is_narrow = (
            self._takes_ticks and not batched and self._names is not None and len(wanted.subscriptions) == 1
        )
        self._chunks: OrderedDict[tuple[Cursor | None, int, int], Chunk] = OrderedDict()

    def matches(self, symbol: str) -> bool:
        """Whether a symbol is subscribed."""
        return all(selection[symbol] for selection in self._selections)

    def wants(self, symbol: str, kind: str) -> bool:
        """Whether the ticks of a kind (``quote`` or ``trade``) of a symbol are subscribed."""
        return (self._quotes if kind == "quote" else self._trades) and self.matches(symbol)

    def forget(self) -> None:
        """Match all symbols anew: an instrument has changed."""
        for selection in self._selections:
            selection.clear()
        self._chunks.clear()

    def select(self, after: int, to: int, limit: int | None = None) -> Selected:
        """Return what matches after one place up to another, at most ``limit`` ticks.

        With conflation ``to`` must be the end of a window; ``after`` may lie within one.
        """
        stretch = self._stretches.get(after, to)
        if self._takes_all and len(stretch.entries) <= (limit or len(stretch.entries)):
            return Selected([*stretch.entries], to, len(stretch.entries))
        superseded = stretch.superseded(self._window) if self._window else ()
        matches = self._selections[0].__getitem__ if len(self._selections) == 1 else self.matches
        items: list[Entry | ClosedBar] = []
        count = 0
        for entry in self._candidates(stretch):
            tick = entry.tick
            if entry.bars and self._interval:
                items += [bar for bar in entry.bars if bar.bar.interval == self._interval and matches(bar.bar.symbol)]
            wanted = self._quotes if tick.__class__ is Quote else self._trades
            if wanted and matches(tick.symbol) and entry.position not in superseded:
                items.append(entry)
                count += 1
                if count == limit:
                    return Selected(items, entry.position, count)
        return Selected(items, to, count)

    def _candidates(self, stretch: Stretch) -> list[Entry]:
        """Return what may match, without looking at every tick for each view."""
        if self._names is None or not len(self._names) < len(stretch.entries) <= LONGEST:
            return stretch.entries
        return stretch.of(self._names, self._interval is not None)

    def chunk(self, known: Cursor, after: int, limit: int) -> Chunk:
        """Return what follows a place, up to ``limit`` and at most a bounded number of ticks on.

        Args:
            known: the place that the client holds; nothing between it and ``after`` matches.
            after: the place where the client's last chunk ended.
            limit: the last place that may be sent; later than ``after``.
        """
        to = self._window_end(min(limit, after - after % STRIDE + STRIDE), limit)
        if self._is_narrow and len(self._names or ()) < to - after:
            return self._narrow(after, to)
        key = (known if self._batched else None, after, to)
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._chunks[key] = self._encode(known, after, to)
            if len(self._chunks) > REMEMBERED:
                self._chunks.popitem(last=False)
        return chunk

    def _window_end(self, position: int, limit: int) -> int:
        """Return the end of the window that a tick lies in, at most ``limit``: a window is conflated as a whole."""
        if not self._window or position == limit:
            return position
        placed = self._ring[position].placed
        return min(limit, self._ring.placed_before(placed - placed % self._window + self._window))

    def _encode(self, known: Cursor, after: int, to: int) -> Chunk:
        selected = self.select(after, to, 2 * STRIDE)
        items, end = selected.items, self._ring.cursor(selected.to)
        if self._batched:
            batches, names = encode_items(self._codec, items, known, end)
            return Chunk(Shared(batches), selected.to, selected.ticks, names)
        made, codec = self._stretches.get(after, to).messages(self._codec), self._codec
        first = after + 1
        messages = [codec.bar(item) if isinstance(item, ClosedBar) else made[item.position - first] for item in items]
        last = next((item for item in reversed(items) if isinstance(item, Entry)), None)
        held = self._ring.cursor(last.position) if last is not None else None
        return Chunk(Shared(messages), selected.to, selected.ticks, held)

    def _narrow(self, after: int, to: int) -> Chunk:
        """Return a chunk of a few names; where each client has a view of its own, this is all that is done for it."""
        stretch = self._stretches.get(after, to)
        assert self._names is not None
        places = stretch.places(self._names)
        if not places:
            return Chunk((), to, 0, None)
        made = stretch.messages(self._codec)
        known = self._ring.cursor(after + 1 + places[-1])
        return Chunk(tuple([made[place] for place in places]), to, len(places), known)


class Views:
    """The views that clients use now; one that nobody uses any more is gone."""

    def __init__(self, ring: Ring, instruments: dict[str, Instrument]) -> None:
        self._stretches = Stretches(ring)
        self._instruments = instruments
        self._views: WeakValueDictionary[tuple[Filter, Codec, bool], View] = WeakValueDictionary()

    def get(self, wanted: Filter, codec: Codec, batched: bool) -> View:
        """Return the view that all clients with this filter and format share."""
        key = wanted, codec, batched
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = View(self._stretches, self._instruments, wanted, codec, batched)
        return view

    def forget(self) -> None:
        """Match all symbols anew: an instrument has changed."""
        for view in self._views.values():
            view.forget()

    def __len__(self) -> int:
        return len(self._views)
