from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tapes import quote
from ticker.core.cursor import Cursor
from ticker.core.ring import Entry, Ring
from ticker.core.wire import tick_json

PLACED = 1_000_000

# Runs of epochs: how many ticks each has.
runs = st.lists(st.integers(0, 9), min_size=1, max_size=5)
sizes = st.integers(1, 12)


def entry(ring: Ring, placed: int = PLACED) -> Entry:
    """Return the next entry of a ring."""
    tick = quote()
    return Entry(tick, tick_json(tick, Cursor(ring.epoch, ring.seq + 1)), ring.newest + 1, placed, (), None)


def filled(size: int, counts: list[int]) -> tuple[Ring, list[Cursor]]:
    """Return a ring through epochs 10, 20, …, and the cursors of all ticks in order."""
    ring, cursors = Ring(size, 10), []
    for number, count in enumerate(counts):
        if number:
            ring.begin(10 * (number + 1))
        for seq in range(1, count + 1):
            ring.append(entry(ring))
            cursors.append(Cursor(ring.epoch, seq))
    return ring, cursors


def test_an_empty_ring_serves_the_place_before_its_first_tick() -> None:
    ring = Ring(5, 10)

    assert (ring.oldest, ring.newest, ring.epoch, ring.seq) == (0, 0, 10, 0)
    assert ring.locate(Cursor(10, 0)) == 0
    assert ring.cursor(0) == Cursor(10, 0)
    assert ring.slice(0, 0) == []


def test_it_serves_from_just_before_the_oldest_kept_tick_up_to_the_newest() -> None:
    ring, _ = filled(3, [5])

    assert [ring.locate(Cursor(10, seq)) for seq in range(7)] == ["evicted", "evicted", 2, 3, 4, 5, "future"]


def test_an_epoch_that_it_never_had_is_restarted_or_future() -> None:
    ring, _ = filled(3, [2])

    assert ring.locate(Cursor(9, 1)) == "restarted"
    assert ring.locate(Cursor(11, 0)) == "future"


def test_it_serves_across_epochs() -> None:
    ring, _ = filled(10, [3, 2])

    assert [ring.locate(Cursor(10, seq)) for seq in range(4)] == [0, 1, 2, 3]
    assert [ring.locate(Cursor(20, seq)) for seq in range(4)] == [3, 4, 5, "future"]
    assert [entry.position for entry in ring.slice(2, 4)] == [3, 4]


def test_a_cursor_beyond_the_end_of_an_earlier_epoch_is_the_place_where_it_ended() -> None:
    ring, _ = filled(10, [3, 2])

    assert ring.locate(Cursor(10, 9)) == 3


def test_an_epoch_is_forgotten_when_no_place_of_it_is_kept() -> None:
    ring, _ = filled(3, [2, 3])

    assert ring.locate(Cursor(10, 2)) == 2
    ring.append(entry(ring))
    assert ring.locate(Cursor(10, 2)) == "restarted"


@pytest.mark.parametrize("epoch", [9, 10])
def test_only_a_larger_epoch_follows(epoch: int) -> None:
    ring, _ = filled(3, [2])
    with pytest.raises(ValueError, match=f"epoch {epoch} does not follow 10"):
        ring.begin(epoch)

    assert (ring.epoch, ring.seq) == (10, 2)


@given(sizes, runs)
def test_what_follows_a_cursor_is_every_later_tick_or_the_reason_why_not(size: int, counts: list[int]) -> None:
    ring, cursors = filled(size, counts)
    kept = cursors[-size:]

    for epoch, count in zip(range(10, 60, 10), counts, strict=False):
        for seq in range(count + 1):
            asked = Cursor(epoch, seq)
            later = cursors[bisect_right(cursors, asked) :]
            found = ring.locate(asked)
            if later == kept[len(kept) - len(later) :]:
                assert isinstance(found, int)
                served = [ring.cursor(entry.position) for entry in ring.slice(found, ring.newest)]
                assert served == later
            else:
                assert found in ("evicted", "restarted")


@given(sizes, runs)
def test_a_place_and_its_cursor_are_names_of_each_other(size: int, counts: list[int]) -> None:
    ring, cursors = filled(size, counts)

    for position in range(ring.oldest, ring.newest + 1):
        cursor = ring.cursor(position)
        assert ring.locate(cursor) == position
        if position:
            assert cursor == cursors[position - 1]


@given(sizes, runs, st.data())
def test_a_slice_is_what_lies_between_two_places(size: int, counts: list[int], data: st.DataObject) -> None:
    ring, _ = filled(size, counts)
    after = data.draw(st.integers(ring.oldest, ring.newest))
    to = data.draw(st.integers(after, ring.newest))

    assert [entry.position for entry in ring.slice(after, to)] == list(range(after + 1, to + 1))


@pytest.mark.parametrize(("after", "to"), [(1, 3), (3, 2), (3, 6)])
def test_a_slice_outside_of_what_is_kept_is_an_error(after: int, to: int) -> None:
    ring, _ = filled(3, [5])
    with pytest.raises(IndexError, match=r"is not within 2\.\.5"):
        ring.slice(after, to)


@pytest.mark.parametrize("position", [-1, 0, 2, 6])
def test_an_entry_that_is_not_kept_is_an_error(position: int) -> None:
    ring, _ = filled(3, [5])
    with pytest.raises(IndexError, match="is not kept"):
        ring[position]


def test_its_memory_is_fixed() -> None:
    ring, _ = filled(3, [50, 50, 50])

    assert (len(ring._entries), len(ring._epochs)) == (3, 1)


def test_an_entry_that_leaves_lets_go_of_the_one_before_it() -> None:
    ring = Ring(2, 10)
    entries: list[Entry] = []
    for _ in range(4):
        newest = entry(ring)
        newest.previous = entries[-1] if entries else None
        entries.append(newest)
        ring.append(newest)

    assert [each.previous for each in entries[:2]] == [None, None]
    assert [each.previous for each in entries[2:]] == entries[1:3]


@given(sizes, st.lists(st.integers(0, 4), max_size=30), st.integers(0, 130))
def test_placed_before_counts_the_ticks_of_earlier_moments(size: int, steps: list[int], moment: int) -> None:
    ring, placed = Ring(size, 10), []
    now = 0
    for step in steps:
        now += step
        ring.append(entry(ring, now))
        placed.append(now)

    assert ring.placed_before(moment) == max(ring.oldest, sum(each < moment for each in placed))


def test_statistics_tell_the_fill_and_the_age_of_the_oldest() -> None:
    ring = Ring(3, 10)

    assert ring.statistics() == {"fill": 0, "size": 3, "oldest_placed": 0}
    for moment in (5, 6, 7, 8):
        ring.append(entry(ring, moment))
    assert ring.statistics() == {"fill": 3, "size": 3, "oldest_placed": 6}
