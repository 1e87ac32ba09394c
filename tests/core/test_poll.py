"""What a poll answers: PROTOCOL.md section 6, by sentence."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, Data, make_tape, put, quote, read_raws, tape_of, trade
from ticker.core.cursor import Cursor
from ticker.core.follower import FUTURE_WAIT, Start
from ticker.core.poll import Answer, Poll
from ticker.core.session import Session, Wish
from ticker.core.tape import Tape
from ticker.core.wire import JSON, MSGPACK

MS = 1000


def make_session(*symbols: str, types: tuple[str, ...] = ("quote", "trade"), interval: str = "1m") -> Session:
    """Return a session with a subscription, by default of everything."""
    session = Session("s" * 16, "me")
    session.take_query(Wish(symbols or ("*",), types, interval), default=())
    return session


class Client:
    """Asks again and again with the cursor of its last answer."""

    def __init__(self, tape: Tape, session: Session | None = None, start: Start = None, limit: int = 1000) -> None:
        self.tape = tape
        self.session = session or make_session()
        self.start = start
        self.limit = limit

    def open(self, now: int = NOON) -> Poll:
        """Begin a poll."""
        return Poll(self.tape, self.session, JSON, self.start, self.limit, now)

    def take(self, answer: Answer) -> Answer:
        """Take an answer: ask with its cursor next."""
        self.start = Cursor.parse(answer.cursor)
        return answer

    def ask(self, now: int = NOON) -> Answer | None:
        """Return the answer if there is one at once, None where the poll would wait."""
        answer = self.open(now).look(now)
        return self.take(answer) if answer is not None else None

    def ask_short(self, now: int = NOON) -> Answer:
        """Return the answer of a poll that does not wait."""
        answer = self.open(now).finish(now)
        assert answer is not None
        return self.take(answer)


def numbers(answer: Answer | None) -> list[int]:
    """Return the seqs of an answer's ticks."""
    assert answer is not None
    return [int(each["cursor"].split("-")[1]) for each in read_raws(answer.ticks) if each["type"] != "bar"]


def kinds(answer: Answer | None) -> list[str]:
    """Return the types of an answer's ticks and bars."""
    assert answer is not None
    return [each["type"] for each in read_raws(answer.ticks)]


def quotes(snapshot: dict[str, object] | None) -> list[str]:
    """Return the symbols of a snapshot's quotes."""
    assert snapshot is not None
    return [each["symbol"] for each in read_raws(snapshot["quotes"])]  # type: ignore[arg-type]


def test_without_a_cursor_the_answer_is_the_snapshot_at_once() -> None:
    answer = Client(tape_of(quote("A"), quote("B"))).ask()

    assert answer is not None
    assert answer.snapshot is not None
    assert (answer.session, answer.cursor, answer.gap, answer.ticks, answer.more) == (
        "s" * 16,
        "1000-2",
        None,
        [],
        False,
    )
    assert (answer.snapshot["scope"], answer.snapshot["cursor"], quotes(answer.snapshot)) == (
        "all",
        "1000-2",
        ["A", "B"],
    )


def test_it_answers_at_once_if_anything_matches_after_the_cursor() -> None:
    answer = Client(tape_of(*[quote()] * 3), start=Cursor(EPOCH, 1)).ask()

    assert numbers(answer) == [2, 3]
    assert answer is not None
    assert (answer.cursor, answer.gap, answer.snapshot, answer.more) == ("1000-3", None, None, False)


def test_else_when_something_does() -> None:
    tape = tape_of(quote("A"))
    poll = Client(tape, make_session("A"), Cursor(EPOCH, 1)).open()

    assert poll.look(NOON) is None
    put(tape, quote("B"))
    assert poll.look(NOON) is None
    put(tape, quote("A"))
    assert numbers(poll.look(NOON)) == [3]


def test_else_after_the_wait_with_a_cursor_that_has_moved_on() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("B"))
    answer = Client(tape, make_session("A"), Cursor(EPOCH, 1)).ask_short()

    assert (answer.cursor, answer.ticks, answer.more) == ("1000-3", [], False)


def test_the_newest_place_looked_at_may_lie_beyond_the_last_tick() -> None:
    answer = Client(tape_of(quote("A"), quote("B")), make_session("A"), Cursor(EPOCH, 0)).ask()

    assert answer is not None
    assert (numbers(answer), answer.cursor) == ([1], "1000-2")


@pytest.mark.parametrize("start", [Cursor(EPOCH, 0), "earliest"])
def test_with_more_the_cursor_is_the_last_ticks_and_the_next_poll_answers_at_once(start: Start) -> None:
    client = Client(tape_of(*[quote("A"), quote("B")] * 3), make_session("A"), start, limit=2)
    first, second = client.ask(), client.ask()

    assert first is not None
    assert (numbers(first), first.cursor, first.more) == ([1, 3], "1000-3", True)
    assert second is not None
    assert (numbers(second), second.cursor, second.more) == ([5], "1000-6", False)
    assert client.ask() is None


def test_more_is_true_only_if_something_is_left() -> None:
    client = Client(tape_of(quote("A"), quote("A"), quote("B")), make_session("A"), Cursor(EPOCH, 0), limit=2)
    answer = client.ask()

    assert answer is not None
    assert (numbers(answer), answer.cursor, answer.more) == ([1, 2], "1000-3", False)


def test_latest_is_now_without_a_snapshot() -> None:
    tape = tape_of(quote())
    poll = Client(tape, start="latest").open()

    assert poll.look(NOON) is None
    put(tape, quote())
    assert numbers(poll.look(NOON)) == [2]


def test_a_tick_between_two_polls_is_never_lost() -> None:
    tape = tape_of(quote())
    client = Client(tape, start=Cursor(EPOCH, 1))
    client.ask_short()
    put(tape, quote())

    assert numbers(client.ask()) == [2]


@given(st.lists(st.lists(st.sampled_from("AB"), max_size=5), max_size=10), st.integers(1, 4), st.booleans())
def test_polls_are_the_matching_ticks_once_and_in_order(batches: list[list[str]], limit: int, short: bool) -> None:
    tape, seen = tape_of(), list[int]()
    client = Client(tape, make_session("A"), Cursor(EPOCH, 0), limit)
    for symbols in batches:
        put(tape, *[quote(symbol) for symbol in symbols])
        while (answer := client.ask_short() if short else client.ask()) is not None:
            seen += numbers(answer)
            assert len(answer.ticks) <= limit
            assert answer.ticks or short
            if not answer.more:
                break
            assert answer.cursor == f"{EPOCH}-{seen[-1]}"
    everything = [symbol for symbols in batches for symbol in symbols]

    assert seen == [seq for seq, symbol in enumerate(everything, 1) if symbol == "A"]


def test_the_answer_in_messagepack_holds_the_same_records() -> None:
    tape = tape_of(quote(), trade())
    answers = [Poll(tape, make_session(), codec, Cursor(EPOCH, 0), 9, NOON).look(NOON) for codec in (JSON, MSGPACK)]
    assert answers[0] is not None
    assert answers[1] is not None
    packed: list[Data] = [msgspec.msgpack.decode(raw) for raw in answers[1].ticks]

    assert packed == read_raws(answers[0].ticks)


# bars


def test_bars_stand_in_ticks_at_their_places_and_do_not_count_for_the_limit() -> None:
    tape = tape_of(trade("A"), trade("B"))
    put(tape, trade("A", ts=NOON + SECOND), trade("A", ts=NOON + SECOND))
    client = Client(tape, make_session(types=("trade", "bar"), interval="1s"), Cursor(EPOCH, 0), limit=3)
    answer = client.ask()

    assert kinds(answer) == ["trade", "trade", "bar", "bar", "trade"]
    assert numbers(client.ask()) == [4]


def test_a_bar_alone_is_something_to_answer_with() -> None:
    tape = tape_of(trade("A"))
    put(tape, quote("B", ts=NOON + SECOND))
    client = Client(tape, make_session("A", types=("trade", "bar"), interval="1s"), Cursor(EPOCH, 0), limit=1)
    first = client.ask()

    assert first is not None
    assert (kinds(first), first.more) == (["trade"], True)
    assert kinds(client.ask()) == ["bar"]
    assert client.ask() is None


# gap


class Lost(NamedTuple):
    """A cursor that can't be served, and what its gap says."""

    start: Start
    first: str | None
    lost: int | None
    reason: str


@pytest.mark.parametrize(
    "case",
    [
        Lost(Cursor(EPOCH, 2), "1000-3", 7, "evicted"),
        Lost(Cursor(999, 5), "999-6", None, "restarted"),
        Lost(Cursor(EPOCH + 1, 5), None, None, "future"),
        Lost("unknown", None, None, "unknown"),
    ],
)
def test_a_cursor_that_cannot_be_served_gives_gap_and_snapshot_at_once(case: Lost) -> None:
    client = Client(tape_of(*[quote()] * 9, size=3), start=case.start)
    answer = client.ask()

    assert answer is not None
    assert answer.gap == {"from": case.first, "to": "1000-9", "lost": case.lost, "reason": case.reason}
    assert answer.snapshot is not None
    assert (answer.snapshot["cursor"], answer.cursor, answer.ticks, answer.more) == ("1000-9", "1000-9", [], False)
    assert client.ask() is None


def test_a_poll_that_waits_while_the_ring_turns_over_is_slow() -> None:
    tape = tape_of(quote(), size=3)
    poll = Client(tape, start=Cursor(EPOCH, 1)).open()
    assert poll.look(NOON) is None
    put(tape, *[quote()] * 9)
    answer = poll.look(NOON)

    assert answer is not None
    assert answer.gap == {"from": "1000-2", "to": "1000-10", "lost": 9, "reason": "slow"}


def test_a_future_cursor_waits_two_seconds() -> None:
    tape = tape_of(quote())
    poll = Client(tape, start=Cursor(EPOCH, 2)).open()
    assert poll.finish(NOON) is None
    assert poll.look(NOON + FUTURE_WAIT - 1) is None
    put(tape, quote(), quote())

    assert numbers(poll.look(NOON + FUTURE_WAIT - 1)) == [3]


def test_a_future_cursor_that_is_not_reached_is_a_gap() -> None:
    poll = Client(tape_of(quote()), start=Cursor(EPOCH, 2)).open()
    assert poll.look(NOON) is None
    answer = poll.finish(NOON + FUTURE_WAIT)

    assert answer is not None
    assert answer.gap is not None
    assert answer.gap["reason"] == "future"


# pause


def test_a_paused_client_gets_empty_answers_and_its_cursor_does_not_move() -> None:
    tape = tape_of(*[quote()] * 3)
    client = Client(tape, start=Cursor(EPOCH, 1))
    client.session.paused = True

    assert client.ask() is None
    answer = client.ask_short()
    assert (answer.cursor, answer.ticks, answer.more) == ("1000-1", [], False)
    client.session.paused = False
    assert numbers(client.ask()) == [2, 3]


def test_a_pause_during_a_wait_holds_it_and_play_ends_it() -> None:
    tape = tape_of(quote())
    client = Client(tape, start=Cursor(EPOCH, 1))
    poll = client.open()
    assert poll.look(NOON) is None
    client.session.paused = True
    put(tape, quote())
    assert poll.look(NOON) is None
    client.session.paused = False

    assert numbers(poll.look(NOON)) == [2]


def test_a_paused_client_keeps_its_cursor_though_the_ring_has_turned_over_into_a_new_epoch() -> None:
    tape = tape_of(*[quote()] * 5, size=3)
    client = Client(tape, start=Cursor(EPOCH, 5))
    client.session.paused = True
    poll = client.open()
    assert poll.look(NOON) is None
    put(tape, *[quote()] * 9, epoch=EPOCH + 1)
    answer = poll.finish(NOON)

    assert answer is not None
    assert answer.cursor == "1000-5"


@pytest.mark.parametrize("start", [Cursor(EPOCH, 1), Cursor(999, 1), Cursor(EPOCH, 999)])
def test_a_paused_client_hears_of_a_gap_when_it_plays(start: Cursor) -> None:
    client = Client(tape_of(*[quote()] * 9, size=3), start=start)
    client.session.paused = True
    assert client.ask(NOON) is None
    assert client.ask_short(NOON).cursor == str(start)
    client.session.paused = False
    poll = client.open(NOON)
    answer = poll.look(NOON) or poll.finish(NOON + FUTURE_WAIT)

    assert answer is not None
    assert answer.gap is not None
    assert answer.gap["to"] == "1000-9"


def test_what_went_during_a_pause_is_evicted() -> None:
    tape = tape_of(quote(), size=3)
    client = Client(tape, start=Cursor(EPOCH, 1))
    poll = client.open()
    assert poll.look(NOON) is None
    client.session.paused = True
    assert poll.look(NOON) is None
    put(tape, *[quote()] * 9)
    client.session.paused = False
    answer = poll.look(NOON)

    assert answer is not None
    assert answer.gap == {"from": "1000-2", "to": "1000-10", "lost": 9, "reason": "evicted"}


def test_what_ends_a_poll_gets_what_there_is() -> None:
    poll = Client(tape_of(quote()), start=Cursor(EPOCH, 9)).open()
    poll.look(NOON)
    answer = poll.give_up()

    assert (answer.cursor, answer.ticks, answer.more) == ("1000-9", [], False)


# changes of the subscription


def changed(*ops: tuple[str, Wish, int], symbols: str = "A") -> Session:
    """Return a session of some symbols that was changed at places."""
    session = make_session(*symbols)
    for op, wish, place in ops:
        session.change(op, wish, place)
    return session


def test_what_is_added_comes_in_a_snapshot_after_what_was_due_and_before_its_ticks() -> None:
    tape = tape_of(*[quote("A"), quote("B")] * 2)
    put(tape, quote("B"))
    client = Client(tape, changed(("subscribe", Wish(("B",)), 4)), Cursor(EPOCH, 0))
    first, second = client.ask(), client.ask()

    assert first is not None
    assert (numbers(first), first.snapshot, first.more, first.cursor) == ([1, 3], None, True, "1000-3")
    assert second is not None
    assert second.snapshot is not None
    assert (second.snapshot["scope"], second.snapshot["cursor"], quotes(second.snapshot)) == ("added", "1000-4", ["B"])
    assert (numbers(second), second.more) == ([5], False)


def test_the_snapshot_of_what_is_added_wakes_a_poll_once() -> None:
    tape = tape_of(quote("A"), quote("B"))
    client = Client(tape, make_session("A"), Cursor(EPOCH, 2))
    poll = client.open()
    assert poll.look(NOON) is None
    client.session.change("subscribe", Wish(("B",)), 2)
    answer = poll.look(NOON)
    assert answer is not None
    assert quotes(client.take(answer).snapshot) == ["B"]
    # The next poll stands at the same place: it waits, and brings it again, since that answer may have been lost.
    poll = client.open()
    assert poll.look(NOON) is None
    put(tape, quote("B"))
    answer = poll.look(NOON)

    assert answer is not None
    assert quotes(answer.snapshot) == ["B"]
    assert numbers(answer) == [3]


def test_after_a_lost_answer_more_is_kept_at_once_again() -> None:
    tape = tape_of(quote("A"), quote("B"))
    client = Client(tape, changed(("subscribe", Wish(("B",)), 2)), Cursor(EPOCH, 0))
    for _ in range(2):
        client.start = Cursor(EPOCH, 0)
        first, second = client.ask(), client.ask()
        assert first is not None
        assert (numbers(first), first.more) == ([1], True)
        assert second is not None
        assert quotes(second.snapshot) == ["B"]
    assert client.ask() is None


def test_with_a_limit_that_ends_just_before_a_change_more_is_kept_at_once_again() -> None:
    tape = tape_of(quote("A"), quote("B"))
    client = Client(tape, changed(("subscribe", Wish(("B",)), 2)), limit=1)
    for _ in range(2):
        client.start = Cursor(EPOCH, 0)
        first, second = client.ask(), client.ask()
        assert first is not None
        assert first.more
        assert second is not None
        assert quotes(second.snapshot) == ["B"]


@pytest.mark.parametrize("limit", [5, 2])
def test_a_removal_is_nothing_that_is_left(limit: int) -> None:
    tape = tape_of(quote("A"), quote("B"), quote("A"), quote("B"))
    client = Client(tape, changed(("unsubscribe", Wish(("B",)), 3), symbols="AB"), Cursor(EPOCH, 0), limit)
    answer = client.ask()

    assert answer is not None
    assert (numbers(answer), answer.more, answer.cursor) == ([1, 3], False, "1000-4")
    assert client.ask() is None


def test_across_a_removal_the_ticks_come_in_one_answer() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("A"), quote("B"))
    client = Client(tape, changed(("unsubscribe", Wish(("B",)), 2), symbols="AB"), Cursor(EPOCH, 0))

    assert numbers(client.ask()) == [1, 3]


def test_two_additions_without_a_tick_between_them_come_in_two_answers() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("C"))
    session = changed(("subscribe", Wish(("B",)), 2), ("subscribe", Wish(("C",)), 3))
    client = Client(tape, session, Cursor(EPOCH, 1))
    first, second = client.ask(), client.ask()

    assert first is not None
    assert second is not None
    assert [quotes(first.snapshot), quotes(second.snapshot)] == [["B"], ["C"]]
    assert (first.more, second.more) == (True, False)
    assert client.ask() is None


def test_a_removal_after_an_addition_leaves_its_snapshot() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("C"))
    session = changed(("subscribe", Wish(("B",)), 2), ("unsubscribe", Wish(("A",)), 3))
    answer = Client(tape, session, Cursor(EPOCH, 1)).ask()

    assert answer is not None
    assert (quotes(answer.snapshot), answer.more, answer.cursor) == (["B"], False, "1000-3")


def test_bars_before_a_change_come_once() -> None:
    tape = tape_of(trade("A"))
    put(tape, quote("B", ts=NOON + SECOND))
    session = make_session("A", types=("trade", "bar"), interval="1s")
    session.change("subscribe", Wish(("B",)), 2)
    client = Client(tape, session, Cursor(EPOCH, 0))
    answers = [client.ask(), client.ask(), client.ask()]

    assert [kinds(answer) for answer in answers] == [["trade"], ["bar"], []]
    assert [answer.more for answer in answers if answer] == [True, True, False]
    assert client.ask() is None


@given(
    st.lists(st.sampled_from("ABC"), max_size=12),
    st.lists(
        st.tuples(st.sampled_from(["subscribe", "unsubscribe"]), st.sampled_from("ABC"), st.integers(0, 12)), max_size=4
    ),
    st.integers(1, 4),
)
def test_across_any_changes_more_is_true_to_its_word_and_no_tick_comes_twice(
    symbols: list[str], ops: list[tuple[str, str, int]], limit: int
) -> None:
    tape = tape_of(*[quote(symbol) for symbol in symbols])
    ordered = sorted((min(place, len(symbols)), op, symbol) for op, symbol, place in ops)
    session = changed(*[(op, Wish((symbol,)), place) for place, op, symbol in ordered])
    sides = [make_session("A").subscription, *(step.after for step in session.steps)]
    client, cursors = Client(tape, session, Cursor(EPOCH, 0), limit), [Cursor(EPOCH, 0)]
    seen: list[int] = []
    has_more = False
    while (answer := client.ask()) is not None:
        has_more = answer.more
        seen += numbers(answer)
        cursors.append(Cursor.parse(answer.cursor))
        assert answer.ticks or answer.snapshot
    assert not has_more
    assert cursors == sorted(cursors)
    assert seen == sorted(set(seen))
    always = {symbol for symbol in "ABC" if all(symbol in side.symbols for side in sides)}
    assert {seq for seq, symbol in enumerate(symbols, 1) if symbol in always} <= set(seen)


# conflation


def test_a_conflated_poll_answers_when_a_window_has_closed() -> None:
    tape = make_tape()
    session = make_session()
    session.conflate = 100
    client = Client(tape, session, Cursor(EPOCH, 0))
    put(tape, quote("A"), quote("A"), placed=NOON)

    assert client.ask(NOON + 100 * MS - 1) is None
    answer = client.ask(NOON + 100 * MS)
    assert answer is not None
    assert (numbers(answer), answer.cursor) == ([2], "1000-2")


def test_without_a_cursor_a_conflated_poll_begins_at_the_end_of_the_last_closed_window() -> None:
    tape = make_tape()
    session = make_session()
    session.conflate = 100
    put(tape, quote("A"), placed=NOON)
    put(tape, quote("A"), placed=NOON + 150 * MS)
    answer = Client(tape, session).ask(NOON + 160 * MS)

    assert answer is not None
    assert answer.cursor == "1000-1"
