"""What the restart-race harness makes of what it saw."""

from __future__ import annotations

import pytest

from benchmarks.race.heart import Journal
from benchmarks.race.samples import Sample, outcome_of
from benchmarks.race.summary import as_json, markdown
from benchmarks.race.timeline import page
from benchmarks.race.trial import Plan, Trial


def samples(*failures: str | None) -> list[Sample]:
    """One attempt each half second, which takes a tenth."""
    return [Sample(index / 2, 0.1, failure) for index, failure in enumerate(failures)]


def test_times_are_those_of_the_first_failure_and_the_last_recovery_when_it_flaps() -> None:
    outcome = outcome_of(samples(None, "refused", None, "no answer", None, None, None, None, None))
    assert (outcome.first_failure, outcome.failures) == (0.5, {"refused": 1, "no answer": 1})
    assert outcome.first_success == pytest.approx(1.1)
    assert outcome.stable_success == pytest.approx(2.1)


def test_nothing_is_stable_when_the_last_failure_was_just_now() -> None:
    assert outcome_of(samples("refused", None, None)).stable_success is None
    assert outcome_of(samples(None, None, "closed 1006")).first_success is None


def test_the_journal_counts_it_when_a_generation_finds_another_count() -> None:
    journal = Journal()
    journal.born(0, 0)
    journal.attempted = 2
    journal.acknowledge(1)
    journal.born(1, 2)
    assert (journal.backwards, journal.skipped) == (0, 0)
    journal.born(2, 0)
    journal.born(3, 9)
    assert (journal.backwards, journal.skipped) == (1, 1)
    assert journal.overlap() > 0


def test_table_json_and_page_are_made_when_a_probe_never_succeeded() -> None:
    seen = {"old WebSocket": samples("closed <1006>"), "health": samples(None, None)}
    outcomes = {name: outcome_of(probe) for name, probe in seen.items()}
    trial = Trial(Plan("SIGKILL", 0.08, "restart", 60), 0.1, 0.2, seen, outcomes, [], [], 0.0, 0, 0)
    assert "| old WebSocket | 0.0 (0.0) | closed <1006> ×1 | never | never |" in markdown([trial])
    assert b'"signal":"SIGKILL"' in as_json([trial], {})
    assert "closed &lt;1006&gt;" in page([trial])
