"""The ledger: what is missing and what came twice, counted from cursors alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.client.messages import Gap, Heartbeat, Hello
from ticker.core.cursor import Cursor
from ticker.tools.load.ledger import Batch, Counts, Ledger


def at(text: str) -> Cursor:
    return Cursor.parse(text)


def batch(start: str | None, to: str, *places: str) -> Batch:
    return Batch(at(start) if start else None, at(to), tuple(map(at, places)), (0,) * len(places))


def standing(place: str, *, whole: bool = True) -> tuple[Ledger, Counts]:
    counts = Counts()
    ledger = Ledger(counts, whole)
    ledger.hello(Hello(place, place))
    return ledger, counts


def seqs(first: int, last: int) -> list[str]:
    return [f"1-{seq}" for seq in range(first, last + 1)]


@pytest.mark.parametrize("whole", [True, False])
def test_what_goes_on_where_the_client_stands_is_counted_and_nothing_else(whole: bool) -> None:
    ledger, counts = standing("1-5", whole=whole)
    ledger.batch(batch("1-5", "1-7", "1-6", "1-7"))
    ledger.batch(batch("1-3", "1-8", "1-8"))

    assert counts == Counts(received=3, messages=2)
    assert ledger.position == at("1-8")


@given(st.lists(st.sampled_from(["send", "drop", "repeat"]), min_size=1, max_size=60), st.integers(1, 5))
def test_each_tick_of_the_market_that_was_dropped_or_repeated_is_counted(fates: list[str], size: int) -> None:
    sent = [
        f"1-{seq}"
        for seq, fate in enumerate(fates, 1)
        for _ in range({"send": 1, "drop": 0, "repeat": 2}[fate])
    ]  # fmt: skip
    ledger, counts = standing("1-0")
    for begin in range(0, len(sent), size):
        places = sent[begin : begin + size]
        ledger.batch(batch(None, places[-1], *places))
    ledger.heartbeat(Heartbeat(f"1-{len(fates)}", f"1-{len(fates)}", len(sent)))

    assert counts.missing == fates.count("drop")
    assert counts.duplicates == fates.count("repeat")
    assert counts.received == len(fates) - fates.count("drop")


def test_a_batch_that_begins_after_the_client_is_a_break_and_a_loss() -> None:
    ledger, counts = standing("1-5")
    ledger.batch(batch("1-8", "1-9", "1-9"))

    assert (counts.breaks, counts.missing, counts.received) == (1, 3, 1)


def test_with_a_filter_a_break_is_seen_and_a_loss_is_not_known() -> None:
    ledger, counts = standing("1-5", whole=False)
    ledger.batch(batch("1-8", "1-12", "1-9"))

    assert (counts.breaks, counts.missing, counts.received) == (1, 0, 1)


def test_with_a_filter_holes_are_no_loss_until_a_heartbeat_says_what_was_sent() -> None:
    ledger, counts = standing("1-5", whole=False)
    ledger.batch(batch("1-5", "1-20", "1-9", "1-15"))
    assert counts == Counts(received=2, messages=1)
    ledger.heartbeat(Heartbeat("1-30", "1-30", 4))
    ledger.heartbeat(Heartbeat("1-40", "1-40", 4))

    assert (counts.missing, counts.breaks) == (2, 1)
    assert ledger.position == at("1-40")


def test_a_batch_that_leaves_out_its_end_is_a_loss() -> None:
    ledger, counts = standing("1-5")
    ledger.batch(batch("1-5", "1-9", "1-6", "1-7"))

    assert (counts.missing, ledger.position) == (2, at("1-9"))


def test_an_announced_gap_is_no_silent_loss_and_counts_once() -> None:
    ledger, counts = standing("1-5")
    gap = Gap("1-6", "1-20", 15, "evicted")
    ledger.gap(gap)
    ledger.begin()
    ledger.gap(gap)
    ledger.snapshot("1-20", "all")
    ledger.batch(batch("1-20", "1-21", "1-21"))

    assert counts == Counts(received=1, messages=1, gaps=1, gap_ticks=15)


def test_what_lies_before_an_announced_gap_must_have_come() -> None:
    ledger, counts = standing("1-5")
    ledger.gap(Gap("1-9", "1-20", 12, "slow"))
    ledger.snapshot("1-20", "all")

    assert (counts.missing, counts.gap_ticks) == (3, 12)


def test_a_gap_from_an_unknown_place_has_no_number() -> None:
    ledger, counts = standing("1-5")
    ledger.gap(Gap(None, "2-20", None, "unknown"))
    ledger.snapshot("2-20", "all")

    assert (counts.gaps, counts.gap_ticks, counts.missing, ledger.position) == (1, 0, 0, at("2-20"))


def test_a_snapshot_in_place_of_a_replay_is_a_silent_loss() -> None:
    ledger, counts = standing("1-5")
    ledger.begin()
    ledger.hello(Hello("1-9", "1-9", "snapshot"))
    ledger.snapshot("1-9", "all")

    assert (counts.breaks, counts.missing, ledger.position) == (1, 4, at("1-9"))


def test_a_stream_that_goes_on_elsewhere_is_found_out_by_its_first_batch() -> None:
    ledger, counts = standing("1-5")
    ledger.begin()
    ledger.hello(Hello("1-9", "1-9"))
    ledger.batch(batch("1-9", "1-10", "1-10"))

    assert (counts.breaks, counts.missing) == (1, 4)


def test_an_added_snapshot_and_a_change_move_on() -> None:
    ledger, counts = standing("1-5", whole=False)
    ledger.snapshot("1-7", "added")
    ledger.move("1-9")

    assert (ledger.position, counts) == (at("1-9"), Counts())


def test_a_new_epoch_goes_on_from_its_first_tick() -> None:
    ledger, counts = standing("1-5")
    ledger.batch(batch("1-5", "2-2", "1-6", "2-1", "2-2"))
    assert counts == Counts(received=3, messages=1)
    ledger.batch(batch("2-2", "3-3", "3-3"))

    assert counts.missing == 2


def test_a_client_without_its_cursor_passes_over_what_it_missed() -> None:
    ledger, counts = standing("1-5")
    ledger.begin(forget=True)
    ledger.hello(Hello("1-9", "1-9"))
    ledger.batch(batch("1-9", "1-10", "1-10"))

    assert counts == Counts(received=1, messages=1, skipped=4)


def test_so_does_one_that_begins_with_a_snapshot() -> None:
    ledger, counts = standing("1-5")
    ledger.begin(forget=True)
    ledger.snapshot("1-9", "all")

    assert counts == Counts(skipped=4)


def test_answers_to_polls_count_the_empty_ones() -> None:
    ledger, counts = Ledger(counts := Counts(), whole=True), counts
    ledger.page(batch(None, "1-4"))
    ledger.page(batch("1-4", "1-4"))
    ledger.page(batch("1-4", "1-6", *seqs(5, 6)))
    ledger.begin(forget=True)
    ledger.page(batch(None, "1-9", "1-9"))

    assert counts == Counts(received=3, messages=2, empty=2, skipped=2)


def test_counts_add_and_subtract() -> None:
    assert Counts(3, 1) + Counts(2, 1) - Counts(1, 1) == Counts(4, 1)
