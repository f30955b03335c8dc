"""Numbers of runners: they are counted, and add up."""

from __future__ import annotations

import pytest

from rivet_runner._observing.report import Report, decode_report, encode_report, sums
from rivet_runner._observing.statistics import BOUNDS, Distribution, Statistics, add, add_each


def report(runner: str = "counter", **numbers: float) -> Report:
    values = {"connected": 0, "blocked": 0.0, "actors": 0, "outbox_messages": 0, "outbox_bytes": 0, "kv_calls": 0}
    return Report(runner=runner, state="running", **{**values, **numbers})  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (BOUNDS[0], 0), (0.0006, 1), (30.0, 14), (31.0, len(BOUNDS))])
def test_duration_counts_up_to_its_bound_when_it_is_observed(seconds: float, place: int) -> None:
    distribution = Distribution()
    distribution.observe(seconds)
    assert [at for at, count in enumerate(distribution.counts) if count] == [place]
    assert distribution.total == seconds


def test_every_number_adds_up_when_statistics_are_added() -> None:
    one, other = Statistics(actor_starts=1), Statistics(actor_starts=2)
    add(one.requests, "200")
    add(other.requests, "200")
    add(other.requests, "500")
    other.request_seconds.observe(0.1)
    other.kv_seconds["get"] = Distribution()
    other.kv_seconds["get"].observe(2.0)
    add_each(one, other)
    assert (one.actor_starts, one.requests) == (3, {"200": 2, "500": 1})
    assert sum(one.request_seconds.counts) == 1
    assert one.kv_seconds["get"].total == 2.0
    assert (other.actor_starts, other.requests) == (2, {"200": 1, "500": 1})


def test_runners_with_one_name_are_one_sum_when_reports_are_added() -> None:
    reports = [report("a", actors=1, blocked=3.0), report("b", actors=5), report("a", actors=2, blocked=1.0)]
    added = sums(reports)
    assert {name: (one.actors, one.blocked) for name, one in added.items()} == {"a": (3, 3.0), "b": (5, 0.0)}
    assert [one.actors for one in reports] == [1, 5, 2]


def test_report_is_the_same_when_it_has_travelled_as_a_line() -> None:
    sent = report(actors=7)
    sent.statistics.loop_lag_seconds.observe(0.3)
    add(sent.statistics.actor_stops, "sleep")
    line = encode_report(sent)
    assert b"\n" not in line
    arrived = decode_report(line)
    assert (arrived.actors, arrived.statistics.actor_stops) == (7, {"sleep": 1})
    assert encode_report(arrived) == line


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"runner": 1}', b"\xff"])
def test_line_is_refused_when_it_is_no_report(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode_report(line)
