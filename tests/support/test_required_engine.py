"""Runs without an engine, as `tests/conftest.py` handles them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_CONFTEST = Path(__file__).parents[1] / "conftest.py"
_ENGINE_TEST = "import pytest\n@pytest.mark.engine\ndef test_with_engine(): pass\n"
_OTHER_TEST = "def test_without_engine(): pass\n"


def run(
    folder: Path,
    content: str,
    *options: str,
    engine: bool = False,
    environment: dict[str, str] | None = None,
) -> tuple[int, str]:
    shutil.copy(_CONFTEST, folder / "conftest.py")
    (folder / "test_it.py").write_text(content)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = engine: needs it\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RIVET_", "CI"))}
    # Other plugins take longer to load than these tests to run.
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    binary = {"RIVET_ENGINE_BINARY": sys.executable} if engine else {}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=kept | binary | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return finished.returncode, finished.stdout


def test_engine_tests_are_skipped_and_the_reason_is_shown_when_there_is_no_engine(tmp_path: Path) -> None:
    status, output = run(tmp_path, _ENGINE_TEST + _OTHER_TEST)
    assert status == 0
    assert "npm install --prefix .engine" in output
    assert "engine tests: 0 ran, 1 skipped" in output
    assert "1 passed, 1 skipped" in output.splitlines()[-1]


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"RIVET_REQUIRE_ENGINE": "1"}], ids=str)
def test_engine_tests_fail_when_the_engine_is_required(tmp_path: Path, environment: dict[str, str]) -> None:
    status, output = run(tmp_path, _ENGINE_TEST + _OTHER_TEST, environment=environment)
    assert status == 1
    assert "npm install --prefix .engine" in output
    assert "engine tests: 0 ran, 0 skipped" in output
    assert "1 passed, 1 error" in output.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (_OTHER_TEST, "0 ran, 0 skipped"),
        (_ENGINE_TEST.replace("pass", "pytest.skip()"), "0 ran, 1 skipped"),
        (_ENGINE_TEST.replace("@", "@pytest.mark.skip\n@"), "0 ran, 1 skipped"),
    ],
)
def test_run_fails_when_the_engine_is_required_and_a_test_of_it_did_not_run(
    tmp_path: Path, content: str, count: str
) -> None:
    status, output = run(tmp_path, content, engine=True, environment={"RIVET_REQUIRE_ENGINE": "1"})
    assert status == 1
    assert f"engine tests: {count}" in output
    assert "no engine test may be skipped" in output
    assert " in " in output.splitlines()[-1]


def test_run_passes_when_the_engine_is_required_and_its_tests_ran(tmp_path: Path) -> None:
    status, output = run(tmp_path, _ENGINE_TEST + _OTHER_TEST, engine=True, environment={"RIVET_REQUIRE_ENGINE": "1"})
    assert status == 0
    assert "engine tests: 1 ran, 0 skipped" in output
    assert "2 passed" in output.splitlines()[-1]


def test_engine_tests_are_counted_when_they_run_in_other_processes(tmp_path: Path) -> None:
    environment = {"RIVET_REQUIRE_ENGINE": "1"}
    parallel = ("-p", "xdist", "-n", "2")
    status, output = run(tmp_path, _ENGINE_TEST + _OTHER_TEST, *parallel, engine=True, environment=environment)
    assert status == 0
    assert "engine tests: 1 ran, 0 skipped" in output


def test_run_passes_when_it_says_that_it_needs_no_engine(tmp_path: Path) -> None:
    environment = {"CI": "true", "RIVET_REQUIRE_ENGINE": "0"}
    status, output = run(tmp_path, _OTHER_TEST, environment=environment)
    assert status == 0
    assert "engine tests: 0 ran, 0 skipped" in output


def test_a_report_arrives_when_a_test_in_another_process_writes_what_is_no_unicode(tmp_path: Path) -> None:
    content = "import logging\ndef test_it():\n    logging.error('\\ud800')\n    assert not 1\n"
    status, output = run(tmp_path, content, "-p", "xdist", "-n", "1")
    assert status == 1
    assert "\\ud800" in output
    assert "1 failed" in output.splitlines()[-1]
