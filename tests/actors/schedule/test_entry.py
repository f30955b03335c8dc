"""What becomes of an entry, and its stored form."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner import RecordError
from rivet_runner.actors._schedule.entry import SAME_CLOCK_MS, Entry, decode_entry, encode_entry
from rivet_runner.actors._schedule.repeating import Cron, Every, Repeating
from tests.support.examples import examples

HOUR = 3_600_000
NOW = 1_800_000_000_000


def entry(
    due_ms: int = NOW,
    *,
    attempt: int = 1,
    scheduled_ms: int | None = None,
    repeating: Repeating | None = None,
    method: str = "ping",
) -> Entry:
    scheduled = due_ms if scheduled_ms is None else scheduled_ms
    return Entry("name", method, b"\x80", scheduled, due_ms, attempt, 3, repeating)


def test_what_does_not_repeat_is_over_after_its_run() -> None:
    assert entry().following(NOW) is None


def test_missed_ticks_run_once() -> None:
    following = entry(NOW, repeating=Every(HOUR)).following(NOW + 5 * HOUR + 1)
    assert following == entry(NOW + 6 * HOUR, repeating=Every(HOUR))


def test_a_tick_after_retries_is_in_step_with_those_before() -> None:
    retried = entry(NOW + 9_000, attempt=3, scheduled_ms=NOW, repeating=Every(HOUR))
    assert retried.following(NOW + 10_000) == entry(NOW + HOUR, repeating=Every(HOUR))


def test_a_clock_that_is_set_back_during_a_run_does_not_bring_its_tick_again() -> None:
    following = entry(NOW, repeating=Every(HOUR)).following(NOW - 3 * HOUR)
    assert following is not None
    assert following.due_ms == NOW + HOUR


def test_attempts_wait_twice_as_long_each_time_and_end() -> None:
    failed: Entry | None = entry()
    waits = []
    while failed is not None:
        following = failed.after_failure(NOW)
        if following is not None:
            waits.append((following.attempt, (following.due_ms - NOW) // 1000))
            assert following.scheduled_ms == NOW
        failed = following
    assert waits == [(2, 2), (3, 4), (4, 8)]


def test_no_retry_waits_longer_than_an_hour() -> None:
    patient = msgspec.structs.replace(entry(attempt=900), retries=1000).after_failure(NOW)
    assert patient is not None
    assert patient.due_ms == NOW + HOUR


@pytest.mark.parametrize("repeating", [Every(HOUR), Cron("0 * * * *", "UTC")])
def test_a_clock_that_was_set_back_far_brings_an_earlier_tick(repeating: Repeating) -> None:
    far = repeating.tick_after(NOW, NOW + 1000 * HOUR)
    assert far is not None
    earlier = entry(far, repeating=repeating).by_clock(NOW)
    assert NOW < earlier.due_ms <= NOW + HOUR + SAME_CLOCK_MS
    assert earlier.scheduled_ms == earlier.due_ms


def test_a_clock_that_is_a_little_behind_does_not_bring_a_tick_again() -> None:
    following = entry(NOW, repeating=Every(HOUR)).following(NOW)
    assert following is not None
    assert following.by_clock(NOW - 5_000) is following


@pytest.mark.parametrize("kind", [entry(NOW + 2000 * HOUR), entry(NOW - HOUR, repeating=Every(HOUR))])
def test_what_is_due_once_or_was_missed_stays_at_its_time(kind: Entry) -> None:
    assert kind.by_clock(NOW) is kind


def test_a_retry_comes_within_an_hour_also_after_the_clock_was_set_back() -> None:
    assert entry(NOW + 50 * HOUR, attempt=2, scheduled_ms=NOW).by_clock(NOW).due_ms == NOW + HOUR


def test_the_same_ticks_stay_when_it_is_replaced() -> None:
    before = entry(NOW - 1000, repeating=Every(HOUR))
    assert entry(NOW + HOUR, repeating=Every(HOUR)).in_place_of(before) is before
    changed = entry(NOW + HOUR, repeating=Every(HOUR), method="pong").in_place_of(before)
    assert changed == entry(NOW - 1000, repeating=Every(HOUR), method="pong")


def test_other_ticks_begin_anew_when_it_is_replaced() -> None:
    new = entry(NOW + 60_000, repeating=Every(60_000))
    assert new.in_place_of(entry(NOW - 1000, repeating=Every(HOUR))) is new
    assert new.in_place_of(None) is new


def test_a_changed_call_begins_with_its_first_attempt() -> None:
    before = entry(NOW + 8_000, attempt=4, scheduled_ms=NOW, repeating=Every(HOUR))
    changed = entry(NOW + HOUR, repeating=Every(HOUR), method="pong").in_place_of(before)
    assert (changed.attempt, changed.due_ms) == (1, NOW)
    assert entry(NOW + HOUR, repeating=Every(HOUR)).in_place_of(before) is before


@pytest.mark.parametrize("repeating", [None, Every(5), Cron("0 9 * * *", "Europe/Berlin")])
def test_the_stored_form_keeps_everything(repeating: Repeating | None) -> None:
    kept = entry(NOW + 9, attempt=2, scheduled_ms=NOW, repeating=repeating)
    assert decode_entry("name", encode_entry(kept)) == kept


@settings(max_examples=examples(500))
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x01" + tail))
def test_garbage_is_a_record_error(garbage: bytes) -> None:
    with contextlib.suppress(RecordError):
        decode_entry("name", garbage)


@pytest.mark.parametrize("repeating", [Every(0), Cron("* * * *", "UTC"), Cron("* * * * *", "Nowhere")])
def test_ticks_that_do_not_exist_are_a_record_error(repeating: Repeating) -> None:
    with pytest.raises(RecordError, match="damaged"):
        decode_entry("name", encode_entry(entry(repeating=repeating)))


def test_the_form_of_another_entry_is_a_record_error() -> None:
    with pytest.raises(RecordError, match="belongs to 'name'"):
        decode_entry("other", encode_entry(entry()))


def test_a_later_format_is_a_record_error() -> None:
    with pytest.raises(RecordError, match="version"):
        decode_entry("name", b"\x02" + encode_entry(entry())[1:])
