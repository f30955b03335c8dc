"""One seed is one run, byte for byte, also in another process with other hashes and addresses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulated.scenario import run_scenario

PROJECT = Path(__file__).parents[2]


def run_elsewhere(seed: int, hash_seed: str) -> str:
    """The trace of a run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulated.scenario", str(seed)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
def test_runs_of_one_seed_are_the_same_when_hashes_differ() -> None:
    here = run_scenario(1)
    assert here.count("\n") > 500
    assert run_elsewhere(1, "0") == here
    assert run_elsewhere(1, "4242") == here


@pytest.mark.slow
def test_runs_differ_when_their_seeds_do() -> None:
    assert run_scenario(1) != run_scenario(2)
