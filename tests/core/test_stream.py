"""What a data connection sends: PROTOCOL.md section 4 and "Change of a subscription" of section 5, by sentence."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import EPOCH, NOON, SECOND, Data, make_tape, pull_all, put, quote, read, tape_of, trade
from ticker.core.cursor import Cursor
from ticker.core.follower import FUTURE_WAIT, Start
from ticker.core.session import Session, Wish
from ticker.core.stream import Ending, Stream, Terms, reconnect_after
from ticker.core.tape import Tape
from ticker.core.tick import Tick
from ticker.core.view import STRIDE
from ticker.core.wire import JSON, SSE

MS = 1000
DAY = 86_400
TERMS = Terms("node-1", "0.1", heartbeat=15, lifetime=DAY)


def make_session(*symbols: str, types: tuple[str, ...] = ("quote", "trade"), interval: str = "1m") -> Session:
    """Return a session with a subscription, by default of everything."""
    session = Session("s" * 16, "me")
    session.take_query(Wish(symbols or ("*",), types, interval), default=())
    return session


def make_stream(
    tape: Tape, session: Session | None = None, start: Start = None, *, batched: bool = False, now: int = NOON
) -> Stream:
    """Return a data connection that speaks JSON."""
    return Stream(
        tape, session or make_session(), JSON, start=start, batched=batched, terms=TERMS, random=Random(1), now=now
    )


def place(seq: int, epoch: int = EPOCH) -> Cursor:
    """Return a client's cursor."""
    return Cursor(epoch, seq)


def numbers(events: list[Data]) -> list[int]:
    """Return the seqs of the ticks among events, those in batches too."""
    ticks = [tick for each in events for tick in each.get("ticks", [each])]
    return [int(tick["cursor"].split("-")[1]) for tick in ticks if tick["type"] in ("quote", "trade")]


def kinds(events: list[Data]) -> list[str]:
    """Return the types of events."""
    return [each["type"] for each in events]


def seconds(count: float) -> int:
    """Return a moment so many seconds after the stream was opened."""
    return NOON + int(count * SECOND)


# hello


def test_without_a_cursor_come_hello_and_the_snapshot_then_live_ticks() -> None:
    tape = tape_of(quote("A", 1), quote("A", 2), trade("B", 3))
    stream = make_stream(tape)
    hello, snapshot = pull_all(stream, NOON)
    put(tape, quote("A", 4))

    assert hello == {
        "type": "hello",
        "session": "s" * 16,
        "cursor": "1000-3",
        "oldest": "1000-0",
        "newest": "1000-3",
        "resumed": False,
        "replay": 0,
        "follows": "snapshot",
        "heartbeat": 15,
        "symbols": ["*"],
        "types": ["quote", "trade"],
        "node": "node-1",
        "version": "0.1",
    }
    assert (snapshot["type"], snapshot["scope"], snapshot["cursor"]) == ("snapshot", "all", "1000-3")
    assert (numbers(snapshot["quotes"]), numbers(snapshot["trades"])) == ([2], [3])
    assert numbers(pull_all(stream, NOON)) == [4]


def test_a_list_of_the_snapshot_is_filled_only_if_its_type_is_subscribed() -> None:
    tape = tape_of(quote("A"), trade("A"))
    [_, quotes] = pull_all(make_stream(tape, make_session(types=("quote",))), NOON)
    [_, bars] = pull_all(make_stream(tape, make_session(types=("bar",))), NOON)

    assert (len(quotes["quotes"]), len(quotes["trades"])) == (1, 0)
    assert (len(bars["quotes"]), len(bars["trades"])) == (0, 0)


def test_with_a_cursor_that_can_be_served_come_the_ticks_after_it_and_no_snapshot() -> None:
    tape = tape_of(*[quote()] * 5)
    events = pull_all(make_stream(tape, start=place(2)), NOON)

    assert kinds(events) == ["hello", "quote", "quote", "quote", "heartbeat"]
    assert numbers(events) == [3, 4, 5]
    hello = events[0]
    assert (hello["cursor"], hello["newest"], hello["resumed"]) == ("1000-2", "1000-5", True)
    assert (hello["replay"], hello["follows"]) == (3, None)


def test_a_cursor_at_the_newest_place_replays_nothing_and_needs_no_heartbeat() -> None:
    events = pull_all(make_stream(tape_of(quote()), start=place(1)), NOON)

    assert kinds(events) == ["hello"]
    assert (events[0]["replay"], events[0]["resumed"]) == (0, True)


@pytest.mark.parametrize(("start", "cursor", "replay"), [("earliest", "1000-2", 3), ("latest", "1000-5", 0)])
def test_reserved_words_are_places_but_no_resumption(start: Start, cursor: str, replay: int) -> None:
    tape = tape_of(*[quote()] * 5, size=3)
    events = pull_all(make_stream(tape, start=start), NOON)
    hello = events[0]

    assert (hello["cursor"], hello["resumed"], hello["replay"], hello["follows"]) == (cursor, False, replay, None)
    assert (hello["oldest"], hello["newest"]) == ("1000-2", "1000-5")
    assert numbers(events) == list(range(6 - replay, 6))


def test_hello_has_an_id_only_where_a_client_may_resume_from_it() -> None:
    def hello(tape: Tape, start: Start) -> bytes:
        stream = Stream(tape, make_session(), SSE, start=start, batched=False, terms=TERMS, random=Random(1), now=NOON)
        first = stream.pull(NOON)[0]
        assert isinstance(first, bytes)
        return first

    tape = tape_of(*[quote()] * 5, size=3)
    assert b"id: 1000-4\n" in hello(tape, place(4))
    assert b"id: 1000-2\n" in hello(tape, "earliest")
    assert b"\nid:" not in hello(tape, None)
    assert b"\nid:" not in hello(tape, place(1))
    assert b"\nid:" not in hello(tape, "unknown")


@given(st.lists(st.sampled_from("ABC"), max_size=30), st.integers(0, 30), st.sets(st.sampled_from("ABC")))
def test_replay_is_how_many_ticks_match_and_they_come_next(symbols: list[str], after: int, wanted: set[str]) -> None:
    tape = tape_of(*[quote(symbol) for symbol in symbols])
    after = min(after, len(symbols))
    session = make_session()
    session.change("set", Wish(tuple(sorted(wanted))), 0)
    session.steps.clear()
    events = pull_all(make_stream(tape, session, place(after)), NOON)
    expected = [seq for seq, symbol in enumerate(symbols, 1) if seq > after and symbol in wanted]

    assert events[0]["replay"] == len(expected)
    assert numbers(events) == expected
    assert kinds(events)[1:] == ["quote"] * len(expected) + ["heartbeat"] * bool(expected)


def test_the_filter_in_force_holds_for_the_whole_replay() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("A"))
    session = make_session("A")
    session.take_query(Wish(("A", "B")), default=())

    assert numbers(pull_all(make_stream(tape, session, place(0)), NOON)) == [1, 2, 3]


def test_a_replay_crosses_epochs_with_nothing_lost() -> None:
    tape = tape_of(quote(), quote())
    put(tape, quote(), quote(), epoch=EPOCH + 1)
    events = pull_all(make_stream(tape, start=place(1)), NOON)

    assert [each["cursor"] for each in events[1:-1]] == ["1000-2", "1001-1", "1001-2"]


def test_live_clients_see_the_ids_go_on_into_a_new_epoch() -> None:
    tape = tape_of(quote())
    stream = make_stream(tape, start="latest")
    pull_all(stream, NOON)
    put(tape, quote(), epoch=EPOCH + 5)

    assert [each["cursor"] for each in pull_all(stream, NOON)] == ["1005-1"]


# gap


def gap_of(tape: Tape, start: Start) -> tuple[Data, Data, Data]:
    """Return hello, gap and snapshot of a client whose cursor can't be served."""
    hello, gap, snapshot = pull_all(make_stream(tape, start=start), NOON)
    assert kinds([hello, gap, snapshot]) == ["hello", "gap", "snapshot"]
    assert (hello["follows"], hello["resumed"], hello["replay"]) == ("gap", False, 0)
    assert gap["to"] == snapshot["cursor"] == hello["cursor"]
    assert snapshot["scope"] == "all"
    assert "cursor" not in gap
    return hello, gap, snapshot


def test_ticks_that_left_the_ring_are_evicted() -> None:
    _, gap, _ = gap_of(tape_of(*[quote()] * 9, size=3), place(2))

    assert gap == {"type": "gap", "from": "1000-3", "to": "1000-9", "lost": 7, "reason": "evicted"}


def test_an_epoch_that_is_not_kept_is_restarted() -> None:
    _, gap, _ = gap_of(tape_of(quote()), place(7, epoch=999))

    assert gap == {"type": "gap", "from": "999-8", "to": "1000-1", "lost": None, "reason": "restarted"}


def test_lost_is_null_across_epochs() -> None:
    tape = tape_of(*[quote()] * 3, size=3)
    put(tape, quote(), quote(), epoch=EPOCH + 1)
    _, gap, _ = gap_of(tape, place(1))

    assert (gap["from"], gap["to"], gap["lost"], gap["reason"]) == ("1000-2", "1001-2", None, "evicted")


def test_a_header_that_is_no_cursor_is_unknown() -> None:
    _, gap, _ = gap_of(tape_of(quote()), "unknown")

    assert gap == {"type": "gap", "from": None, "to": "1000-1", "lost": None, "reason": "unknown"}


def test_after_a_gap_live_ticks_follow_its_snapshot() -> None:
    tape = tape_of(*[quote()] * 9, size=3)
    stream = make_stream(tape, start=place(2))
    pull_all(stream, NOON)
    put(tape, quote())

    assert numbers(pull_all(stream, NOON)) == [10]
    assert stream.gaps == 1


def test_a_live_connection_that_fell_behind_is_slow() -> None:
    tape = tape_of(quote(), size=3)
    stream = make_stream(tape, start="latest")
    pull_all(stream, NOON)
    put(tape, quote(), quote())
    assert numbers(pull_all(stream, NOON)) == [2, 3]
    put(tape, *[quote()] * 9)
    gap, snapshot = pull_all(stream, NOON)

    assert gap == {"type": "gap", "from": "1000-4", "to": "1000-12", "lost": 9, "reason": "slow"}
    assert snapshot["cursor"] == "1000-12"
    put(tape, quote())
    assert numbers(pull_all(stream, NOON)) == [13]


@pytest.mark.parametrize("batched", [False, True])
def test_a_gap_begins_after_the_clients_own_cursor_whatever_other_clients_hold(batched: bool) -> None:
    tape = tape_of(quote("A"), *[quote("B")] * 4, size=9)
    early = make_stream(tape, make_session("A"), place(0), batched=batched)
    late = make_stream(tape, make_session("A"), place(3), batched=batched)
    pull_all(late, NOON)
    pull_all(early, NOON)
    put(tape, *[quote("B")] * 2)
    pull_all(early, NOON)
    pull_all(late, NOON)
    put(tape, *[quote("B")] * 30)

    # The heartbeat after its replay is the last place that the early one was given.
    assert [pull_all(stream, NOON)[0]["from"] for stream in (early, late)] == ["1000-6", "1000-4"]


def test_a_future_cursor_waits_two_seconds_for_the_node_to_catch_up() -> None:
    tape = tape_of(quote())
    stream = make_stream(tape, start=place(2))

    assert pull_all(stream, NOON) == []
    assert pull_all(stream, NOON + FUTURE_WAIT - 1) == []
    put(tape, quote(), quote())
    events = pull_all(stream, NOON + FUTURE_WAIT - 1)
    assert numbers(events) == [3]
    assert (events[0]["resumed"], events[0]["replay"]) == (True, 1)


def test_a_future_cursor_that_is_not_reached_in_time_is_a_gap() -> None:
    stream = make_stream(tape_of(quote()), start=place(2))
    assert pull_all(stream, seconds(2) - 1) == []
    hello, gap, snapshot = pull_all(stream, seconds(2))

    assert gap == {"type": "gap", "from": None, "to": "1000-1", "lost": None, "reason": "future"}
    assert (hello["follows"], snapshot["cursor"]) == ("gap", "1000-1")


def test_a_future_cursor_of_another_epoch_is_not_waited_for() -> None:
    _, gap, _ = gap_of(tape_of(quote()), place(1, epoch=EPOCH + 1))

    assert gap["reason"] == "future"


# ticks


def check_batches(events: list[Data], position: Cursor) -> list[int]:
    """Check what a client can prove of its batches, and return the ticks."""
    for each in events:
        if each["type"] == "ticks":
            start, to = Cursor.parse(each["from"]), Cursor.parse(each["to"])
            assert start <= position <= to
            assert each["ticks"] != []
            assert each["cursor"] == each["to"]
            inside = [Cursor.parse(tick["cursor"]) for tick in each["ticks"]]
            assert inside == sorted(inside)
            assert position < inside[0]
            assert inside[-1] <= to
            position = to
        elif each["type"] in ("snapshot", "subscription", "heartbeat"):
            position = Cursor.parse(each["cursor"])
    return numbers(events)


@given(st.lists(st.lists(st.sampled_from("AB"), max_size=6), max_size=8), st.integers(0, 3), st.booleans())
def test_a_client_can_prove_that_it_missed_nothing(batches: list[list[str]], after: int, quiet: bool) -> None:
    tape = tape_of(*[quote("A")] * 3)
    stream = make_stream(tape, make_session("A"), place(after), batched=True)
    events, now = pull_all(stream, NOON), NOON
    for symbols in batches:
        put(tape, *[quote(symbol) for symbol in symbols])
        now += 16 * SECOND if quiet else 0
        events += pull_all(stream, now)
    everything = ["A"] * 3 + [symbol for symbols in batches for symbol in symbols]
    expected = [seq for seq, symbol in enumerate(everything, 1) if symbol == "A" and seq > after]

    assert check_batches(events, place(after)) == expected


def test_batches_of_clients_at_one_place_are_the_same_bytes() -> None:
    tape = tape_of(*[quote()] * 3)
    streams = [make_stream(tape, start=place(1), batched=True) for _ in range(2)]
    for stream in streams:
        stream.pull(NOON)

    assert streams[0].pull(NOON)[0] is streams[1].pull(NOON)[0]


def test_a_batch_is_complete_up_to_the_newest_place_though_its_last_tick_lies_before() -> None:
    tape = tape_of(quote("A"), quote("B"))
    _, batch, heartbeat = pull_all(make_stream(tape, make_session("A"), place(0), batched=True), NOON)

    assert (batch["from"], batch["to"], numbers([batch])) == ("1000-0", "1000-2", [1])
    assert heartbeat["cursor"] == "1000-2"


# bars


def test_a_bar_comes_when_its_bucket_has_closed_just_before_the_closing_tick_and_has_no_id() -> None:
    tape = tape_of(trade("A"))
    stream = make_stream(tape, make_session("A", types=("trade", "bar"), interval="1s"), start="latest")
    pull_all(stream, NOON)
    put(tape, trade("A", ts=NOON + SECOND))
    bar, tick = pull_all(stream, NOON)

    assert (bar["type"], bar["interval"], bar["ts"]) == ("bar", "1s", NOON)
    assert "cursor" not in bar
    assert tick["cursor"] == "1000-2"


def test_around_a_cut_a_bar_comes_twice_equal_to_the_letter() -> None:
    tape = tape_of(trade("A"))
    session = make_session("A", types=("trade", "bar"), interval="1s")
    put(tape, trade("B", ts=NOON + SECOND), trade("A", ts=NOON + SECOND))
    first = [make_stream(tape, session, place(1)) for _ in range(2)]
    bars = [[each for each in pull_all(stream, NOON) if each["type"] == "bar"] for stream in first]

    assert len(bars[0]) == 1
    assert bars[0] == bars[1]


# heartbeat


def test_a_heartbeat_comes_after_15_s_without_an_event() -> None:
    stream = make_stream(tape_of(quote()), start=place(1))
    pull_all(stream, NOON)

    assert pull_all(stream, seconds(15) - 1) == []
    [heartbeat] = pull_all(stream, seconds(15))
    assert heartbeat == {
        "type": "heartbeat",
        "cursor": "1000-1",
        "newest": "1000-1",
        "sent": 0,
        "ts": seconds(15),
    }
    assert pull_all(stream, seconds(30) - 1) == []
    assert kinds(pull_all(stream, seconds(30))) == ["heartbeat"]


def test_events_put_it_off_but_it_comes_at_least_every_30_s() -> None:
    tape = tape_of(quote())
    stream = make_stream(tape, start=place(1))
    pull_all(stream, NOON)
    beats = []
    for second in range(1, 100):
        put(tape, quote())
        beats += [second for each in pull_all(stream, seconds(second)) if each["type"] == "heartbeat"]

    assert beats == [30, 60, 90]


def test_a_heartbeat_moves_a_quiet_subscription_on_so_that_it_never_falls_off_the_ring() -> None:
    tape = tape_of(quote("A"), size=50)
    stream = make_stream(tape, make_session("A"), start=place(1))
    pull_all(stream, NOON)
    newest = 1
    for second in range(1, 121):
        put(tape, quote("B"))
        newest += 1
        for each in pull_all(stream, seconds(second)):
            assert each["type"] == "heartbeat"
            assert each["cursor"] == each["newest"] == f"1000-{newest}"

    assert tape.ring.oldest > 1
    put(tape, quote("A"))
    assert numbers(pull_all(stream, seconds(120))) == [122]


def test_newest_is_the_markets_and_cursor_the_clients_own() -> None:
    tape = tape_of(*[quote()] * (STRIDE + 100), size=2000)
    stream = make_stream(tape, start=place(0))
    stream.pull(NOON)
    stream.pull(NOON)
    [heartbeat] = read(stream.pull(seconds(30)))

    assert (heartbeat["cursor"], heartbeat["newest"]) == (f"1000-{STRIDE}", f"1000-{STRIDE + 100}")


@pytest.mark.parametrize("batched", [False, True])
def test_sent_counts_quotes_and_trades_since_hello_without_snapshots_and_bars(batched: bool) -> None:
    tape = tape_of(quote("A"), trade("B"))
    stream = make_stream(tape, make_session(types=("quote", "trade", "bar"), interval="1s"), batched=batched)
    pull_all(stream, NOON)
    put(tape, quote("A", ts=NOON + SECOND), trade("B", ts=NOON + SECOND), trade("B"))
    events = pull_all(stream, NOON)

    assert "bar" in kinds(events)
    assert pull_all(stream, seconds(15))[0]["sent"] == 3


def test_after_a_replay_has_reached_newest_of_hello_comes_one_heartbeat_before_live_ticks() -> None:
    tape = tape_of(*[quote()] * 3)
    stream = make_stream(tape, start=place(0))
    stream.pull(NOON)
    put(tape, quote(), quote())
    events = pull_all(stream, NOON)

    assert kinds(events) == ["quote"] * 3 + ["heartbeat"] + ["quote"] * 2
    assert events[3]["cursor"] == "1000-3"
    assert events[3]["newest"] == "1000-5"


def test_a_replay_whose_end_does_not_match_ends_with_its_heartbeat_too() -> None:
    tape = tape_of(quote("A"), *[quote("B")] * 9)
    events = pull_all(make_stream(tape, make_session("A"), place(0)), NOON)

    assert kinds(events) == ["hello", "quote", "heartbeat"]
    assert events[-1]["cursor"] == "1000-10"


# bye


@pytest.mark.parametrize("reason", ["shutdown", "expired", "lifetime", "replaced"])
def test_bye_is_the_last_event(reason: Ending) -> None:
    tape = tape_of(quote())
    stream = make_stream(tape, start=place(1))
    pull_all(stream, NOON)
    stream.end(reason)
    [bye] = pull_all(stream, NOON)
    put(tape, quote())

    assert (bye["type"], bye["reason"], bye["cursor"]) == ("bye", reason, "1000-1")
    assert bye["reconnect"] is (reason != "replaced")
    assert bye["retry"] == 86_400_000 if reason == "replaced" else 1000 <= bye["retry"] <= 2000
    assert stream.ended
    assert pull_all(stream, seconds(999)) == []


def test_on_sse_a_retry_line_comes_with_bye() -> None:
    stream = Stream(tape_of(), make_session(), SSE, start=None, batched=False, terms=TERMS, random=Random(1), now=NOON)
    stream.end("replaced")
    retry, bye = stream.pull(NOON)

    assert retry == b"retry: 86400000\n\n"
    assert isinstance(bye, bytes)
    assert bye.startswith(b"event: bye\n")


def test_the_first_reason_to_end_holds() -> None:
    stream = make_stream(tape_of())
    stream.end("replaced")
    stream.end("shutdown")

    assert pull_all(stream, NOON)[0]["reason"] == "replaced"


def test_bye_moves_a_quiet_client_on_to_the_place_that_it_was_served_up_to() -> None:
    tape = tape_of(quote("A"))
    stream = make_stream(tape, make_session("A"), place(1))
    pull_all(stream, NOON)
    put(tape, *[quote("B")] * 5)
    pull_all(stream, NOON)
    stream.end("shutdown")

    assert pull_all(stream, NOON)[0]["cursor"] == "1000-6"


@pytest.mark.parametrize("start", [None, "earliest", "latest", "unknown"])
def test_bye_gives_no_cursor_to_a_client_that_was_not_greeted_yet(start: Start) -> None:
    # With one, EventSource would come back with it: without the snapshot, the replay or the gap that it is owed.
    stream = make_stream(tape_of(quote()), start=start)
    stream.end("shutdown")

    assert "cursor" not in pull_all(stream, NOON)[0]


def test_bye_gives_its_own_cursor_back_to_a_client_that_waits_for_a_future_one() -> None:
    stream = make_stream(tape_of(quote()), start=place(9))
    assert pull_all(stream, NOON) == []
    stream.end("shutdown")

    assert pull_all(stream, NOON)[0]["cursor"] == "1000-9"


def hours_of(seed: int) -> int:
    """Return after how many full hours a stream has ended."""
    tape = tape_of()
    random = Random(seed)
    stream = Stream(tape, make_session(), JSON, start="latest", batched=False, terms=TERMS, random=random, now=NOON)
    hours = 0
    while not stream.ended:
        hours += 1
        pull_all(stream, seconds(hours * 3600))
    return hours


def test_a_stream_lives_80_to_100_percent_of_its_lifetime() -> None:
    assert {hours_of(seed) for seed in range(40)} == {20, 21, 22, 23, 24}


def test_reconnections_are_spread_over_a_second() -> None:
    random = Random(1)
    waits = [reconnect_after(random) for _ in range(2000)]

    assert 1000 <= min(waits) < 1010
    assert 1990 < max(waits) <= 2000


# conflation


def conflated(tape: Tape, start: Start = None, milliseconds: int = 100, *, batched: bool = False) -> Stream:
    """Return a conflated data connection."""
    session = make_session()
    session.conflate = milliseconds
    return make_stream(tape, session, start, batched=batched)


def test_a_window_is_sent_whole_after_it_has_closed() -> None:
    tape = make_tape()
    stream = conflated(tape, "latest")
    pull_all(stream, NOON)
    put(tape, quote("A"), placed=NOON)
    put(tape, quote("B"), trade("A"), quote("A"), trade("A"), placed=NOON + 99 * MS)

    assert pull_all(stream, NOON + 100 * MS - 1) == []
    assert numbers(pull_all(stream, NOON + 100 * MS)) == [2, 3, 4, 5]


def test_a_tick_at_the_edge_belongs_to_the_next_window() -> None:
    tape = make_tape()
    stream = conflated(tape, "latest")
    pull_all(stream, NOON)
    put(tape, quote("A"), placed=NOON + 100 * MS - 1)
    put(tape, quote("A"), placed=NOON + 100 * MS)

    assert numbers(pull_all(stream, NOON + 100 * MS)) == [1]
    assert numbers(pull_all(stream, NOON + 200 * MS)) == [2]


def test_without_a_cursor_it_begins_at_the_end_of_the_last_closed_window() -> None:
    tape = make_tape()
    put(tape, quote("A", 1), placed=NOON)
    put(tape, quote("A", 2), placed=NOON + 150 * MS)
    hello, snapshot = pull_all(conflated(tape), NOON + 160 * MS)

    assert (hello["cursor"], hello["newest"], snapshot["cursor"]) == ("1000-1", "1000-1", "1000-1")
    assert numbers(snapshot["quotes"]) == [1]


def test_the_first_frame_begins_at_the_clients_cursor() -> None:
    tape = make_tape()
    put(tape, quote("A"), quote("B"), quote("A"), placed=NOON)
    stream = conflated(tape, place(2), batched=True)
    pull_all(stream, NOON)
    [batch] = pull_all(stream, NOON + 100 * MS)

    assert (batch["from"], batch["to"], numbers([batch])) == ("1000-2", "1000-3", [3])


MOMENTS = st.lists(st.tuples(st.integers(0, 90), st.sampled_from("AB"), st.booleans()), max_size=25)


@given(MOMENTS, st.sampled_from([20, 70, 100]), st.booleans())
def test_live_and_replayed_frames_are_the_same_and_no_cursor_lies_inside_an_open_window(
    market: list[tuple[int, str, bool]], milliseconds: int, batched: bool
) -> None:
    tape = make_tape()
    live, now, events, open_windows = conflated(tape, "latest", milliseconds, batched=batched), NOON, [], []
    events += pull_all(live, now)
    for wait, symbol, is_quote in market:
        now += wait * MS
        events += pull_all(live, now)
        put(tape, quote(symbol) if is_quote else trade(symbol), placed=now)
        seen = [Cursor.parse(each["cursor"]) for each in pull_all(live, now) if "cursor" in each]
        closed = tape.ring.placed_before(now - now % (milliseconds * MS))
        open_windows += [cursor for cursor in seen if cursor.seq > closed]
    end = now + SECOND
    events += pull_all(live, end)
    replayed = pull_all(conflated(tape, place(0), milliseconds, batched=batched), end)

    assert open_windows == []
    assert numbers(events) == numbers(replayed)
    assert numbers(events) == sorted(set(numbers(events)))
    assert replayed[0]["replay"] == len(numbers(replayed))


def test_bars_stand_at_their_places_in_a_frame() -> None:
    tape = tape_of(trade("A"))
    session = make_session(types=("trade", "bar"), interval="1s")
    session.conflate = 100
    stream = make_stream(tape, session, "latest", now=NOON)
    pull_all(stream, NOON + 100 * MS)
    put(tape, trade("A"), trade("A", ts=NOON + SECOND), placed=NOON + 100 * MS)

    assert kinds(pull_all(stream, NOON + 200 * MS)) == ["trade", "bar", "trade"]


# changes of the subscription


def test_names_added_begin_at_one_place_with_a_snapshot_of_their_own() -> None:
    tape = tape_of(quote("A"), quote("B"), trade("B"))
    session = make_session("A")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    session.change("subscribe", Wish(("B", "C")), 3)
    subscription, snapshot = pull_all(stream, NOON)
    put(tape, quote("B"), quote("A"))

    assert subscription == {
        "type": "subscription",
        "cursor": "1000-3",
        "symbols": ["A", "B", "C"],
        "types": ["quote", "trade"],
        "unknown": ["C"],
    }
    assert (snapshot["scope"], snapshot["cursor"]) == ("added", "1000-3")
    assert (numbers(snapshot["quotes"]), numbers(snapshot["trades"])) == ([2], [3])
    assert numbers(pull_all(stream, NOON)) == [4, 5]


def test_what_was_due_up_to_the_change_comes_before_it_and_what_is_added_only_after_it() -> None:
    tape = tape_of(*[quote("A"), quote("B")] * 3)
    session = make_session("A")
    stream = make_stream(tape, session, place(0))
    stream.pull(NOON)
    session.change("subscribe", Wish(("B",)), 6)
    put(tape, quote("A"), quote("B"))
    events = pull_all(stream, NOON)

    assert [each for each in kinds(events) if each != "heartbeat"] == [
        *("quote", "quote", "quote"),
        *("subscription", "snapshot"),
        *("quote", "quote"),
    ]
    assert numbers(events) == [1, 3, 5, 7, 8]
    assert {each["cursor"] for each in events if each["type"] in ("subscription", "snapshot")} == {"1000-6"}


def test_a_change_comes_in_the_same_pull_though_nothing_was_due_up_to_it() -> None:
    tape = tape_of(quote("A"))
    session = make_session("A")
    stream = make_stream(tape, session, place(1))
    pull_all(stream, NOON)
    put(tape, *[quote("B")] * 5)
    session.change("subscribe", Wish(("B",)), 6)

    assert kinds(read(stream.pull(NOON))) == ["subscription", "snapshot"]


def test_names_taken_away_send_nothing_more_and_their_unsent_ticks_are_dropped() -> None:
    tape = tape_of(quote("A"))
    session = make_session("A", "B")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    put(tape, quote("B"), quote("A"))
    session.change("unsubscribe", Wish(("B",)), 3)
    put(tape, quote("B"), quote("A"))
    events = pull_all(stream, NOON)

    assert kinds(events) == ["quote", "subscription", "quote"]
    assert numbers(events) == [3, 5]
    assert events[1]["symbols"] == ["A"]


def test_a_type_that_is_added_brings_a_snapshot_of_that_type_only() -> None:
    tape = tape_of(quote("A"), trade("A"))
    session = make_session("A", types=("quote",))
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    session.change("subscribe", Wish(types=("trade", "bar")), 2)
    subscription, snapshot = pull_all(stream, NOON)

    assert subscription["types"] == ["quote", "trade", "bar"]
    assert (snapshot["quotes"], numbers(snapshot["trades"])) == ([], [2])


@pytest.mark.parametrize("wish", [Wish(types=("quote", "trade", "bar")), Wish(interval="5s")])
def test_bars_bring_no_snapshot(wish: Wish) -> None:
    session = make_session("A")
    stream = make_stream(tape_of(quote("A")), session, "latest")
    pull_all(stream, NOON)
    session.change("set", wish, 1)

    assert kinds(pull_all(stream, NOON)) == ["subscription"]


def test_a_glob_brings_a_snapshot_of_what_was_not_there_before_and_of_later_symbols_only_ticks() -> None:
    tape = tape_of(quote("A1"), quote("A2"))
    session = make_session("A1")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    session.change("subscribe", Wish(("A*",)), 2)
    events = pull_all(stream, NOON)
    assert numbers(events[1]["quotes"]) == [2]
    put(tape, quote("A3"))

    assert kinds(pull_all(stream, NOON)) == ["quote"]


def test_a_client_that_resumes_at_or_before_a_change_meets_the_same_steps_again() -> None:
    tape = tape_of(quote("A"), quote("B"))
    session = make_session("A")
    stream = make_stream(tape, session, place(0))
    pull_all(stream, NOON)
    session.change("subscribe", Wish(("B",)), 2)
    steps = pull_all(stream, NOON)
    put(tape, quote("B"), quote("A"))

    for after, before in [(0, [1]), (1, []), (2, [])]:
        events = pull_all(make_stream(tape, session, place(after)), NOON)
        assert [each for each in events if each["type"] in ("subscription", "snapshot")] == steps
        assert numbers(events) == [*before, 3, 4]
        # What hello counts holds across the change too.
        assert events[0]["replay"] == len(before) + 2
        assert events[0]["symbols"] == ["A"]
    later = pull_all(make_stream(tape, session, place(3)), NOON)
    assert kinds(later) == ["hello", "quote", "heartbeat"]
    assert later[0]["symbols"] == ["A", "B"]


def test_several_changes_at_one_place_come_as_one() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("C"))
    session = make_session("A")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    session.change("subscribe", Wish(("B",)), 3)
    session.change("subscribe", Wish(("C",)), 3)
    subscription, snapshot = pull_all(stream, NOON)

    assert subscription["symbols"] == ["A", "B", "C"]
    assert numbers(snapshot["quotes"]) == [2, 3]


def test_changes_at_several_places_come_one_after_the_other() -> None:
    tape = tape_of(quote("A"), quote("B"), quote("C"))
    session = make_session("A")
    stream = make_stream(tape, session, place(0))
    stream.pull(NOON)
    session.change("subscribe", Wish(("B",)), 2)
    put(tape, quote("B"), quote("C"))
    session.change("subscribe", Wish(("C",)), 4)
    put(tape, quote("C"))
    events = [each for each in pull_all(stream, NOON) if each["type"] != "heartbeat"]

    assert kinds(events) == ["quote", "subscription", "snapshot", "quote", "subscription", "snapshot", *["quote"] * 2]
    assert numbers(events) == [1, 4, 5, 6]


def test_a_stream_that_begins_without_a_cursor_has_the_subscription_of_now() -> None:
    tape = tape_of(quote("A"), quote("B"))
    session = make_session("A")
    session.change("subscribe", Wish(("B",)), 2)

    starts: list[Start] = [None, "latest", "earliest"]
    for start in starts:
        events = pull_all(make_stream(tape, session, start), NOON)
        assert events[0]["symbols"] == ["A", "B"]
        assert "subscription" not in kinds(events)


def test_a_change_that_was_waiting_when_the_client_fell_behind_comes_after_the_snapshot() -> None:
    tape = tape_of(quote("A"), size=3)
    session = make_session("A")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    session.change("subscribe", Wish(("B",)), 1)
    put(tape, *[quote("B")] * 9)
    gap, snapshot, subscription = pull_all(stream, NOON)

    assert kinds([gap, snapshot, subscription]) == ["gap", "snapshot", "subscription"]
    assert (snapshot["scope"], len(snapshot["quotes"])) == ("all", 2)
    assert subscription["cursor"] == snapshot["cursor"]
    assert subscription["symbols"] == ["A", "B"]


def test_a_change_in_the_middle_of_a_window_waits_for_nothing_else() -> None:
    tape = make_tape()
    session = make_session("A")
    stream = make_stream(tape, session, "latest")
    pull_all(stream, NOON)
    put(tape, quote("A"), placed=NOON)
    session.change("subscribe", Wish(("B",)), 1)
    session.conflate = 100
    put(tape, quote("A"), quote("B"), placed=NOON + MS)
    assert pull_all(stream, NOON + MS) == []
    events = pull_all(stream, NOON + 100 * MS)

    assert kinds(events) == ["quote", "subscription", "snapshot", "quote", "quote"]


# pause


def test_a_paused_stream_stays_open_with_heartbeats_at_the_kept_cursor_and_play_goes_on() -> None:
    tape = tape_of(quote())
    session = make_session()
    stream = make_stream(tape, session, place(1))
    pull_all(stream, NOON)
    session.paused = True
    put(tape, quote(), quote())

    assert pull_all(stream, seconds(14)) == []
    assert not stream.due(seconds(14))
    [heartbeat] = pull_all(stream, seconds(15))
    assert (heartbeat["cursor"], heartbeat["newest"]) == ("1000-1", "1000-3")
    session.paused = False
    assert stream.due(seconds(16))
    assert numbers(pull_all(stream, seconds(16))) == [2, 3]


def test_a_pause_holds_after_a_reconnect() -> None:
    tape = tape_of(quote(), quote())
    session = make_session()
    session.paused = True
    stream = make_stream(tape, session, place(1))

    assert kinds(pull_all(stream, NOON)) == ["hello"]
    session.paused = False
    assert numbers(pull_all(stream, NOON)) == [2]


def test_without_a_cursor_a_paused_client_jumps_to_now() -> None:
    tape = tape_of(quote(), quote())
    session = make_session()
    session.paused = True

    assert kinds(pull_all(make_stream(tape, session), NOON)) == ["hello", "snapshot"]


def test_what_went_during_a_pause_is_evicted() -> None:
    tape = tape_of(quote(), size=3)
    session = make_session()
    stream = make_stream(tape, session, place(1))
    pull_all(stream, NOON)
    session.paused = True
    put(tape, *[quote()] * 9)
    [heartbeat] = pull_all(stream, seconds(15))
    assert heartbeat["cursor"] == "1000-1"
    session.paused = False
    gap, snapshot = pull_all(stream, seconds(16))

    assert gap == {"type": "gap", "from": "1000-2", "to": "1000-10", "lost": 9, "reason": "evicted"}
    assert snapshot["cursor"] == "1000-10"
    put(tape, *[quote()] * 9)
    assert pull_all(stream, seconds(16))[0]["reason"] == "slow"


@pytest.mark.parametrize(("start", "reason"), [(place(1), "evicted"), (place(1, epoch=999), "restarted")])
def test_a_paused_client_whose_cursor_is_gone_hears_so_when_it_plays(start: Start, reason: str) -> None:
    tape = tape_of(*[quote()] * 9, size=3)
    session = make_session()
    session.paused = True
    stream = make_stream(tape, session, start)
    [hello] = pull_all(stream, NOON)
    assert (hello["cursor"], hello["resumed"], hello["follows"]) == (str(start), False, None)
    assert pull_all(stream, seconds(15))[0]["cursor"] == str(start)
    session.paused = False
    gap, snapshot = pull_all(stream, seconds(16))

    assert (gap["reason"], gap["to"], snapshot["cursor"]) == (reason, "1000-9", "1000-9")


def test_an_unknown_place_is_no_place_to_pause_at() -> None:
    session = make_session()
    session.paused = True

    assert kinds(pull_all(make_stream(tape_of(quote()), session, "unknown"), NOON)) == ["hello", "gap", "snapshot"]


def test_a_change_during_a_pause_comes_when_it_is_over() -> None:
    tape = tape_of(quote("A"), quote("B"))
    session = make_session("A")
    stream = make_stream(tape, session, place(2))
    pull_all(stream, NOON)
    session.paused = True
    session.change("subscribe", Wish(("B",)), 2)

    assert pull_all(stream, NOON) == []
    session.paused = False
    assert kinds(pull_all(stream, NOON)) == ["subscription", "snapshot"]


# due


def test_due_says_whether_the_next_pull_has_something_to_read() -> None:
    tape = tape_of(quote())
    stream = make_stream(tape)

    assert not stream.due(NOON)
    pull_all(stream, NOON)
    assert not stream.due(NOON)
    put(tape, quote())
    assert stream.due(NOON)


def test_a_long_replay_comes_in_pieces() -> None:
    ticks: list[Tick] = [quote()] * (3 * STRIDE)
    stream = make_stream(tape_of(*ticks, size=4 * STRIDE), start=place(7))
    stream.pull(NOON)

    assert len(stream.pull(NOON)) == STRIDE - 7
    assert stream.due(NOON)
    assert len(stream.pull(NOON)) == STRIDE


def test_a_change_at_the_newest_place_is_met_after_the_replay_and_its_heartbeat_is_not_lost() -> None:
    tape = tape_of(quote("A"), quote("B"))
    session = make_session("A")
    session.change("subscribe", Wish(("B",)), 2)
    events = pull_all(make_stream(tape, session, place(0)), NOON)

    assert (events[0]["replay"], numbers(events)) == (1, [1])
    assert kinds(events) == ["hello", "quote", "subscription", "snapshot", "heartbeat"]


def test_a_change_made_while_a_place_that_is_gone_is_paused_is_told_on_play() -> None:
    tape = tape_of(*(quote("A", bid) for bid in range(1, 31)), size=10)
    session = make_session()
    session.change("set", Wish(symbols=("A",)), 1)
    session.paused = True
    stream = make_stream(tape, session, place(5))
    [hello] = pull_all(stream, NOON)
    session.change("subscribe", Wish(symbols=("B",)), 30)
    session.paused = False

    events = pull_all(stream, NOON)

    assert hello["symbols"] == ["A"]
    assert kinds(events) == ["gap", "snapshot", "subscription"]
    assert events[-1]["symbols"] == ["A", "B"]
