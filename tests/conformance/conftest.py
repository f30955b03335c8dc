"""Each test here runs against the simulated engine, in memory and over a port, and against the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from rivet_runner.testing import LocalEngine, SimulatedEngine
from rivet_runner.testing.virtual_clock import VirtualLoop, virtual_loop
from tests.conformance.benches import Bench, PortBench, RealBench, SimulatedBench
from tests.support.virtual_time import VirtualTimeLoop

_HERE: Final = Path(__file__).parent


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test three times. Waiting for the simulated engine takes no real time."""
    return {"simulated": virtual_loop, "port": VirtualTimeLoop, "real": asyncio.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        case = getattr(item, "callspec", None)
        if case is not None and item.path.is_relative_to(_HERE) and "real" in case.id.split("-"):
            item.add_marker("engine")


@pytest.fixture(scope="session")
def real_engine() -> Iterator[LocalEngine]:
    """One engine for all tests, on an event loop and in a thread of its own."""
    engine = LocalEngine()
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, engine.start()).result()
    yield engine
    engine.close()


@pytest.fixture
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """An engine with a runner name that no other test uses."""
    name = f"runner-{uuid4().hex[:12]}"
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        async with SimulatedEngine() as engine:
            port = PortBench(await engine.listen(), name)
            await port.prepare()
            yield port
    elif isinstance(loop, VirtualLoop):
        async with SimulatedEngine() as engine:
            yield SimulatedBench(engine, name)
    else:
        real = RealBench(request.getfixturevalue("real_engine").endpoint, name)
        await real.prepare()
        yield real
