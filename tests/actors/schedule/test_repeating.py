"""The ticks of what repeats."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner.actors._schedule.repeating import LONGEST_EXPRESSION, Cron, Every
from tests.support.examples import examples

BERLIN = "Europe/Berlin"

milliseconds = st.integers(0, 4_000_000_000_000)


def at(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shown(milliseconds: int | None, zone: str = "UTC") -> str:
    assert milliseconds is not None
    return datetime.fromtimestamp(milliseconds / 1000, ZoneInfo(zone)).isoformat(" ", "minutes")


def ticks(cron: Cron, after: str, count: int) -> list[str]:
    now = at(after, cron.tz)
    found = []
    for _ in range(count):
        tick = cron.tick_after(0, now)
        found.append(shown(tick, cron.tz))
        assert tick is not None
        now = tick
    return found


@settings(max_examples=examples(300))
@given(st.integers(1, 10**12), milliseconds, milliseconds)
def test_an_interval_has_one_next_tick_in_step_with_every_other(interval: int, tick: int, after: int) -> None:
    following = Every(interval).tick_after(tick, after)
    assert after < following <= after + interval
    assert (following - tick) % interval == 0


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_must_be_positive(interval: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        Every(interval).check()


def test_cron_follows_its_expression() -> None:
    assert ticks(Cron("30 9 * * MON-FRI", "UTC"), "2026-11-27T10:00", 2) == [
        "2026-11-30 09:30+00:00",
        "2026-12-01 09:30+00:00",
    ]
    assert ticks(Cron("*/20 * * * *", "UTC"), "2026-11-27T10:00", 2) == ["2026-11-27 10:20+00:00", "2026-11-27 10:40+00:00"]
    assert ticks(Cron("0 0 L * *", "UTC"), "2028-02-01T00:00", 1) == ["2028-02-29 00:00+00:00"]
    assert Cron("*/10 * * * * *", "UTC").tick_after(0, at("2026-11-27T10:00:05")) == at("2026-11-27T10:00:10")


def test_cron_hours_are_those_of_the_time_zone() -> None:
    cron = Cron("0 9 * * *", BERLIN)
    assert ticks(cron, "2026-10-24T08:00", 2) == ["2026-10-24 09:00+02:00", "2026-10-25 09:00+01:00"]


def test_an_hour_that_does_not_exist_is_made_up_for() -> None:
    # In 2026 the clocks of Berlin go from 02:00 to 03:00 on 29 March.
    cron = Cron("30 2 * * *", BERLIN)
    expected = ["2026-03-28 02:30+01:00", "2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"]
    assert ticks(cron, "2026-03-28T00:00", 3) == expected


def test_an_hour_that_comes_twice_has_one_tick() -> None:
    # In 2026 the clocks of Berlin go from 03:00 to 02:00 on 25 October.
    cron = Cron("30 2 * * *", BERLIN)
    expected = ["2026-10-24 02:30+02:00", "2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]
    assert ticks(cron, "2026-10-24T00:00", 3) == expected


def test_the_first_of_two_same_hours_does_not_come_again_after_a_long_run() -> None:
    in_second_hour = round(datetime(2026, 10, 25, 1, 10, tzinfo=UTC).timestamp() * 1000)
    assert shown(in_second_hour, BERLIN) == "2026-10-25 02:10+01:00"
    assert shown(Cron("30 2 * * *", BERLIN).tick_after(0, in_second_hour), BERLIN) == "2026-10-26 02:30+01:00"


def test_each_hour_of_both_same_hours_has_a_tick_of_an_hourly_cron() -> None:
    cron = Cron("0 * * * *", BERLIN)
    assert ticks(cron, "2026-10-25T01:30", 3) == [
        "2026-10-25 02:00+02:00",
        "2026-10-25 02:00+01:00",
        "2026-10-25 03:00+01:00",
    ]


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from(
        ["* * * * *", "30 2 * * *", "0 */3 * * *", "59 23 31 12 *", "0 0 29 2 *", "15 1 * * SUN", "*/7 * * * * *"]
    ),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]),
    milliseconds,
)
def test_a_tick_of_cron_is_always_later(expression: str, zone: str, after: int) -> None:
    tick = Cron(expression, zone).tick_after(0, after)
    assert tick is not None
    assert tick > after


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "61 * * * *", "* * * * * * *", "0 0 30 2 *", "every day", "*/0 * * * *", "💥 * * * *"]
)
def test_an_expression_that_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="not a cron expression"):
        Cron(expression, "UTC").check()


def test_a_long_expression_is_refused() -> None:
    with pytest.raises(ValueError, match=str(LONGEST_EXPRESSION)):
        Cron("1," * 200 + "1 * * * *", "UTC").check()


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "Europe", "UTC\0"])
def test_a_time_zone_that_is_not_known_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        Cron("* * * * *", zone).check()


def test_cron_that_never_comes_has_no_tick() -> None:
    assert Cron("0 0 1 1 *", "UTC").tick_after(0, at("9999-06-01T00:00")) is None
