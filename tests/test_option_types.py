"""Type checkers find a misspelt option, and one of the wrong type."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rivet_runner.config import RunnerConfig, RunnerOptions

PROGRAM = """
from typing import Unpack
from rivet_runner import Runner, RunnerConfig
from rivet_runner.asgi import AsgiRunner
from rivet_runner.config import RunnerOptions

class Mine(Runner):
    def __init__(self, size: int, **options: Unpack[RunnerOptions]) -> None:
        super().__init__(**options)

Mine(1, runner_name="x", sleep_after=5, token=None)
Runner(RunnerConfig(), namespace="x")
Runner(runer_name="x")
Runner(sleep_after="5")
Mine(1, stop_timout=5)
AsgiRunner(None, nonsense=1)
RunnerConfig().replace(versoin=2)
RunnerConfig.from_env(total_slots="many")
"""
GOOD_LINES = 11


def test_every_field_of_a_config_is_an_option() -> None:
    assert {*RunnerOptions.__annotations__} == {*RunnerConfig.__struct_fields__}


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_wrong_options_are_type_errors(checker: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.lstrip())
    command = shutil.which(checker, path=str(Path(sys.executable).parent))
    assert command is not None
    arguments = ["--pythonpath", sys.executable] if checker == "pyright" else ["--strict", "--no-incremental"]
    found = subprocess.run([command, *arguments, str(program)], capture_output=True, text=True, timeout=300, check=False)
    reported = {
        int(line.split("program.py:")[1].split(":")[0])
        for line in found.stdout.splitlines()
        if "error" in line and ":" in line
    }
    wrong = {*range(GOOD_LINES + 1, len(PROGRAM.strip().splitlines()) + 1)}
    assert reported == wrong, found.stdout + found.stderr
