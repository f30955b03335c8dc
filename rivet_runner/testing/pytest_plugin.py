"""The pytest plugin of rivet-runner: fixtures with a simulated and with a real engine.

pytest finds it in every project that has rivet-runner and pytest installed. It imports nothing but pytest until a test asks
for one of its fixtures. Your tests are coroutines, so they need pytest-asyncio 1.4 or newer.

* ``rivet`` is a `rivet_runner.testing.SimulatedEngine` on virtual time, on an event loop of the test's own.
* ``rivet_engine`` is a `rivet_runner.testing.RealEngine` in a namespace of the test's own. Tests with it are skipped if this
  machine has no engine.
* ``@pytest.mark.rivet_seeds(n)`` runs a test with ``rivet`` for the seeds from 0 up to ``n``. Without it the seed is 0.
* ``--rivet-seed N`` runs all tests with ``rivet`` for this seed alone. A test that fails tells you which seed repeats it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import asyncio

    from rivet_runner.testing._simulated.trace import Trace

__all__: list[str] = []

FIXTURE: Final = "rivet"
SEED_FIXTURE: Final = "_rivet_seed"
MARKER: Final = "rivet_seeds"
SHOWN_LINES: Final = 40
"""Lines of the trace in the report of a test that failed."""

NEEDS_ASYNCIO: Final = "the fixtures of rivet-runner need pytest-asyncio 1.4 or newer"

seed_key: pytest.StashKey[int] = pytest.StashKey()
trace_key: pytest.StashKey[Trace] = pytest.StashKey()


class _WithoutAsyncio:
    """Fixtures for a project without pytest-asyncio, which fail with the reason."""

    @pytest.fixture
    def rivet(self) -> None:
        pytest.fail(NEEDS_ASYNCIO, pytrace=False)

    @pytest.fixture
    def rivet_engine(self) -> None:
        pytest.fail(NEEDS_ASYNCIO, pytrace=False)


class _VirtualLoops:
    """Has pytest-asyncio make a virtual loop. It is registered only while a test with `FIXTURE` is collected."""

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        from rivet_runner.testing.virtual_clock import virtual_loop

        return {"virtual time": virtual_loop}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rivet", "tests on a simulated Rivet engine")
    group.addoption("--rivet-seed", type=int, default=None, metavar="N", help="run tests with `rivet` for this seed alone")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(n): run a test with the fixture `rivet` for the seeds from 0 up to n")
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.import_plugin("rivet_runner.testing.pytest_fixtures")
    else:
        config.pluginmanager.register(_WithoutAsyncio(), "rivet fixtures")


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, Any, Any]:
    if FIXTURE not in metafunc.fixturenames:
        return (yield)
    _parametrize_seeds(metafunc)
    with _virtual_loops(metafunc.config):
        return (yield)


def _parametrize_seeds(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None or SEED_FIXTURE not in metafunc.fixturenames:
        return
    given = metafunc.config.getoption("--rivet-seed")
    seeds = list(range(*marker.args)) if given is None else [given]
    metafunc.parametrize(SEED_FIXTURE, seeds, indirect=True, ids=[f"seed{seed}" for seed in seeds])


@contextlib.contextmanager
def _virtual_loops(config: pytest.Config) -> Iterator[None]:
    loops = _VirtualLoops()
    config.pluginmanager.register(loops)
    try:
        yield
    finally:
        config.pluginmanager.unregister(loops)


@pytest.fixture
def _rivet_seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--rivet-seed")
    seed: int = getattr(request, "param", 0 if given is None else given)
    request.node.stash[seed_key] = seed
    return seed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    seed = item.stash.get(seed_key, None)
    if report.failed and seed is not None:
        report.sections.append(("rivet", f"Repeat this run with: pytest '{item.nodeid}' --rivet-seed {seed}"))
        trace = item.stash.get(trace_key, None)
        if trace is not None:
            report.sections.append(("rivet trace, its last lines", trace.last(SHOWN_LINES)))
    if report.when == "teardown" and trace_key in item.stash:
        del item.stash[trace_key]
    return report
