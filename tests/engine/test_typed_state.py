"""The state of typed actors at an engine: of any size up to the limit, whole over sleeps, never lost to one too large."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rivet_runner.actors import ActorError, App, Client, DurableActor, action
from rivet_runner.actors._state.store import MAX_STATE
from rivet_runner.actors.client import ActorHandle
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine

pytestmark = pytest.mark.both_protocols

OVERHEAD = 5
"""Bytes that msgpack puts before so many bytes."""


def pattern(size: int) -> bytes:
    """So many bytes, of which no two values of the store have the same."""
    return (bytes(index % 251 for index in range(997)) * (size // 997 + 1))[:size]


class Blob(DurableActor[bytes]):
    @action
    async def fill(self, size: int) -> None:
        self.state = pattern(size)
        await self.save()

    @action
    async def check(self, size: int) -> bool:
        return self.state == pattern(size)

    @action
    async def nap(self) -> None:
        self.sleep()


@pytest.fixture
async def blob(engine: Engine, runner_name: str) -> AsyncIterator[ActorHandle[Blob]]:
    app = App(Blob, runner_name=runner_name)
    async with app.runner(endpoint=engine.endpoint), Client(engine.endpoint, pool=runner_name) as client:
        yield client.get_or_create(Blob, runner_name)


async def sleep(engine: Engine, blob: ActorHandle[Blob]) -> None:
    """Return once the actor sleeps."""
    await blob.call(Blob.nap)
    await EngineApi(engine.endpoint).wait_sleeping(await blob.resolve())


@pytest.mark.parametrize("sizes", [[0, 10, 131_072], [MAX_STATE - OVERHEAD, 300_000, 1]])
async def test_states_grow_and_shrink_over_sleeps(engine: Engine, blob: ActorHandle[Blob], sizes: list[int]) -> None:
    for size in sizes:
        await blob.call(Blob.fill, size)
        await sleep(engine, blob)
        assert await blob.call(Blob.check, size)


async def test_a_state_that_is_too_large_leaves_the_one_before_it(engine: Engine, blob: ActorHandle[Blob]) -> None:
    await blob.call(Blob.fill, 200_000)
    with pytest.raises(ActorError, match="internal_error"):
        await blob.call(Blob.fill, MAX_STATE)
    await sleep(engine, blob)
    assert await blob.call(Blob.check, 200_000)
