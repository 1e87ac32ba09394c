"""Subscription: which symbols, which types, which bars a client wants, and whether a tick matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ticker.core.codes import BadRequest, BadSymbols
from ticker.core.tick import INTERVALS, SYMBOL, Instrument

TYPES = ("quote", "trade", "bar")
TICK_TYPES = ("quote", "trade")

# Names and patterns in one subscription, by default: what a single client can make the server match every symbol with.
LIMIT = 1000

_PATTERN = re.compile(r"[A-Z0-9*][A-Z0-9._/*-]{0,63}", re.ASCII)
_SECTOR = re.compile(r"sector:[^\x00-\x1f\x7f,]{1,64}")


class Subscription(NamedTuple):
    """One set of patterns, one set of types, one interval of bars; all immutable, so equal ones share their bytes.

    ``symbols`` keeps the order in which the client named them, ``types`` the order of ``TYPES``.
    """

    symbols: tuple[str, ...] = ()
    types: tuple[str, ...] = TICK_TYPES
    interval: str = "1m"

    def add(self, symbols: Sequence[str], types: Sequence[str], limit: int = LIMIT) -> Subscription:
        """Return a subscription with these, too.

        Raises:
            BadSymbols: there would be more than ``limit`` names and patterns.
        """
        together = tuple(dict.fromkeys((*self.symbols, *symbols)))
        _check_count(len(together), limit)
        return self._replace(symbols=together, types=_ordered({*self.types, *types}))

    def remove(self, symbols: Iterable[str], types: Iterable[str]) -> Subscription:
        """Return a subscription without these, patterns taken literally."""
        gone = set(symbols)
        return self._replace(
            symbols=tuple(name for name in self.symbols if name not in gone),
            types=_ordered(set(self.types) - set(types)),
        )


def _ordered(types: set[str]) -> tuple[str, ...]:
    return tuple(name for name in TYPES if name in types)


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise BadSymbols(f"a subscription holds at most {limit} names and patterns, not {count}")


def parse_symbols(names: Sequence[str], limit: int = LIMIT) -> tuple[str, ...]:
    """Check names and patterns and drop repeated ones.

    Raises:
        BadSymbols: one is neither a symbol, nor a pattern of its letters and ``*``, nor ``sector:<name>``, or there
            are more than ``limit``.
    """
    _check_count(len(names), limit)
    for index, name in enumerate(names):
        if not (_PATTERN.fullmatch(name) or _SECTOR.fullmatch(name)):
            rule = "a symbol is up to 32 of A-Z 0-9 . _ / - (a letter or digit first), in patterns * too"
            raise BadSymbols(rule, f"symbols[{index}]")
        if "*" not in name and ":" not in name and not SYMBOL.fullmatch(name):
            raise BadSymbols("a symbol has at most 32 characters", f"symbols[{index}]")
    return tuple(dict.fromkeys(names))


def parse_types(types: Sequence[str]) -> tuple[str, ...]:
    """Check types and put them into the order of ``TYPES``.

    Raises:
        BadRequest: one is unknown.
    """
    for index, name in enumerate(types):
        if name not in TYPES:
            raise BadRequest("types are quote, trade and bar", f"types[{index}]")
    return _ordered(set(types))


def parse_interval(interval: str) -> str:
    """Check an interval of bars.

    Raises:
        BadRequest: it is none of ``INTERVALS``.
    """
    if interval not in INTERVALS:
        raise BadRequest(f"interval is one of {', '.join(INTERVALS)}", "interval")
    return interval


class Pattern:
    """One name, glob or sector, ready to be matched.

    Only ``*`` is special. The text between stars is searched from left to right, so a pattern of many stars costs no
    more than its length times the symbol's.
    """

    def __init__(self, text: str) -> None:
        self._sector = text.removeprefix("sector:") if text.startswith("sector:") else None
        self._first, *self._rest = text.split("*")

    def matches(self, instrument: Instrument) -> bool:
        """Whether the pattern stands for this instrument."""
        if self._sector is not None:
            return instrument.sector == self._sector
        symbol = instrument.symbol
        if not self._rest:
            return symbol == self._first
        return symbol.startswith(self._first) and self._matches_rest(symbol, len(self._first))

    def _matches_rest(self, symbol: str, start: int) -> bool:
        *middle, last = self._rest
        for part in middle:
            found = symbol.find(part, start)
            if found < 0:
                return False
            start = found + len(part)
        return len(symbol) - start >= len(last) and symbol.endswith(last)


class Selection(dict[str, bool]):
    """Whether each symbol matches a list of patterns; looked up once per symbol, then remembered.

    Args:
        symbols: names and patterns.
        instruments: what is known of each symbol; read when a symbol is first met.
    """

    def __init__(self, symbols: Iterable[str], instruments: dict[str, Instrument]) -> None:
        super().__init__()
        self._instruments = instruments
        self._names = {name for name in symbols if "*" not in name and ":" not in name}
        self._patterns = [Pattern(name) for name in symbols if name not in self._names]

    def __missing__(self, symbol: str) -> bool:
        instrument = self._instruments.get(symbol) or Instrument(symbol)
        self[symbol] = symbol in self._names or any(pattern.matches(instrument) for pattern in self._patterns)
        return self[symbol]


def unknown(symbols: Iterable[str], instruments: dict[str, Instrument]) -> list[str]:
    """Return the plain names among ``symbols`` that are no instrument yet."""
    return [name for name in symbols if "*" not in name and ":" not in name and name not in instruments]


def plain_names(symbols: Iterable[str]) -> frozenset[str] | None:
    """Return the symbols if all of them are plain names, else None."""
    names = frozenset(symbols)
    return None if any("*" in name or ":" in name for name in names) else names
