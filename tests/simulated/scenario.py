"""A run with a bit of everything, which prints its trace: ``python -m tests.simulated.scenario SEED``."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner.testing import SimulatedEngine, virtual_loop
from tests.simulated.rooms import Room

__all__ = ["run_scenario"]

ACTORS = 12


async def crash_now_and_then(actor: Actor) -> None:
    if actor.generation % 3 == 1:
        raise RuntimeError(f"generation {actor.generation}")


async def shout(actor: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await actor.broadcast(f"{actor.generation}: {message!r}")


async def _run(seed: int) -> str:
    async def count(actor: Actor, request: Request) -> Response:
        number = int(await actor.kv.get(b"n") or 0) + 1
        await actor.kv.put(b"n", b"%d" % number)
        await actor.set_alarm(engine.now() + timedelta(minutes=number))
        return Response(str(number))

    def room() -> Room:
        return Room(
            on_start=crash_now_and_then,
            fetch=count,
            serve=shout,
            endpoint="http://localhost",
            runner_name="default",
            runner_key=f"key {len(rooms)}",
        )

    rooms: list[Room] = []
    rooms += [room()]
    rooms += [room()]
    async with SimulatedEngine(seed=seed, clock="virtual") as engine, engine.host(rooms[0]), engine.host(rooms[1]):
        actors = [await engine.create("room", key=str(n), crash_policy="sleep") for n in range(ACTORS // 2)]
        actors += [await engine.create("room", crash_policy="restart") for _ in range(ACTORS // 2)]
        sockets = [await actor.websocket("/room") for actor in actors for _ in range(3)]
        await asyncio.gather(*(actor.request("POST", "/") for actor in actors))
        for socket in sockets:
            await socket.send("hello")
        await engine.advance(1)
        await asyncio.gather(*(actor.sleep() for actor in actors))
        engine.partition(rooms[0])
        await engine.advance(minutes=3)
        engine.heal()
        for socket in sockets[::2]:
            await socket.close()
        await engine.restart()
        await engine.advance(minutes=5)
        await asyncio.gather(*(actor.request("GET", "/") for actor in actors))
        await actors[0].destroy()
        return str(engine.trace)


def run_scenario(seed: int) -> str:
    """The trace of one run."""
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(_run(seed))


if __name__ == "__main__":
    sys.stdout.write(run_scenario(int(sys.argv[1])))
