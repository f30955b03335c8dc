"""The floor under the coverage, for the whole and for each package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_SCRIPT = Path(__file__).parents[2] / "tools" / "coverage_floor.py"


def run(files: dict[str, tuple[int, int, int, int]], folder: Path) -> tuple[int, list[str]]:
    """Judge files by their statements, covered statements, branches and covered branches."""
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    report = {"files": {name: {"summary": dict(zip(names, counts, strict=True))} for name, counts in files.items()}}
    path = folder / "coverage.json"
    path.write_text(json.dumps(report))
    finished = subprocess.run(
        [sys.executable, str(_SCRIPT), str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.stderr == ""
    return finished.returncode, [" ".join(line.split()) for line in finished.stdout.splitlines()]


def test_the_table_shows_each_package_when_all_is_covered(tmp_path: Path) -> None:
    status, lines = run({"a/x.py": (10, 10, 0, 0), "a/y.py": (5, 5, 2, 2), "a/b/z.py": (3, 3, 0, 0)}, tmp_path)
    assert status == 0
    assert lines == ["a 17 of 17 100.0 %", "a/b 3 of 3 100.0 %", "all 20 of 20 100.0 %"]


@pytest.mark.parametrize(("covered", "status"), [(85, 0), (84, 1)])
def test_it_fails_when_one_package_is_below_its_floor(tmp_path: Path, covered: int, status: int) -> None:
    ended, lines = run({"a/x.py": (1000, 1000, 0, 0), "a/b/z.py": (90, covered - 5, 10, 5)}, tmp_path)
    assert ended == status
    assert ("a/b 84 of 100 84.0 % below the floor of 85" in lines) is bool(status)


@pytest.mark.parametrize(("covered", "status"), [(93, 0), (92, 1)])
def test_it_fails_when_the_whole_is_below_its_floor(tmp_path: Path, covered: int, status: int) -> None:
    ended, lines = run({"a/x.py": (100, covered, 0, 0), "a/empty.py": (0, 0, 0, 0)}, tmp_path)
    assert ended == status
    assert ("all 92 of 100 92.0 % below the floor of 93" in lines) is bool(status)
