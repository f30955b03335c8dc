"""The trace of a run: what is kept, and what a reader gets of it."""

from __future__ import annotations

from rivet_runner.testing._simulated.timers import ManualClock
from rivet_runner.testing._simulated.trace import Trace, TraceEntry


def test_reader_gets_what_is_new_with_the_times_since_the_begin() -> None:
    clock = ManualClock()
    trace = Trace(clock)
    trace.add("actor", "a", "started", 1)
    before = trace.added
    clock.now += 1_500
    trace.add("actor", "a", "stopped", 1, None)
    assert trace.since(before) == [TraceEntry(1_500, "actor", "a", "stopped", (1, None))]
    assert [entry.what for entry in trace] == ["started", "stopped"]
    assert trace.time == 1_500


def test_cleared_trace_counts_on_and_shows_what_is_new_alone() -> None:
    trace = Trace(ManualClock())
    trace.add("actor", "a", "started", 1)
    trace.clear()
    assert (trace.added, len(trace), str(trace), trace.since(0)) == (1, 0, "", [])
    trace.add("actor", "a", "stopped", 1)
    assert trace.added == 2
    assert [entry.what for entry in trace.since(0)] == ["stopped"]
    assert trace.last().endswith("a                              stopped 1")
