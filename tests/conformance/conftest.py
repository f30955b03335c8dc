"""Each test here runs against the simulated engine and against the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from rivet_runner.testing import LocalEngine, SimulatedEngine
from tests.conformance.benches import Bench, RealBench, SimulatedBench


@pytest.fixture(scope="session")
def real_engine() -> Iterator[LocalEngine]:
    """One engine for all tests, on an event loop and in a thread of its own."""
    engine = LocalEngine()
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, engine.start()).result()
    yield engine
    engine.close()


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.engine)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """An engine with a runner name that no other test uses."""
    name = f"runner-{uuid4().hex[:12]}"
    if request.param == "simulated":
        async with SimulatedEngine() as engine:
            yield SimulatedBench(engine, name)
    else:
        real = RealBench(request.getfixturevalue("real_engine").endpoint, name)
        await real.prepare()
        yield real
