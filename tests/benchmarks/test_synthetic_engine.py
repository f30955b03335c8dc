"""The benchmarks' engine: it speaks the protocol, it carries echoes, and it notices a wrong one."""

from __future__ import annotations

import asyncio
import sys

import pytest

from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, PROTOCOL_7, TYPED, TYPED_HIBERNATABLE, Contestant, connected
from benchmarks.measure import window
from benchmarks.synthetic.dialect import V3, V7
from benchmarks.synthetic.engine import synthetic_engine
from benchmarks.synthetic.loads import OpenSockets
from rivet_runner import Actor, Runner, WebSocket
from rivet_runner.protocol import v3, v7

pytestmark = pytest.mark.slow


async def test_every_message_comes_back_when_the_python_runner_echoes() -> None:
    async with connected(CONTESTANTS["python"]) as runner:
        await runner.sockets.open(10)
        runner.sockets.start(5)
        await runner.sockets.answered(50)
        await runner.sockets.stop()
        assert len(runner.sockets.latencies) >= 50
        await runner.connection.stop_actors(await runner.connection.start_actors(3))
        assert (runner.connection.running, runner.connection.stopped) == (4, 3)


@pytest.mark.parametrize("contestant", [TYPED, TYPED_HIBERNATABLE], ids=["plain", "hibernatable"])
async def test_every_call_is_answered_when_the_actor_is_typed(contestant: Contestant) -> None:
    async with connected(contestant) as runner:
        await runner.sockets.open(10)
        for load in (runner.sockets, runner.http):
            load.start(5)
            await load.answered(50)
            await load.stop()
            assert len(load.latencies) >= 50


async def test_every_message_comes_back_a_round_trip_later_when_the_engine_is_far_away() -> None:
    async with connected(CONTESTANTS["python"], round_trip=0.03) as runner:
        await runner.sockets.open(10)
        runner.sockets.start(10)
        await runner.sockets.answered(50)
        await runner.sockets.stop()
        assert min(runner.sockets.latencies) >= 0.029


@pytest.mark.skipif(sys.platform != "linux", reason="the clock of another process is read as Linux has it")
async def test_messages_are_acknowledged_when_sockets_are_hibernatable() -> None:
    async with connected(HIBERNATABLE) as runner:
        await runner.sockets.open(4)
        sample = await window(runner, runner.sockets, 4, 0.4)
        assert sample["count"] > 0
        assert sample["cpu"] > 0
        assert runner.connection.acknowledgements > 0


class Unfaithful(Runner):
    """Returns every message the wrong way round."""

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message[::-1])


async def test_load_fails_when_an_echo_is_wrong() -> None:
    async with synthetic_engine(V3()) as (endpoint, connecting):
        runner = Unfaithful(endpoint=endpoint)
        await runner.start()
        try:
            connection = await asyncio.wait_for(connecting, 60)
            (actor_id,) = await connection.start_actors(1)
            sockets = OpenSockets(connection, actor_id)
            await sockets.open(1)
            sockets.start(1)
            with pytest.raises(ConnectionError):
                await sockets.answered(2)
        finally:
            await runner.shutdown(immediate=True)


async def test_every_request_is_answered_when_the_runner_speaks_protocol_7() -> None:
    async with connected(PROTOCOL_7) as runner:
        runner.http.start(3)
        await runner.http.answered(20)
        await runner.http.stop()
        await runner.connection.stop_actors(await runner.connection.start_actors(150))
        assert (runner.connection.running, runner.connection.stopped) == (151, 150)


def test_commands_are_counted_for_the_runner_or_for_each_actor() -> None:
    starts = v3.decode_to_client(V3().commands(["a", "b"], 7, stop=False)[2:])
    assert isinstance(starts, v3.ToClientCommands)
    assert [command.index for command in starts.items] == [7, 8]
    stops = v7.decode_to_client(V7().commands(["a", "b"], 7, stop=True)[2:])
    assert isinstance(stops, v7.ToClientCommands)
    assert [(one.checkpoint.actor_id, one.checkpoint.index) for one in stops.items] == [("a", 1), ("b", 1)]


def test_states_are_counted_when_events_of_every_kind_are_mixed() -> None:
    events: list[v3.Event] = [
        v3.EventActorSetAlarm("a", 1, 5),
        v3.EventActorStateUpdate("a", 1, v3.ActorStateRunning()),
        v3.EventActorIntent("a", 1, v3.ActorIntentSleep()),
        v3.EventActorStateUpdate("a", 1, v3.ActorStateStopped(v3.StopCode.ERROR, "why")),
        v3.EventActorStateUpdate("b", 1, v3.ActorStateRunning()),
    ]
    assert V3().states(v3.ToServerEvents([v3.EventWrapper(*one) for one in enumerate(events)])) == (2, 1)
