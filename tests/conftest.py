"""Tests against the real engine: skipped where it is missing, counted, and required where it matters.

They are required with ``RIVET_REQUIRE_ENGINE=1`` or ``CI=true`` in the environment. Then a missing engine
fails them, and a run in which one is skipped, or none ran, fails as a whole: otherwise a broken
installation would look like success.
"""

from __future__ import annotations

import os

import pytest

from rivet_runner.testing import EngineNotFound
from rivet_runner.testing.engine_binary import find_engine_binary


class EngineTestCount:
    """A plugin that counts the tests marked ``engine`` that ran and that were skipped."""

    def __init__(self) -> None:
        self.ran = 0
        self.skipped = 0
        self._engine_tests: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # Not from a report's keywords later on: those hold the names of folders too.
        self._engine_tests.update(item.nodeid for item in items if item.get_closest_marker("engine"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self._engine_tests:
            return
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped += 1
        elif report.when == "call":
            self.ran += 1

    def __str__(self) -> str:
        return f"engine tests: {self.ran} ran, {self.skipped} skipped"

    @property
    def proves_nothing(self) -> bool:
        return self.ran == 0 or self.skipped > 0


_count_key = pytest.StashKey[EngineTestCount]()


def engine_is_required() -> bool:
    return any(os.environ.get(name, "").lower() in ("1", "true") for name in ("RIVET_REQUIRE_ENGINE", "CI"))


def pytest_configure(config: pytest.Config) -> None:
    count = config.stash[_count_key] = EngineTestCount()
    config.pluginmanager.register(count)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("engine") is None:
        return
    try:
        find_engine_binary()
    except EngineNotFound as error:
        if engine_is_required():
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def pytest_sessionfinish(session: pytest.Session) -> None:
    count = session.config.stash[_count_key]
    if engine_is_required() and count.proves_nothing and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count = config.stash[_count_key]
    terminalreporter.write_line(str(count))
    if engine_is_required() and count.proves_nothing:
        terminalreporter.write_line(
            "FAILED: RIVET_REQUIRE_ENGINE or CI is set, so no engine test may be skipped and one must run",
            red=True,
        )
