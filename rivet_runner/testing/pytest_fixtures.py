"""The fixtures of the pytest plugin. See `pytest_plugin`, which registers them if there is pytest-asyncio.

Each fixture imports the engine that it gives when a test asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from rivet_runner.testing.pytest_plugin import NEEDS_ASYNCIO, trace_key

if TYPE_CHECKING:
    from rivet_runner.testing.local_engine import LocalEngine
    from rivet_runner.testing.real_engine import RealEngine
    from rivet_runner.testing.simulated_engine import SimulatedEngine

__all__: list[str] = []


@pytest_asyncio.fixture(loop_scope="function")
async def rivet(request: pytest.FixtureRequest, _rivet_seed: int) -> AsyncIterator[SimulatedEngine]:
    """A simulated engine on virtual time. Host your runner on it with ``async with rivet.host(YourRunner)``."""
    from rivet_runner.testing.simulated_engine import SimulatedEngine
    from rivet_runner.testing.virtual_clock import VirtualLoop

    _check_loop_scope(request)
    if not isinstance(asyncio.get_running_loop(), VirtualLoop):
        pytest.fail(NEEDS_ASYNCIO, pytrace=False)
    async with SimulatedEngine(seed=_rivet_seed, clock="virtual") as engine:
        request.node.stash[trace_key] = engine.trace
        yield engine


def _check_loop_scope(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("asyncio")
    scope = (marker.kwargs.get("loop_scope") if marker else None) or request.config.getini("asyncio_default_test_loop_scope")
    if scope != "function":
        reason = 'mark the test with @pytest.mark.asyncio(loop_scope="function")'
        pytest.fail(f"`rivet` needs an event loop of the test's own, and its scope is {scope}: {reason}", pytrace=False)


@pytest.fixture(scope="session")
def _rivet_local_engine() -> Iterator[LocalEngine]:
    """One engine a session, started on an event loop and in a thread of its own."""
    from rivet_runner.testing.engine_binary import EngineNotFound, find_engine_binary
    from rivet_runner.testing.local_engine import LocalEngine

    try:
        find_engine_binary()
    except EngineNotFound as error:
        pytest.skip(str(error))
    with contextlib.closing(LocalEngine()) as engine:
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(asyncio.run, engine.start()).result()
        yield engine


@pytest_asyncio.fixture(loop_scope="function")
async def rivet_engine(request: pytest.FixtureRequest, _rivet_local_engine: LocalEngine) -> AsyncIterator[RealEngine]:
    """A real engine with the interface of ``rivet``, in a namespace of the test's own."""
    from rivet_runner.testing.engine_api import EngineApi
    from rivet_runner.testing.real_engine import RealEngine

    if "rivet" in request.fixturenames:
        pytest.fail("a test has `rivet` or `rivet_engine`: a real engine does not keep virtual time", pytrace=False)
    namespace = f"test-{uuid4().hex[:16]}"
    await EngineApi(_rivet_local_engine.endpoint).create_namespace(namespace)
    engine = RealEngine(_rivet_local_engine.endpoint, namespace)
    yield engine
    await engine.aclose()
