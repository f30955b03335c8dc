"""A tour through the life of an actor, with a real engine. ``make demo`` runs this program.

``--simulated`` takes the simulated engine instead, which needs neither npm nor a binary.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from examples.console import Steps, fail
from examples.counter import Counter
from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine, SimulatedEngine

ALARM = timedelta(seconds=1)


class TouredCounter(Counter):
    """The counter of ``examples/counter.py``, with paths to sleep and to set an alarm, and hibernating WebSockets."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await actor.broadcast(message)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/sleep":
            actor.sleep()
            return Response("falling asleep\n")
        if request.path == "/sleep-until-alarm":
            await actor.set_alarm(datetime.now(UTC) + ALARM)
            actor.sleep()
            return Response("falling asleep until the alarm\n")
        return await super().fetch(actor, request)


async def expect_count(api: EngineApi, actor_id: str, expected: int) -> str:
    """Increment the counter over HTTP, and check the response."""
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
    """Take one actor through its life."""
    with steps.step("The actor was created.") as details:
        actor_id = (await api.create_ready_actor("counter", runner_name="counter")).actor_id
        details.append(actor_id)
    for expected in (1, 2, 3):
        with steps.step("An HTTP request incremented it.") as details:
            details.append(await expect_count(api, actor_id, expected))
    with steps.step("It went to sleep."):
        await api.request(actor_id, "POST", "/sleep")
        await until_gone(runner, actor_id)
        await api.wait_sleeping(actor_id)
    with steps.step("An HTTP request woke it. Its key-value data is intact.") as details:
        details.append(await expect_count(api, actor_id, 4))
    with steps.step("It set an alarm for one second later, and went to sleep."):
        await api.request(actor_id, "POST", "/sleep-until-alarm")
        await until_gone(runner, actor_id)
    with steps.step("The alarm woke it."):
        await until_here(runner, actor_id, generation=2)
    with steps.step("An HTTP request incremented it.") as details:
        details.append(await expect_count(api, actor_id, 5))
    await hibernate(steps, api, runner, actor_id)
    with steps.step("The actor was destroyed."):
        await api.destroy_actor(actor_id)
        await until_gone(runner, actor_id)


async def hibernate(steps: Steps, api: EngineApi, runner: Counter, actor_id: str) -> None:
    """Keep two clients connected while their actor sleeps, and wake it with a message of one of them."""
    async with api.websocket(actor_id, "/room") as ada, api.websocket(actor_id, "/room") as bob:
        with steps.step("Two WebSocket clients connected, and one sent a message.") as details:
            while len(runner.actors[actor_id].websockets) < 2:
                await asyncio.sleep(0.005)
            await ada.send("hello")
            details.append(f"received {[await ada.recv(), await bob.recv()]}")
        with steps.step("It went to sleep. Both clients are still connected."):
            await api.request(actor_id, "POST", "/sleep")
            await until_gone(runner, actor_id)
        with steps.step("A message of one client woke it, and reached both.") as details:
            await ada.send("still there?")
            details.append(f"received {[await ada.recv(), await bob.recv()]}")
        if (ada.close_code, bob.close_code) != (None, None):
            raise AssertionError("a client was disconnected while the actor slept")


async def start_engine(stack: AsyncExitStack, *, simulated: bool) -> str:
    """Start an engine that ends with ``stack``, and return its URL."""
    if simulated:
        return await (await stack.enter_async_context(SimulatedEngine())).listen()
    return (await stack.enter_async_context(LocalEngine())).endpoint


async def tour(*, simulated: bool) -> None:
    steps = Steps()
    kind = "simulated" if simulated else "real"
    steps.title(f"A tour of rivet-runner with a {kind} Rivet Engine on this machine:")
    async with AsyncExitStack() as stack:
        with steps.step("The engine started.") as details:
            endpoint = await start_engine(stack, simulated=simulated)
            api = EngineApi(endpoint)
            await api.upsert_runner_config("counter")
            details.append(endpoint)
        runner = TouredCounter(endpoint=endpoint, runner_name="counter")
        with steps.step("The runner connected.") as details:
            await runner.start()
            details.append(runner.runner_id or "")
        try:
            await visit(steps, api, runner)
        finally:
            with steps.step("The runner shut down."):
                await runner.shutdown()
    steps.finish()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.tour", description=__doc__)
    parser.add_argument("--simulated", action="store_true", help="take the simulated engine instead of the real one")
    options = parser.parse_args()
    try:
        asyncio.run(asyncio.wait_for(tour(simulated=options.simulated), timeout=120))
    except EngineNotFound as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("The tour was interrupted.")


if __name__ == "__main__":
    main()
