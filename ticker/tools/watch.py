"""Watch: a live table of the market in the terminal, or a line a second where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ticker.client import State, Subscription
from ticker.tools.board import CHART_WIDTH, Board, Rate, Row, sparkline

# Repaints a second.
FRAMES = 5
# Lines above the table: state, counts, the names of columns, and one below it.
FRAME_HEIGHT = 5

# The sign and style of each state: the word stands beside them.
_STATES: dict[State, tuple[str, str]] = {
    "connecting": ("○", "yellow"),
    "live": ("●", "green"),
    "replaying": ("»", "cyan"),
    "paused": ("‖", "yellow"),
    "reconnecting": ("○", "red"),
    "refused": ("✕", "red"),
    "closed": ("✕", "red"),
}


@dataclass(frozen=True)
class Column:
    """A column of the table; those of a high rank are dropped first where the terminal is narrow."""

    name: str
    width: int
    rank: int
    cell: Callable[[Row, float], Text]


def _price(value: float | None, row: Row) -> Text:
    return Text("-" if value is None else f"{value:,.{row.digits}f}")


def change_text(row: Row) -> Text:
    """Return the change with its direction as a sign, so that colour is not needed to see it."""
    if row.change is None:
        return Text("-")
    direction = (row.change > 0.005) - (row.change < -0.005)
    sign, style = {1: ("▲", "green"), -1: ("▼", "red"), 0: ("=", "dim")}[direction]
    return Text(f"{sign} {abs(row.change):.2f} %", style=style)


def age_text(row: Row, now: float) -> Text:
    """Return how long ago a row changed."""
    if row.changed is None:
        return Text("-", style="dim")
    age = now - row.changed
    if age < 60:
        return Text(f"{age:.1f} s" if age < 10 else f"{age:.0f} s", style="" if age < 2 else "dim")
    return Text(f"{age // 60:.0f} min" if age < 3600 else f"{age // 3600:.0f} h", style="dim")


COLUMNS = (
    Column("symbol", 12, 0, lambda row, now: Text(row.symbol)),
    Column("last", 13, 0, lambda row, now: _price(row.price, row)),
    Column("change", 10, 1, lambda row, now: change_text(row)),
    Column("bid", 13, 3, lambda row, now: _price(row.bid, row)),
    Column("ask", 13, 3, lambda row, now: _price(row.ask, row)),
    Column("age", 7, 2, lambda row, now: age_text(row, now)),
    Column("chart", CHART_WIDTH, 4, lambda row, now: Text(sparkline(row.prices))),
)


def choose_columns(width: int) -> list[Column]:
    """Return the columns that fit, with two spaces between them."""
    for rank in (4, 3, 2, 1):
        columns = [column for column in COLUMNS if column.rank <= rank]
        if sum(column.width + 2 for column in columns) - 2 <= width:
            return columns
    return [column for column in COLUMNS if column.rank == 0]


class Watch:
    """What is shown of one subscription."""

    def __init__(self, url: str, subscription: Subscription, board: Board) -> None:
        self._url = url
        self._subscription = subscription
        self._board = board
        self._rate = Rate()

    async def run(self, console: Console, seconds: float | None = None) -> None:
        """Show until so many seconds are over, or until it is cancelled; the last line is a summary.

        Raises:
            ClientError: the server will send no more.
        """
        consumer = asyncio.create_task(self._consume(seconds), name="take ticks")
        try:
            await (self._paint(console, consumer) if console.is_terminal else self._print_lines(console, consumer))
        finally:
            consumer.cancel()
            await asyncio.wait({consumer})
            self._print(console)
        consumer.result()

    async def _consume(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for item in self._subscription:
                    self._board.take(item, time.monotonic())

    async def _paint(self, console: Console, consumer: asyncio.Task[None]) -> None:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while not consumer.done():
                live.update(self.view(console.width, console.height, time.monotonic()), refresh=True)
                await asyncio.wait({consumer}, timeout=1 / FRAMES)

    async def _print_lines(self, console: Console, consumer: asyncio.Task[None]) -> None:
        while not (await asyncio.wait({consumer}, timeout=1))[0]:
            self._print(console)

    def _print(self, console: Console) -> None:
        print(self.summary(time.monotonic()), file=console.file, flush=True)

    def summary(self, now: float) -> str:
        """Return the state of the subscription in one line."""
        stream, counts = self._subscription, self._subscription.statistics
        rate = self._rate.update(now, counts.received)
        return (
            f"{time.strftime('%H:%M:%S')} {stream.state} {stream.transport} {rate:.0f} ticks/s "
            f"cursor {stream.cursor or '-'} received {counts.received} replayed {counts.replayed} "
            f"duplicates {counts.duplicates} gaps {counts.gaps} lost {counts.lost} "
            f"violations {counts.violations} reconnects {counts.reconnects}"
        )

    def view(self, width: int, height: int, now: float) -> RenderableType:
        """Return the whole screen."""
        rows = self._board.rows()
        space = max(height - FRAME_HEIGHT, 1)
        hidden = len(rows) - space
        footer = f"… and {hidden} more; choose with --symbols" if hidden > 0 else "Ctrl-C ends"
        table = self._table(rows[:space], choose_columns(width), now)
        return Group(*self._header(now), table, Text(footer, style="dim", no_wrap=True))

    def _header(self, now: float) -> tuple[Text, Text]:
        stream, counts = self._subscription, self._subscription.statistics
        sign, style = _STATES[stream.state]
        rate = self._rate.update(now, counts.received)
        first = Text(no_wrap=True, overflow="ellipsis")
        first.append(f"{sign} {stream.state}", style=f"bold {style}")
        first.append(f"  {stream.transport}  {rate:,.0f} ticks/s  {stream.cursor or 'no cursor yet'}  {self._url}")
        second = Text(no_wrap=True, overflow="ellipsis", style="dim" if not counts.gaps else "")
        second.append(f"received {counts.received:,}  missed {counts.lost:,} ticks in {counts.gaps} gap(s)")
        second.append(f"  replayed {counts.replayed:,}  reconnects {counts.reconnects}")
        second.append(f"  duplicates {counts.duplicates:,}  violations {counts.violations}")
        return first, second

    def _table(self, rows: list[Row], columns: list[Column], now: float) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold underline")
        for column in columns:
            align = "left" if column.name in ("symbol", "chart") else "right"
            table.add_column(column.name, width=column.width, justify=align, no_wrap=True)  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*(column.cell(row, now) for column in columns))
        return table
