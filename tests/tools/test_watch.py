"""The live table against a fake server: what a terminal shows, and a pipe."""

from __future__ import annotations

import asyncio
import io
import re
from random import Random

import pytest
from rich.console import Console

from tests.client.peer import Peer, hello, quote, snapshot, sse, trade
from ticker.client import ClientError, Quote, Trade, subscribe
from ticker.core.tick import Instrument
from ticker.tools.board import Board, Row
from ticker.tools.watch import Watch, age_text, change_text, choose_columns


def make(width: int = 120, *, terminal: bool = True) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=width, height=12, color_system=None), file


def shown(width: int, board: Board, now: float = 10.0, height: int = 12) -> list[str]:
    console, file = make(width)
    watch = Watch("http://localhost:8000", subscribe("http://localhost:8000", random=Random(1)), board)
    console.print(watch.view(width, height, now))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def filled(count: int = 2) -> Board:
    board = Board([Instrument(f"S{i}", reference=100.0) for i in range(count)])
    for i in range(count):
        board.take(Quote(f"S{i}", 99.0, 1, 101.0, 1, 0), 1.0)
        board.take(Trade(f"S{i}", 101.5 - i * 3, 1, None, 0), 9.5)
    return board


def test_shows_the_state_and_a_row_for_each_symbol() -> None:
    lines = shown(120, filled())

    assert lines[0].startswith("○ connecting  sse  0 ticks/s  no cursor yet  http://localhost:8000")
    assert lines[1].startswith("received 0  missed 0 ticks in 0 gap(s)  replayed 0  reconnects 0")
    assert lines[2].split() == ["symbol", "last", "change", "bid", "ask", "age", "chart"]
    assert lines[3].split() == ["S0", "101.50", "▲", "1.50", "%", "99.00", "101.00", "0.5", "s", "▁█"]
    assert lines[4].split() == ["S1", "98.50", "▼", "1.50", "%", "99.00", "101.00", "0.5", "s", "█▁"]
    assert lines[5] == "Ctrl-C ends"


@pytest.mark.parametrize(
    ("width", "last"), [(110, "chart"), (90, "age"), (55, "age"), (40, "change"), (30, "last"), (5, "last")]
)
def test_a_narrow_terminal_drops_columns(width: int, last: str) -> None:
    assert choose_columns(width)[-1].name == last


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(width, filled()))) <= width


def test_says_how_many_rows_do_not_fit() -> None:
    lines = shown(80, filled(20), height=10)

    assert lines[-1] == "… and 15 more; choose with --symbols"
    assert len(lines) == 9


@pytest.mark.parametrize(("last", "text"), [(None, "-"), (101.0, "▲ 1.00 %"), (99.0, "▼ 1.00 %"), (100.0, "= 0.00 %")])
def test_the_direction_of_a_change_is_a_sign(last: float | None, text: str) -> None:
    assert str(change_text(Row("A", reference=100.0, last=last))) == text


@pytest.mark.parametrize(
    ("changed", "text"),
    [(None, "-"), (9999.5, "0.5 s"), (9958, "42 s"), (9400, "10 min"), (2000, "2 h")],
)
def test_an_age_is_short(changed: float | None, text: str) -> None:
    assert str(age_text(Row("A", changed=changed), 10_000.0)) == text


async def test_paints_what_comes_and_ends_with_a_summary() -> None:
    console, file = make()
    stream = sse(hello("1-1", follows="snapshot"), snapshot("1-1"), trade("1-2"), end="hold")
    async with Peer(stream) as peer, subscribe(peer.url, snapshots=True) as subscription:
        await Watch(peer.url, subscription, Board([])).run(console, seconds=0.7)
    text = file.getvalue()

    assert "\x1b[?1049h" in text
    assert "● live  sse" in text
    assert "1.25" in text
    assert re.search(r"\d live sse \d+ ticks/s cursor 1-2 received 1 replayed 0 duplicates 0 gaps 0 lost 0", text)


async def test_prints_a_line_a_second_where_there_is_no_terminal() -> None:
    console, file = make(terminal=False)
    async with (
        Peer(sse(hello("1-0"), quote("1-1"), quote("1-2"), end="hold")) as peer,
        subscribe(peer.url, cursor="1-0") as subscription,
    ):
        await Watch(peer.url, subscription, Board([])).run(console, seconds=1.2)
    lines = file.getvalue().splitlines()

    assert len(lines) == 2
    assert all("cursor 1-2 received 2" in line for line in lines)


async def test_the_end_of_the_subscription_ends_it() -> None:
    console, _ = make(terminal=False)
    farewell = {"type": "bye", "reason": "replaced", "reconnect": False, "retry": 1}
    async with Peer(sse(hello("1-0"), farewell)) as peer, subscribe(peer.url, cursor="1-0") as subscription:
        with pytest.raises(ClientError, match="replaced"):
            await Watch(peer.url, subscription, Board([])).run(console)


async def test_cancelling_it_leaves_no_task() -> None:
    console, file = make()
    before = asyncio.all_tasks()
    async with Peer(sse(hello("1-0"), quote("1-1"), end="hold")) as peer:
        async with subscribe(peer.url, cursor="1-0") as subscription:
            task = asyncio.create_task(Watch(peer.url, subscription, Board([])).run(console))
            while "● live" not in file.getvalue():  # noqa: ASYNC110  painting is no event
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait({task})
        await peer.wait_left(1)

    assert task.cancelled()
    assert asyncio.all_tasks() == before
    assert "\x1b[?1049l" in file.getvalue()
