"""Tests against the real engine: skipped where it is missing, counted, and required where it matters.

They are required with ``RIVET_REQUIRE_ENGINE=1`` in the environment, or with ``CI=true`` unless ``RIVET_REQUIRE_ENGINE=0``
says that this run does without. Then a missing engine fails them, and a run in which one is skipped, or none ran, fails as a
whole: otherwise a broken installation would look like success.

Modules marked ``both_protocols`` run for each version of the runner protocol. What they test is spelled by a version (init,
commands, events, acknowledgements, pings, drains), or meets such messages on its way. All other modules run once, for one of
two reasons. Either they have no runner: codecs, configuration, the parts of a room by themselves. Or they test what is above
the session and the same for every version: payloads, replays, queues, reads, back-off. ``--protocol 7`` runs everything on
version 7 instead, and ``--protocol 3`` on version 3.

The runs with another version than the default one are ``slow``, except in `TWINS_ARE_QUICK`.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from rivet_runner._session.dialects import DEFAULT_VERSION, VERSIONS
from rivet_runner.testing import EngineNotFound
from rivet_runner.testing.engine_binary import find_engine_binary

NEEDS_ENGINE: Final = ("needs", "engine")
"""A user property, as those reach the main process of a parallel run; not a keyword, since those hold folders' names too."""

TWINS_ARE_QUICK: Final = Path(__file__).parent / "session"
"""Most of the code that differs between the versions of the protocol is in the session."""

# A busy machine is no defect of the code: no example of a property has a time limit, nor has the making of one.
# `make test-fast` asks for fewer examples with `--hypothesis-profile=quick`, and `make test` and CI try all. CI tries the
# same ones each time, so that nothing but the change can fail it.
settings.register_profile("unhurried", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", parent=settings.get_profile("unhurried"), max_examples=10)
settings.register_profile("repeatable", parent=settings.get_profile("unhurried"), derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unhurried"))


class EngineTestCount:
    """A plugin that counts the tests marked ``engine`` that ran and that were skipped."""

    def __init__(self) -> None:
        self.ran = 0
        self.skipped = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if item.get_closest_marker("engine"):
                item.user_properties.append(NEEDS_ENGINE)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Another process hands the pair over as a list.
        if NEEDS_ENGINE not in map(tuple, report.user_properties):
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
    said = os.environ.get("RIVET_REQUIRE_ENGINE") or os.environ.get("CI", "")
    return said.lower() in ("1", "true")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--protocol", type=int, choices=VERSIONS, help="run every test with this version of the runner protocol"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the versions of the runner protocol with which a test runs."""
    definition = metafunc.definition
    if (only := definition.get_closest_marker("only_protocol")) is not None:
        versions = [version for version in VERSIONS if version in only.args]
    elif definition.get_closest_marker("both_protocols") is not None:
        versions = [*VERSIONS]
    else:
        return
    chosen = metafunc.config.getoption("protocol")
    versions = [version for version in versions if chosen in (None, version)]
    twins_are_slow = DEFAULT_VERSION in versions and not definition.path.is_relative_to(TWINS_ARE_QUICK)
    slow = {version: twins_are_slow and version != DEFAULT_VERSION for version in versions}
    cases = [
        pytest.param(version, id=f"v{version}", marks=[pytest.mark.slow] if slow[version] else []) for version in versions
    ]
    metafunc.parametrize("protocol", cases, indirect=True)


@pytest.fixture(autouse=True)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The version of the runner protocol that runners of this test speak, unless the test says otherwise."""
    version: int = getattr(request, "param", None) or request.config.getoption("protocol") or DEFAULT_VERSION
    monkeypatch.setenv("RIVET_RUNNER_PROTOCOL", str(version))
    return version


def pytest_configure(config: pytest.Config) -> None:
    count = config.stash[_count_key] = EngineTestCount()
    config.pluginmanager.register(count)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from looking through thousands of tests, again and again, while more are collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep it from doing so in each of the tests as well."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape the lone surrogates that some tests log: between the processes of a parallel run a report travels as UTF-8."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


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


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Let Ctrl-C reach the programs of the tests, even if a shell's ``&`` ignores it for all of them."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
