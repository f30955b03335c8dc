"""Runs the programs of the guides in a folder of their own, as a reader would who has copied all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import PROJECT, save_programs

__all__ = ["check_types", "run_copies"]

RUNNERS = """
import importlib
import pytest
from rivet_runner import Runner
from rivet_runner.actors import App

@pytest.mark.parametrize("name", {names!r})
def test_runner_can_be_made_when_a_program_has_one(name):
    for found in [*vars(importlib.import_module(name)).values()]:
        if isinstance(found, type) and issubclass(found, Runner) and found.__module__ == name:
            found(runner_name="x")
        if isinstance(found, App):
            found.runner()
"""
"""Also imports the programs that have no test."""


PYTEST = (
    *("pytest", "-W", "error", "-p", "no:cacheprovider", "-rA"),
    *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
)
MYPY = ("mypy", "--strict", "--python-version=3.11", f"--cache-dir={PROJECT / '.mypy_cache'}")


def _output_of(*call: str, folder: Path) -> tuple[int, str]:
    # The package of this checkout, also if another one is installed.
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "MYPYPATH": str(PROJECT)}
    ran = subprocess.run(
        [sys.executable, "-m", *call, "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def run_copies(folder: Path, *, needs_engine: bool) -> None:
    """Import each program, make a runner of each class in it, and run its tests with pytest."""
    # One process for all of them: importing FastAPI takes longer than all the rest.
    names = save_programs(folder, needs_engine=needs_engine)
    (folder / "test_runners.py").write_text(RUNNERS.format(names=names))
    status, output = _output_of(*PYTEST, folder=folder)
    assert status == 0, output
    assert " skipped" not in output, output


def check_types(folder: Path, *, needs_engine: bool) -> None:
    save_programs(folder, needs_engine=needs_engine)
    status, output = _output_of(*MYPY, folder=folder)
    assert status == 0, output
