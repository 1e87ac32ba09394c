"""The board: rows, charts and rates from items."""

from __future__ import annotations

import pytest

from ticker.client import Gap, Item, Quote, Snapshot, Trade
from ticker.core.tick import Instrument
from ticker.tools.board import CHART_WIDTH, Board, Rate, Row, sparkline


def quote(symbol: str = "A", bid: float = 1.0, ask: float = 2.0) -> Quote:
    return Quote(symbol, bid, 1, ask, 1, 0)


def trade(symbol: str = "A", price: float = 1.5) -> Trade:
    return Trade(symbol, price, 1, "buy", 0)


def test_keeps_the_newest_of_each_symbol_in_order() -> None:
    board = Board([Instrument("A", reference=1.0, tick_size=0.005)])
    items: list[Item] = [quote("B"), quote("A"), trade("A", 1.25), Gap(None, "1-1", None, "slow")]
    for now, item in enumerate(items):
        board.take(item, float(now))
    first, second = board.rows()

    assert (first.symbol, first.price, first.change, first.changed, first.digits) == ("A", 1.25, 25.0, 2.0, 3)
    assert (second.symbol, second.price, second.change, second.changed) == ("B", 1.5, None, 0.0)


def test_a_snapshot_fills_rows_but_is_no_change() -> None:
    board = Board([])
    board.take(Snapshot("1-1", "all", [quote()], [trade()]), 5.0)
    (row,) = board.rows()

    assert (row.last, row.bid, row.ask, row.changed, list(row.prices)) == (1.5, 1.0, 2.0, None, [])


def test_a_name_against_the_rule_is_not_shown() -> None:
    board = Board([])
    board.take(quote("A\x1b[2J"), 0.0)

    assert board.rows() == []


def test_a_row_without_a_price_has_no_change_and_no_chart() -> None:
    board = Board([])
    board.take(Quote("A", 1.0, 1, 2.0, 1, 0), 0.0)
    row = Row("B", reference=1.0)
    row.bid = 1.0

    assert (row.price, row.change) == (None, None)
    assert list(board.rows()[0].prices) == [1.5]


def test_a_chart_has_a_bounded_number_of_prices_at_most_one_a_second() -> None:
    board = Board([])
    for tenth in range(1000):
        board.take(trade(price=float(tenth)), tenth / 10)
    (row,) = board.rows()

    assert len(row.prices) == CHART_WIDTH
    assert row.prices[-1] == 999.0


@pytest.mark.parametrize(
    ("prices", "chart"), [([], ""), ([5], "▄"), ([5, 5], "▄▄"), ([1, 8], "▁█"), ([8, 1, 4.5], "█▁▅")]
)
def test_draws_a_chart(prices: list[float], chart: str) -> None:
    assert sparkline(prices) == chart


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(window=2.0)

    assert [rate.update(float(now), now * 10 if now < 5 else 40) for now in range(10)] == [
        *(0.0, 10.0, 10.0, 10.0, 10.0),
        *(5.0, 0.0, 0.0, 0.0, 0.0),
    ]


def test_keeps_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticker.tools.board.SYMBOLS_LIMIT", 2)
    board = Board([])
    for symbol in "ABC":
        board.take(quote(symbol), 0.0)

    assert [row.symbol for row in board.rows()] == ["A", "B"]


def test_one_side_of_a_book_is_no_price() -> None:
    board = Board([])
    board.take(trade(), 0.0)
    (row,) = board.rows()
    row.last = None
    board._sample(row, 9.0)

    assert list(row.prices) == [1.5]
