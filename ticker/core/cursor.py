"""Cursor: one place in the market's one total order, written ``<epoch>-<seq>``."""

from __future__ import annotations

import re
from typing import NamedTuple

from ticker.core.codes import BadCursor

# Both parts stay exact in a JavaScript number.
LIMIT = 2**53

_CANONICAL = re.compile(r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})", re.ASCII)


class Cursor(NamedTuple):
    """The place of a tick: ``epoch`` in milliseconds since the Unix epoch, ``seq`` counted from 1.

    Cursors order by epoch, then seq. ``Cursor(epoch, 0)`` is the place before the epoch's first tick.
    """

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str, field: str = "cursor") -> Cursor:
        """Read the canonical text of a cursor.

        Raises:
            BadCursor: the text is not two canonical decimals below 2^53 joined by a hyphen.
        """
        match = _CANONICAL.fullmatch(text)
        if match is None:
            raise BadCursor(field)
        cursor = cls(int(match[1]), int(match[2]))
        if cursor.epoch >= LIMIT or cursor.seq >= LIMIT:
            raise BadCursor(field)
        return cursor
