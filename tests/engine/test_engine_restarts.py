"""The engine is stopped, or killed, and comes back on the same data: actors that were awake or asleep go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, MemoryHibernationStores
from tests.engine.support import OwnEngine, RestartableEngine, answered
from tests.support.rooms import Room
from tests.support.waiting import eventually

NAME: Final = "notes"

HIBERNATING_SECONDS: Final = 4
"""How long the engine keeps a hibernating socket whose gateway is gone; 90 by default."""

SOON: Final = 20.0
"""Seconds until an actor answers, once the runner is accepted."""

RECOVERS_WITHIN: Final = 60.0
"""Seconds until the runner is accepted again, and its actors are. A killed engine's lease of the workflows has to run out
first, which takes it about 30; one that is stopped in order gives it back, if its time is enough for that. In version 7 the
runner is accepted without its workflow, and waits for those of its actors."""


class CountingRoom(Room):
    """A room that counts POSTs in its KV."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        count = int(await actor.kv.get(b"count") or 0)
        if request.method == "POST":
            count += 1
            await actor.kv.put(b"count", b"%d" % count)
        return Response(str(count))

    @property
    def closes(self) -> list[tuple[int, str]]:
        """Code and reason of each end of an engine connection, without the engine's id of the request."""
        return [(code, reason.split("#")[0]) for code, reason in self.called("on_disconnected")]


class PopulatedEngine:
    """One engine, one runner on it, an actor that is awake and one that is asleep, each with a client's WebSocket."""

    def __init__(
        self,
        engine: RestartableEngine,
        runner: CountingRoom,
        stores: MemoryHibernationStores,
        clients: contextlib.AsyncExitStack,
    ) -> None:
        self.engine = engine
        self._clients = clients
        self.api = EngineApi(engine.endpoint)
        self.runner = runner
        self.stores = stores

    async def populate(self) -> None:
        self.awake, self.asleep = [await self._actor() for _ in range(2)]
        for actor_id in (self.awake, self.asleep):
            await self._connect_client(actor_id)
        sleeper = self.runner.actors[self.asleep]
        sleeper.sleep()
        await eventually(lambda: self.asleep not in self.runner.actors)

    async def _actor(self) -> str:
        actor = await self.api.create_actor(NAME, runner_name=NAME)
        assert await self.answered(actor.actor_id, SOON) == "0"
        for expected in ("1", "2", "3"):
            assert (await self.api.request(actor.actor_id, "POST", "/")).text() == expected
        return actor.actor_id

    async def _connect_client(self, actor_id: str) -> None:
        """A client that stays until its gateway goes."""
        client = await self._clients.enter_async_context(self.api.websocket(actor_id, "/before?echo"))
        await self.echo(client)

    async def echo(self, client: ClientConnection) -> None:
        await client.send("hello")
        assert await asyncio.wait_for(client.recv(), 60) == "hello"

    async def answered(self, actor_id: str, within: float) -> str:
        """The text that a GET gets, tried again while the engine, the runner or the actor is not there."""
        return (await answered(self.api, actor_id, seconds=within, patience=5)).text()

    async def check_that_all_is_new(self) -> None:
        """New WebSockets work, and nothing is left of those whose gateway is gone."""
        for actor_id in (self.awake, self.asleep):
            async with self.api.websocket(actor_id, "/after?echo") as client:
                await self.echo(client)
        await asyncio.sleep(HIBERNATING_SECONDS)
        for actor_id in (self.awake, self.asleep):
            actor = self.runner.actors[actor_id]
            actor.sleep()
            await eventually(lambda actor=actor: self.runner.get_actor(actor.id) is not actor)
            assert await self.answered(actor_id, SOON) == "3"
        await eventually(lambda: all(not store.records for store in self.stores.by_actor.values()))
        restored_ends = [path for path, restored, code, _ in self.runner.ended if restored and code is not None]
        assert restored_ends == ["/before"] * 2, "each was told of its client's end, once"
        assert all(not actor.websockets for actor in self.runner.actors.values())


@contextlib.asynccontextmanager
async def populated_engine(own_engine: OwnEngine) -> AsyncIterator[PopulatedEngine]:
    stores = MemoryHibernationStores()
    kept = HIBERNATING_SECONDS * 1000
    async with asyncio.timeout(300), own_engine(hibernating_request_eligible_threshold=kept) as engine:
        await EngineApi(engine.endpoint).upsert_runner_config(NAME)
        async with (
            CountingRoom(endpoint=engine.endpoint, runner_name=NAME, hibernation_store=stores) as runner,
            contextlib.AsyncExitStack() as clients,
        ):
            current = PopulatedEngine(engine, runner, stores, clients)
            await current.populate()
            yield current


async def stop(engine: RestartableEngine) -> None:
    await engine.stop()


async def kill(engine: RestartableEngine) -> None:
    await engine.kill()


@pytest.mark.slow
@pytest.mark.both_protocols
@pytest.mark.parametrize(("end", "close"), [(stop, (1011, "ws.going_away")), (kill, (1006, ""))], ids=["SIGTERM", "SIGKILL"])
async def test_actors_go_on_when_the_engine_comes_back_on_the_same_data(
    own_engine: OwnEngine, end: Callable[[RestartableEngine], Awaitable[None]], close: tuple[int, str]
) -> None:
    async with populated_engine(own_engine) as current:
        runner = current.runner
        await end(current.engine)
        await eventually(lambda: runner.closes == [close])
        assert not runner.connected
        began = asyncio.get_running_loop().time()
        await current.engine.start()
        await eventually(lambda: runner.connected, seconds=RECOVERS_WITHIN)
        connected_after = asyncio.get_running_loop().time() - began
        for actor_id in (current.awake, current.asleep):
            left = RECOVERS_WITHIN - (asyncio.get_running_loop().time() - began)
            assert await current.answered(actor_id, SOON + max(0, left)) == "3"
        answered_after = asyncio.get_running_loop().time() - began
        print(f"\nconnected {connected_after:.1f} s after the restart began, all answered after {answered_after:.1f} s")
        assert (len(runner.called("on_connected")), runner.closes) == (2, [close]), "one connection each"
        await current.check_that_all_is_new()
        check_generations(runner)
    assert len(runner.closes) == len(runner.called("on_connected")) == 2


def check_generations(runner: CountingRoom) -> None:
    """Each generation starts once and stops once, and each actor has one that runs.

    The one that was awake goes on in the same generation where the engine was back before the runner counted as lost.
    """
    starts, stops = runner.called("on_actor_start"), runner.called("on_actor_stop")
    assert len(set(starts)) == len(starts)
    assert len(set(stops)) == len(stops)
    assert len(starts) - len(stops) == len(runner.actors) == 2
    assert {*starts} - {*stops} == {(actor.id, actor.generation) for actor in runner.actors.values()}


async def test_the_runner_comes_back_each_time_when_the_engine_is_restarted_twice(own_engine: OwnEngine) -> None:
    async with populated_engine(own_engine) as current:
        for restart in range(1, 3):
            await current.engine.restart()
            await eventually(lambda: current.runner.connected, seconds=RECOVERS_WITHIN)
            for actor_id in (current.awake, current.asleep):
                assert await current.answered(actor_id, SOON) == "3"
            await eventually(lambda restart=restart: len(current.runner.called("on_connected")) == restart + 1)
        assert current.runner.closes == [(1011, "ws.going_away")] * 2


async def test_start_gets_through_when_the_engine_was_killed_before(own_engine: OwnEngine) -> None:
    """A fresh runner, as after a crash of the whole machine: nobody holds a lease on its key."""
    async with asyncio.timeout(300), own_engine() as engine:
        await EngineApi(engine.endpoint).upsert_runner_config(NAME)
        async with CountingRoom(endpoint=engine.endpoint, runner_name=NAME):
            await engine.kill()
        await engine.start()
        began = asyncio.get_running_loop().time()
        async with CountingRoom(endpoint=engine.endpoint, runner_name=NAME, start_timeout=RECOVERS_WITHIN) as runner:
            print(f"\nstarted after {asyncio.get_running_loop().time() - began:.1f} s")
            assert runner.connected
