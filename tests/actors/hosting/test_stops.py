"""What goes on while a typed actor stops: how long it may take, what it leaves in the state, and what its caller gets."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from rivet_runner import Request, Response, WebSocket, WebSocketClosed
from rivet_runner.actors import Connection, DurableActor, action
from rivet_runner.actors._wire.messages import Error, Init
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine
from tests.actors.hosting.scene import call, hosted, opened, value

STOP_SECONDS = 10.0


class State(msgspec.Struct):
    notes: list[str] = []


class Busy(DurableActor[State]):
    """Works for some seconds, and notes how that ends."""

    async def work(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.state.notes.append("cancelled")
            raise
        self.state.notes.append("done")

    @action(timeout=1000)
    async def act(self, seconds: float) -> None:
        await self.work(seconds)

    async def on_request(self, request: Request) -> Response:
        await self.work(float(request.path.removeprefix("/")))
        return Response("answer")

    async def on_connect(self, connection: Connection) -> None:
        await self.work(connection.params)

    async def on_websocket(self, ws: WebSocket) -> None:
        async for _ in ws:
            pass
        await self.work(float(ws.path.rpartition("/")[2]))

    async def on_sleep(self) -> None:
        self.state.notes.append("on_sleep")

    @action
    async def notes(self) -> list[str]:
        return self.state.notes


async def stopped_in_the_middle(engine: SimulatedEngine) -> SimulatedActorHandle:
    """Put the actor to sleep after a moment in which something has begun."""
    actor = engine.get((await engine.get_or_create("busy", key="busy")).id)
    await asyncio.sleep(0.1)
    await actor.sleep()
    return actor


@pytest.mark.parametrize(("seconds", "noted"), [(1, ["done", "on_sleep"]), (100, ["cancelled", "on_sleep"])])
@pytest.mark.parametrize("what", ["request", "on_connect", "on_websocket"])
async def test_a_stop_waits_for_hooks_for_a_while_and_keeps_what_they_changed(
    what: str, seconds: float, noted: list[str]
) -> None:
    if what == "on_websocket" and seconds == 100:
        noted = ["on_sleep"]  # its WebSocket was closed, so it has had its time
    async with hosted(Busy, actor_stop_timeout=STOP_SECONDS) as engine:
        actor = await engine.create("busy", key="busy")
        assert await value(actor, "notes") == []
        if what == "request":
            asking = asyncio.create_task(actor.request("POST", f"/request/{seconds}"))
            await stopped_in_the_middle(engine)
            assert (await asking).status == (200 if seconds == 1 else 503)
        elif what == "on_connect":
            async with opened(actor, params=seconds) as client:
                await stopped_in_the_middle(engine)
                first = await client.message()
                assert isinstance(first, Init if seconds == 1 else Error)
        else:
            async with actor.websocket(f"/websocket/{seconds}") as ws:
                await stopped_in_the_middle(engine)
                with pytest.raises(WebSocketClosed) as closed:
                    await ws.recv()
            assert (closed.value.code, closed.value.reason) == (1001, "actor.stopping")
        assert await value(actor, "notes") == noted


@pytest.mark.parametrize("path", ["action", "request"])
async def test_a_caller_is_told_by_http_that_a_stop_has_cut_it_off(path: str) -> None:
    async with hosted(Busy, actor_stop_timeout=STOP_SECONDS) as engine:
        actor = await engine.create("busy", key="busy")
        await value(actor, "notes")
        if path == "action":
            asking = asyncio.create_task(call(actor, "act", 100))
            await stopped_in_the_middle(engine)
            status, answer = await asking
        else:
            raw = asyncio.create_task(actor.request("POST", "/request/100"))
            await stopped_in_the_middle(engine)
            status, answer = (await raw).status, msgspec.json.decode((await raw).body)
        assert (status, answer["group"], answer["code"]) == (503, "actor", "stopping")
        assert answer["message"].startswith("The actor stopped before the ")
