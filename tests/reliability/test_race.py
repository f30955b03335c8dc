"""The figures that the restart race makes of its samples."""

from __future__ import annotations

import pytest

from reliability.race.heart import Journal
from reliability.race.probes import Sample, outcome_of
from reliability.race.summary import markdown
from reliability.race.trial import Trial


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
    assert journal.overlap() == 0
    journal.born(0)
    journal.attempted = 2
    journal.acknowledge(1)
    journal.born(2)
    assert (journal.backwards, journal.skipped) == (0, 0)
    journal.born(0)
    journal.born(9)
    assert (journal.backwards, journal.skipped) == (1, 1)
    assert journal.overlap() > 0


def test_generations_do_not_overlap_when_one_ends_before_the_next_begins() -> None:
    journal = Journal()
    for generation in range(3):
        life = journal.born(0)
        life.began, life.ended = generation, generation + 0.5
    assert journal.overlap() == 0


def test_table_is_made_when_a_probe_never_succeeded() -> None:
    seen = {"old WebSocket": samples("closed 1006"), "health": samples(None, None)}
    outcomes = {name: outcome_of(probe) for name, probe in seen.items()}
    trial = Trial("SIGKILL", outcomes, {"generations of the actor": 2})
    table = markdown([trial])
    assert "| old WebSocket | 0.0 (0.0) | closed 1006 ×1 | never | never |" in table
    assert "| health | - | - | - | - |" in table
    assert "| generations of the actor | 2 | 2 |" in table
