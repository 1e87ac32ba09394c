from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.core.codes import BadRequest, BadSymbols, Refused, RequestError
from ticker.core.session import (
    SECOND,
    STEPS,
    Session,
    Sessions,
    Wish,
    parse_conflate,
    parse_session_id,
    parse_wish,
)
from ticker.core.subscription import Subscription

ME, OTHER = "me", "someone else"
IDENTITY = "0123456789abcdef"
NOW = 1_800_000_000 * SECOND


class Connection:
    """A data connection that remembers what it was told."""

    def __init__(self) -> None:
        self.position: int | None = 0
        self.told: list[str] = []

    def end(self, reason: str) -> None:
        """Hear that the server ends it."""
        self.told.append(reason)

    def abort(self) -> None:
        """Hear that it is cut."""
        self.told.append("abort")


def session() -> Session:
    """Return a fresh session."""
    return Session(IDENTITY, ME)


def make_sessions(limit: int = 20_000) -> Sessions:
    """Return the sessions of a node that remembers for 120 s."""
    return Sessions(120, limit, Random(1))


# What a query and an op say.


@pytest.mark.parametrize("milliseconds", [0, 20, 250, 60_000])
def test_intervals_of_conflation(milliseconds: int) -> None:
    assert parse_conflate(milliseconds) == milliseconds


@pytest.mark.parametrize("milliseconds", [-1, 1, 19, 60_001, 10**30])
def test_what_is_no_interval_of_conflation(milliseconds: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_conflate(milliseconds)

    assert refused.value.field == "conflate"


@pytest.mark.parametrize("text", ["a" * 16, "Z" * 64, "azAZ09_-azAZ09_-"])
def test_session_ids(text: str) -> None:
    assert parse_session_id(text) == text


@pytest.mark.parametrize("text", ["", "a" * 15, "a" * 65, "a" * 15 + ".", "a" * 16 + "\n", "ä" * 16])
def test_what_is_no_session_id(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_session_id(text)

    assert refused.value.field == "session"


def test_a_wish_says_only_what_was_given() -> None:
    assert parse_wish(None, None) == Wish()
    assert parse_wish(["A", "A"], ["trade", "quote"], "5m", 250) == Wish(("A",), ("quote", "trade"), "5m", 250)
    assert parse_wish([], [], conflate=0) == Wish((), (), None, 0)


@pytest.mark.parametrize(
    ("symbols", "types", "interval", "conflate"),
    [(["a"], None, None, None), (None, ["x"], None, None), (None, None, "2m", None), (None, None, None, 5)],
)
def test_a_wish_with_a_wrong_part_is_refused(
    symbols: list[str] | None, types: list[str] | None, interval: str | None, conflate: int | None
) -> None:
    with pytest.raises(RequestError):
        parse_wish(symbols, types, interval, conflate)


def test_a_wish_has_the_limit_of_the_settings() -> None:
    with pytest.raises(BadSymbols):
        parse_wish(["A", "B", "C"], None, limit=2)


# Section 7: queries of data connections.


def test_the_first_query_gives_the_subscription() -> None:
    one = session()
    one.take_query(Wish(("A",), ("trade",), "5m", 250), default=("*",))

    assert one.subscription == Subscription(("A",), ("trade",), "5m")
    assert one.conflate == 250


def test_without_symbols_the_first_query_has_the_transports_default() -> None:
    one = session()
    one.take_query(Wish(), default=("*",))

    assert one.subscription == Subscription(("*",))


@pytest.mark.parametrize(
    "query", [Wish(), Wish(("A",)), Wish(("A",), ("trade",)), Wish(types=("trade",), conflate=250)]
)
def test_parameters_absent_or_equal_to_the_last_connections_leave_the_state(query: Wish) -> None:
    one = session()
    one.take_query(Wish(("A",), ("trade",), None, 250), default=("*",))
    one.change("subscribe", Wish(("B",)), 7)
    one.conflate = 1000
    one.take_query(query, default=("*",))

    assert one.subscription.symbols == ("A", "B")
    assert one.conflate == 1000
    assert len(one.steps) == 1


def test_a_parameter_that_is_absent_counts_as_said_again() -> None:
    one = session()
    one.take_query(Wish(("A",)), default=("*",))
    one.take_query(Wish(), default=("*",))
    one.change("subscribe", Wish(("B",)), 7)
    one.take_query(Wish(("A",)), default=("*",))

    assert one.subscription.symbols == ("A", "B")


def test_a_parameter_that_differs_replaces_only_what_it_names() -> None:
    one = session()
    one.take_query(Wish(("A",), ("trade",), "5m", 250), default=("*",))
    one.change("subscribe", Wish(("B",), ("quote",)), 7)
    one.take_query(Wish(("C",), ("trade",), None, 0), default=("*",))

    assert one.subscription == Subscription(("C",), ("quote", "trade"), "5m")
    assert one.conflate == 0
    # What the new connection gets is what it asked for, from its cursor on.
    assert list(one.steps) == []


def test_an_empty_list_of_symbols_is_none_and_not_absent() -> None:
    one = session()
    one.take_query(Wish(("A",)), default=("*",))
    one.take_query(Wish(()), default=("*",))

    assert one.subscription.symbols == ()


def test_what_an_op_gave_before_the_first_query_holds_unless_the_query_says_otherwise() -> None:
    for op, query, expected in [
        ("subscribe", Wish(), ("A",)),
        ("set", Wish(types=("trade",)), ("A",)),
        ("subscribe", Wish(("B",)), ("B",)),
        ("unsubscribe", Wish(), ("*",)),
    ]:
        one = session()
        one.change(op, Wish(("A",)), 0)
        one.take_query(query, default=("*",))

        assert one.subscription.symbols == expected


# Section 5: changes.


def test_ops_add_remove_and_replace_each_only_the_fields_that_they_name() -> None:
    one = session()
    one.change("subscribe", Wish(("A", "B*"), ("bar",), "5m"), 1)
    assert one.subscription == Subscription(("A", "B*"), ("quote", "trade", "bar"), "5m")
    one.change("unsubscribe", Wish(("A", "B"), ("bar",)), 2)
    assert one.subscription == Subscription(("B*",), ("quote", "trade"), "5m")
    one.change("set", Wish(None, ("trade",)), 3)
    assert one.subscription == Subscription(("B*",), ("trade",), "5m")
    one.change("set", Wish(()), 4)
    assert one.subscription == Subscription((), ("trade",), "5m")
    one.change("subscribe", Wish(("C",)), 5)
    assert one.subscription == Subscription(("C",), ("trade",), "5m")


def test_each_change_remembers_its_place_and_both_sides() -> None:
    one = session()
    one.change("subscribe", Wish(("A",)), 3)
    one.change("subscribe", Wish(("A",)), 4)
    one.change("subscribe", Wish(("B",)), 5)

    assert [tuple(step) for step in one.steps] == [
        (1, 3, Subscription(()), Subscription(("A",))),
        (2, 5, Subscription(("A",)), Subscription(("A", "B"))),
    ]


def test_an_op_that_fails_changes_nothing() -> None:
    one = session()
    one.change("subscribe", Wish(("A", "B")), 1, limit=2)
    with pytest.raises(BadSymbols):
        one.change("subscribe", Wish(("C",), ("bar",)), 2, limit=2)

    assert one.subscription == Subscription(("A", "B"))
    assert len(one.steps) == 1


def test_who_resumes_at_or_before_a_change_meets_it_again() -> None:
    one = session()
    for place, symbol in ((3, "A"), (5, "B"), (5, "C"), (9, "D")):
        one.change("subscribe", Wish((symbol,)), place)

    assert [step.position for step in one.resume(2)] == [3, 5, 5, 9]
    assert [step.position for step in one.resume(5)] == [5, 5, 9]
    assert [step.position for step in one.resume(6)] == [9]
    assert one.resume(10) == []


def test_places_of_changes_never_fall() -> None:
    one = session()
    one.change("subscribe", Wish(("A",)), 9)
    one.change("subscribe", Wish(("B",)), 7)

    assert [step.position for step in one.steps] == [9, 9]


def test_changes_are_remembered_in_a_bounded_number() -> None:
    one = session()
    for number in range(3 * STEPS):
        one.change("set", Wish((f"S{number}",)), number)

    assert len(one.steps) == STEPS
    assert one.steps[-1].after == one.subscription


@given(st.lists(st.tuples(st.sampled_from(["subscribe", "unsubscribe", "set"]), st.sets(st.sampled_from("ABCD")))))
def test_changes_are_a_chain_that_ends_at_the_subscription(ops: list[tuple[str, set[str]]]) -> None:
    one, have = session(), set[str]()
    for place, (op, symbols) in enumerate(ops):
        one.change(op, Wish(tuple(symbols)), place)
        have = {"subscribe": have | symbols, "unsubscribe": have - symbols, "set": symbols}[op]
        assert set(one.subscription.symbols) == have

    sides = [Subscription(), *(step.after for step in one.steps)]
    assert [step.before for step in one.steps] == sides[:-1]
    assert sides[-1] == one.subscription


def test_while_cut_data_connections_are_refused() -> None:
    one = session()
    one.cut_until = NOW + 5 * SECOND
    with pytest.raises(Refused) as refused:
        one.refuse(NOW + 2 * SECOND)

    assert (refused.value.code, refused.value.retry_after) == ("cut", 3)
    one.refuse(NOW + 5 * SECOND)


# Section 7: sessions of a node.


def test_a_session_is_found_again_by_its_id() -> None:
    sessions = make_sessions()
    one = sessions.open(IDENTITY, ME, NOW)

    assert sessions.open(IDENTITY, ME, NOW) is one
    assert sessions.get(IDENTITY, ME) is one
    assert sessions.get("f" * 16, ME) is None


def test_the_server_gives_ids_that_are_valid_and_differ() -> None:
    sessions = make_sessions()
    ids = {sessions.open(None, ME, NOW).id for _ in range(100)}

    assert len(ids) == 100
    assert all(parse_session_id(each) for each in ids)


def test_another_principal_is_refused() -> None:
    sessions = make_sessions()
    sessions.open(IDENTITY, ME, NOW)

    with pytest.raises(RequestError) as asked:
        sessions.get(IDENTITY, OTHER)
    with pytest.raises(RequestError) as opened:
        sessions.open(IDENTITY, OTHER, NOW)
    assert {(error.value.code, error.value.status) for error in (asked, opened)} == {("forbidden", 403)}


def test_the_newer_data_connection_takes_over() -> None:
    sessions, older, newer = make_sessions(), Connection(), Connection()
    one = sessions.open(IDENTITY, ME, NOW)
    assert not one.connected
    sessions.take(one, older, NOW)
    sessions.take(one, newer, NOW)

    assert (older.told, newer.told) == (["replaced"], [])
    # The older one leaves later; that is not the session's end.
    sessions.leave(one, older, NOW)
    assert one.data is newer
    assert one.connected


def test_a_session_is_kept_for_120_s_after_its_last_connection() -> None:
    sessions, connection = make_sessions(), Connection()
    one = sessions.open(IDENTITY, ME, NOW)
    sessions.take(one, connection, NOW)
    sessions.expire(NOW + 9999 * SECOND)
    left = NOW + 10_000 * SECOND
    sessions.leave(one, connection, left)

    sessions.expire(left + 120 * SECOND - 1)
    assert sessions.get(IDENTITY, ME) is one
    sessions.expire(left + 120 * SECOND)
    assert sessions.get(IDENTITY, ME) is None
    assert len(sessions) == 0


def test_one_that_was_left_too_long_ago_is_not_opened_again_though_nobody_has_swept() -> None:
    sessions = make_sessions()
    one = sessions.open(IDENTITY, ME, NOW)

    assert sessions.open(IDENTITY, ME, NOW + 119 * SECOND) is one
    assert sessions.open(IDENTITY, ME, NOW + 239 * SECOND) is not one


def test_a_control_connection_keeps_a_session_too() -> None:
    sessions = make_sessions()
    one = sessions.open(IDENTITY, ME, NOW)
    sessions.attach(one, NOW)
    sessions.expire(NOW + 999 * SECOND)
    assert sessions.get(IDENTITY, ME) is one
    sessions.detach(one, NOW + 999 * SECOND)
    sessions.expire(NOW + (999 + 120) * SECOND)

    assert sessions.get(IDENTITY, ME) is None


def test_a_session_has_up_to_four_control_connections() -> None:
    sessions = make_sessions()
    one = sessions.open(IDENTITY, ME, NOW)
    for _ in range(4):
        sessions.attach(one, NOW)
    with pytest.raises(RequestError) as refused:
        sessions.attach(one, NOW)
    assert (refused.value.code, one.controls) == ("too_many", 4)
    sessions.detach(one, NOW)
    sessions.attach(one, NOW)

    assert one.controls == 4


def test_beyond_the_limit_the_longest_idle_goes_first() -> None:
    sessions, ids = make_sessions(limit=3), [f"{number:016}" for number in range(4)]
    for second, identity in enumerate(ids[:3]):
        sessions.open(identity, ME, NOW + second * SECOND)
    # The first was used since: now the second is idle for longest.
    sessions.open(ids[0], ME, NOW + 5 * SECOND)
    sessions.open(ids[3], ME, NOW + 6 * SECOND)

    assert [identity for identity in ids if sessions.get(identity, ME)] == [ids[0], ids[2], ids[3]]
    assert sessions.statistics() == {"sessions": 3, "idle": 3, "limit": 3}


def test_sessions_in_use_are_never_thrown_out() -> None:
    sessions = make_sessions(limit=2)
    for identity in ("a" * 16, "b" * 16):
        sessions.take(sessions.open(identity, ME, NOW), Connection(), NOW)
    with pytest.raises(Refused) as refused:
        sessions.open(None, ME, NOW)

    assert refused.value.code == "overloaded"
    assert sessions.statistics() == {"sessions": 2, "idle": 0, "limit": 2}


def test_who_was_left_too_long_ago_makes_room_before_anyone_is_refused() -> None:
    sessions = make_sessions(limit=2)
    sessions.open("a" * 16, ME, NOW)
    sessions.open("b" * 16, ME, NOW + 60 * SECOND)
    sessions.open("c" * 16, ME, NOW + 121 * SECOND)

    assert [sessions.get(name * 16, ME) is not None for name in "abc"] == [False, True, True]


def test_changes_from_before_the_first_data_connection_are_not_met_again() -> None:
    sessions, connection = make_sessions(), Connection()
    opened = sessions.open(IDENTITY, ME, NOW)
    opened.change("subscribe", Wish(("A",)), 5)
    sessions.take(opened, connection, NOW)
    assert opened.resume(0) == []

    opened.change("subscribe", Wish(("B",)), 7)
    sessions.leave(opened, connection, NOW)
    sessions.take(opened, Connection(), NOW)

    assert [step.position for step in opened.resume(0)] == [7]
