"""A tour with a real engine: what an actor lives through, one line for each step. ``make demo`` runs it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from examples.console import Steps, fail
from examples.counter import Counter
from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

ALARM = timedelta(seconds=1)


class TouredCounter(Counter):
    """The counter of the README, with two paths more (to sleep, and to be woken by an alarm) and a room that hibernates."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await actor.broadcast(message)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/sleep":
            actor.sleep()
            return Response("good night")
        if request.path == "/sleep-until-alarm":
            actor.set_alarm(datetime.now(UTC) + ALARM)
            actor.sleep()
            return Response("wake me")
        return await super().fetch(actor, request)


async def expect_count(api: EngineApi, actor_id: str, expected: int) -> str:
    """Increment over HTTP and check the answer."""
    response = await api.request(actor_id, "POST", "/increment")
    if response.status != 200 or response.json() != {"count": expected}:
        raise AssertionError(f"expected the count {expected}, got {response.status} {response.text()}")
    return response.text()


async def until_gone(runner: Counter, actor_id: str) -> None:
    while runner.get_actor(actor_id) is not None:
        await asyncio.sleep(0.005)


async def until_here(runner: Counter, actor_id: str, generation: int) -> None:
    while runner.get_actor(actor_id, generation) is None:
        await asyncio.sleep(0.005)


async def visit(steps: Steps, api: EngineApi, runner: Counter) -> None:
    """Everything that happens to one actor."""
    with steps.step("created an actor") as details:
        actor_id = (await api.create_ready_actor("counter", runner_name="counter")).actor_id
        details.append(actor_id)
    for expected in (1, 2, 3):
        with steps.step("incremented it over HTTP") as details:
            details.append(await expect_count(api, actor_id, expected))
    with steps.step("put it to sleep"):
        await api.request(actor_id, "POST", "/sleep")
        await until_gone(runner, actor_id)
        await api.wait_sleeping(actor_id)
    with steps.step("woke it with a request, its KV intact") as details:
        details.append(await expect_count(api, actor_id, 4))
    with steps.step("put it to sleep with an alarm set one second ahead"):
        await api.request(actor_id, "POST", "/sleep-until-alarm")
        await until_gone(runner, actor_id)
    with steps.step("the alarm woke it"):
        await until_here(runner, actor_id, generation=2)
    with steps.step("and it counts on") as details:
        details.append(await expect_count(api, actor_id, 5))
    await hibernate(steps, api, runner, actor_id)
    with steps.step("destroyed it"):
        await api.destroy_actor(actor_id)
        await until_gone(runner, actor_id)


async def hibernate(steps: Steps, api: EngineApi, runner: Counter, actor_id: str) -> None:
    """Two clients stay connected while their actor sleeps, and a message of one wakes it for both."""
    async with api.websocket(actor_id, "/room") as ada, api.websocket(actor_id, "/room") as bob:
        with steps.step("two WebSocket clients talk through it") as details:
            while len(runner.actors[actor_id].websockets) < 2:
                await asyncio.sleep(0.005)
            await ada.send("hello")
            details.append(f"they got {[await ada.recv(), await bob.recv()]}")
        with steps.step("put it to sleep, both clients still connected"):
            await api.request(actor_id, "POST", "/sleep")
            await until_gone(runner, actor_id)
        with steps.step("a message of one client woke it and reached both") as details:
            await ada.send("still there?")
            details.append(f"they got {[await ada.recv(), await bob.recv()]}")
        if (ada.close_code, bob.close_code) != (None, None):
            raise AssertionError("a client was disconnected while the actor slept")


async def tour() -> None:
    steps = Steps()
    steps.title("A tour of rivet-runner, with a real Rivet Engine on this machine:")
    async with AsyncExitStack() as stack:
        with steps.step("the engine is up") as details:
            engine = await stack.enter_async_context(LocalEngine())
            api = EngineApi(engine.endpoint)
            await api.upsert_runner_config("counter")
            details.append(engine.endpoint)
        runner = TouredCounter(endpoint=engine.endpoint, runner_name="counter")
        with steps.step("a runner connected") as details:
            await runner.start()
            details.append(runner.runner_id or "")
        try:
            await visit(steps, api, runner)
        finally:
            with steps.step("the runner shut down"):
                await runner.shutdown()
    steps.finish()


def main() -> None:
    try:
        asyncio.run(asyncio.wait_for(tour(), timeout=120))
    except EngineNotFound as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")


if __name__ == "__main__":
    main()
