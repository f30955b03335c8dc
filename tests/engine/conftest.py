"""Each test here runs against the real engine, and against the simulated one at a port, unless a marker says why not.

The real engine is the oracle: if the two differ, the simulated one is wrong. ``real_engine(reason)`` marks a test that only
the real engine can run. Waiting takes no real time on the simulated one, unless ``real_time(reason)`` marks the test. The
simulated runs are all ``slow``: what they test has quicker tests in the folders of its rooms.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from rivet_runner.testing import EngineApi, LocalEngine, SimulatedEngine
from tests.conftest import engine_is_required
from tests.engine.support import Engine, OwnEngine, RestartableEngine
from tests.support.javascript.installation import JavaScriptNotFound, find_client
from tests.support.virtual_time import VirtualTimeLoop

_HERE: Final = Path(__file__).parent

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_SIMULATED: Final = "simulated"

_OUTAGE: Final = 3.0
"""Seconds, of the test's event loop."""


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Each test once for each engine that can run it."""
    real: dict[str, LoopFactory] = {"real": asyncio.new_event_loop}
    if _reason(item, "real_engine"):
        return real
    waits = asyncio.new_event_loop if _reason(item, "real_time") else VirtualTimeLoop
    return {_SIMULATED: waits, **real}


def _reason(item: pytest.Item, name: str) -> str | None:
    """The reason of a marker, or `None` if the test has no such marker."""
    marker = item.get_closest_marker(name)
    if marker is None:
        return None
    (reason,) = marker.args
    assert reason, f"{item.nodeid}: {name} needs a reason"
    return str(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        case = getattr(item, "callspec", None)
        is_real = case is None or _SIMULATED not in case.id.split("-")
        item.add_marker("engine" if is_real else "slow")


@pytest.fixture(scope="session")
def local_engine() -> Iterator[LocalEngine]:
    """A real engine that every test shares: do not stop, kill or restart it, start one of your own for that."""
    engine = LocalEngine()
    # An event loop of its own, in a thread of its own, so that the loops of the tests are none of its
    # business.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, engine.start()).result()
    yield engine
    engine.close()


class _RestartableSimulation:
    """A simulated engine, which starts again by itself a while after it was stopped. Its port stays open meanwhile."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._restart: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> str:
        return self._engine.endpoint

    async def stop(self) -> None:
        self._restart = asyncio.create_task(self._engine.restart(graceful=True, outage=_OUTAGE))

    async def kill(self) -> None:
        self._restart = asyncio.create_task(self._engine.restart(outage=_OUTAGE))

    async def start(self) -> None:
        assert self._restart is not None
        await self._restart

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@asynccontextmanager
async def _simulated_engine(settings: Mapping[str, Any]) -> AsyncIterator[_RestartableSimulation]:
    async with SimulatedEngine(settings={"guard_shutdown_duration": 1, **settings}) as engine:
        await engine.listen()
        yield _RestartableSimulation(engine)


def _is_real(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("engine") is not None


@pytest.fixture
def on_real_engine(request: pytest.FixtureRequest) -> bool:
    """Whether this run of the test is the one for the real engine. It is for tests that start a program with an engine."""
    return _is_real(request)


@pytest.fixture
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """The shared real engine, or a simulated one of the test's own."""
    if _is_real(request):
        yield request.getfixturevalue("local_engine")
        return
    async with _simulated_engine({}) as simulated:
        yield simulated


@pytest.fixture
def own_engine(request: pytest.FixtureRequest) -> OwnEngine:
    """A function that starts an engine for this test alone, with settings of the engine's ``pegboard``."""
    real = _is_real(request)

    def start(*, admin_token: str | None = None, **settings: int) -> AbstractAsyncContextManager[RestartableEngine]:
        if real:
            return LocalEngine({"pegboard": settings}, admin_token=admin_token)
        return _simulated_engine({"admin_token": admin_token, **settings})

    return start


@pytest.fixture(scope="session")
def javascript_folder() -> Path:
    """Where npm installed the client. A run that does without the engine does not install it either."""
    try:
        return find_client(install=os.environ.get("RIVET_REQUIRE_ENGINE") != "0")
    except JavaScriptNotFound as error:
        if engine_is_required():
            raise
        pytest.skip(str(error))


@pytest.fixture
def api(engine: Engine) -> EngineApi:
    """A client for the engine."""
    return EngineApi(engine.endpoint)


@pytest.fixture
async def runner_name(api: EngineApi) -> str:
    """A runner name that no other test uses, and that actors can select."""
    name = f"runner-{uuid4().hex[:12]}"
    await api.upsert_runner_config(name)
    return name
