"""An engine with a real port and a runner, for commands that talk to one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, SimulatedEngine

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.stem not in ("test_targets", "test_restarts"):
            item.add_marker("slow")  # each starts other Python programs


class Talking(Runner):
    """Answers with what it was asked, or with the status that the path names."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path.startswith("/status/"):
            return Response(b"as you wish", status=int(request.path.rpartition("/")[2]))
        words = [request.method, request.path, request.query_string, request.headers.get("x-test", "-")]
        return Response(" ".join(words).encode() + b" " + request.body)


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedEngine]:
    """A simulated engine that listens."""
    async with SimulatedEngine() as engine:
        await engine.listen()
        yield engine


@pytest.fixture
async def api(engine: SimulatedEngine) -> EngineApi:
    api = EngineApi(engine.endpoint)
    await api.upsert_runner_config("default")
    return api


@pytest.fixture
async def talking(engine: SimulatedEngine, api: EngineApi) -> AsyncIterator[Talking]:
    """A runner named ``default`` on that engine."""
    async with engine.host(Talking) as runner:
        yield runner
