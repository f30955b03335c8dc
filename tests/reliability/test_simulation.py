"""The simulation: the runner keeps its promises for some hundred seeds, and each planted fault is seen."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability.simulation import __main__ as command
from reliability.simulation.pool import run_seeds
from reliability.simulation.run import LOGGERS, run_seed
from rivet_runner._hosting.generation import Generation
from tests.reliability.planted_faults import PLANTED, SEEN_BY_ITS_COMPLAINT, TYPED_PLANTED, PlantedFault

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]

SEEDS = {3: 300, 7: 90}
"""For each protocol."""

TYPED_SEEDS = {3: 100, 7: 40}

SEEDS_IN_PART = 10
PARTS = {protocol: seeds // SEEDS_IN_PART for protocol, seeds in SEEDS.items()}
TYPED_PARTS = {protocol: seeds // SEEDS_IN_PART for protocol, seeds in TYPED_SEEDS.items()}

UNTIL_SEEN = 400
"""Seeds within which a planted fault is seen. The rarest is seen once in some 60."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A run logs what its faults cause, and a planted fault more than that."""
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in LOGGERS]
    for logger, _ in before:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in before:
        logger.setLevel(level)


def plant(monkeypatch: pytest.MonkeyPatch, fault: PlantedFault) -> None:
    monkeypatch.setattr(fault.owner, fault.method, fault.mutation(getattr(fault.owner, fault.method)))


@pytest.mark.parametrize(
    ("protocol", "part"),
    [
        pytest.param(protocol, part, marks=[pytest.mark.slow] if part else [])
        for protocol, parts in PARTS.items()
        for part in range(parts)
    ],
)
def test_runner_keeps_its_promises(protocol: int, part: int) -> None:
    outcomes = [run_seed(seed, protocol=protocol) for seed in range(part, SEEDS[protocol], PARTS[protocol])]
    assert [(outcome.seed, outcome.violations) for outcome in outcomes if outcome.violations] == []
    assert sum(outcome.faults for outcome in outcomes) > 5 * len(outcomes)


@pytest.mark.parametrize("number", PLANTED)
def test_planted_fault_is_seen_by_the_check_of_its_promise(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, PLANTED[number])
    first = PLANTED[number].first_seed
    for seed in range(first, first + UNTIL_SEEN):
        violations = run_seed(seed).violations
        if any(violation.startswith(f"invariant {number}:") for violation in violations):
            return
    pytest.fail(f"none of {UNTIL_SEEN} seeds shows it")


@pytest.mark.parametrize("complaint", SEEN_BY_ITS_COMPLAINT)
def test_planted_fault_is_seen_by_its_complaint(complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = SEEN_BY_ITS_COMPLAINT[complaint]
    plant(monkeypatch, fault)
    seeds = range(fault.first_seed, fault.first_seed + UNTIL_SEEN)
    assert any(complaint in violation for seed in seeds for violation in run_seed(seed).violations)


@pytest.mark.parametrize(
    ("protocol", "part"), [(protocol, part) for protocol, parts in TYPED_PARTS.items() for part in range(parts)]
)
def test_typed_actors_keep_their_promises(protocol: int, part: int) -> None:
    seeds = range(part, TYPED_SEEDS[protocol], TYPED_PARTS[protocol])
    outcomes = [run_seed(seed, protocol=protocol, typed=True) for seed in seeds]
    assert [(outcome.seed, outcome.violations) for outcome in outcomes if outcome.violations] == []
    assert sum(outcome.faults for outcome in outcomes) > 5 * len(outcomes)


@pytest.mark.parametrize("name", TYPED_PLANTED)
def test_a_fault_in_typed_actors_is_seen_by_the_check_of_its_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number, fault = TYPED_PLANTED[name]
    plant(monkeypatch, fault)
    for seed in range(fault.first_seed, fault.first_seed + UNTIL_SEEN):
        violations = run_seed(seed, typed=True).violations
        if any(violation.startswith(f"invariant {number}:") for violation in violations):
            return
    pytest.fail(f"none of {UNTIL_SEEN} seeds shows it")


@pytest.mark.slow
@pytest.mark.parametrize("typed", [False, True])
def test_a_seed_is_the_same_run_when_hashes_differ(typed: bool) -> None:
    outcome = run_seed(3, lines=sys.maxsize, typed=typed)
    here = outcome.trace
    assert here.count("\n") > 500
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-m", "reliability.simulation", "--seed", "3", *(["--typed"] if typed else [])],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        assert done.stdout == f"{here}\nseed 3: every promise was kept, with {outcome.faults} faults\n"


@pytest.mark.slow
def test_the_outcome_does_not_depend_on_the_number_of_processes() -> None:
    alone = [outcome for bunch in run_seeds(range(24), 1) for outcome in bunch]
    shared = [outcome for bunch in run_seeds(range(24), 2) for outcome in bunch]
    assert sorted(shared, key=lambda outcome: outcome.seed) == alone


def test_command_tells_how_to_repeat_a_run_that_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, PLANTED[6])
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "10"])
    assert command.main() == 1
    printed = capsys.readouterr().out
    failed = re.search(r"^seed (\d+): invariant 6: left behind at the end", printed, re.MULTILINE)
    assert failed is not None
    assert f'make simulate ARGS="--seed {failed[1]}"' in printed
    assert "10 seeds" in printed.splitlines()[-1]
    assert "app " in printed, "the last lines of the trace"


def test_command_is_content_when_every_promise_was_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "2", "--first", "5"])
    assert command.main() == 0
    assert "0 failures" in capsys.readouterr().out


def test_command_ends_early_when_nothing_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def never(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Generation, "_start", never)
    monkeypatch.setattr(command, "MOST_FAILURES", 1)
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "100"])
    assert command.main() == 1
    assert "20 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--jobs", "0"], ["--seeds", "x"]])
def test_command_refuses_arguments_that_make_no_sense(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        command.parse(arguments)
