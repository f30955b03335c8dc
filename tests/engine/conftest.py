"""One real engine for every test in this folder."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from rivet_runner.testing import EngineApi, LocalEngine

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("engine")


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Let Ctrl-C reach the programs of the tests, even if a shell's ``&`` ignores it for all of them."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def engine() -> Iterator[LocalEngine]:
    """An engine that every test shares: do not stop, kill or restart it, start one of your own for that."""
    engine = LocalEngine()
    # An event loop of its own, in a thread of its own, so that the loops of the tests are none of its
    # business.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, engine.start()).result()
    yield engine
    engine.close()


@pytest.fixture
def api(engine: LocalEngine) -> EngineApi:
    """A client for the shared engine."""
    return EngineApi(engine.endpoint)


@pytest.fixture
async def runner_name(api: EngineApi) -> str:
    """A runner name that no other test uses, and that actors can select."""
    name = f"runner-{uuid4().hex[:12]}"
    await api.upsert_runner_config(name)
    return name
