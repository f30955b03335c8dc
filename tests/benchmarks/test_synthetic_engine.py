"""The benchmarks' engine: it speaks the protocol, it carries echoes, and it notices a wrong one."""

from __future__ import annotations

import sys

import pytest

from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, connected
from benchmarks.measure import window
from benchmarks.synthetic.actors import Actors
from benchmarks.synthetic.dialect import V3
from benchmarks.synthetic.engine import SyntheticEngine
from benchmarks.synthetic.sockets import OpenSockets
from rivet_runner import Actor, Runner, WebSocket
from rivet_runner.protocol import v3

pytestmark = pytest.mark.slow


async def test_every_message_comes_back_when_the_python_runner_echoes() -> None:
    async with connected(CONTESTANTS["python"]) as runner:
        await runner.sockets.open(10)
        runner.sockets.start(5)
        await runner.sockets.answered(50)
        await runner.sockets.stop()
        assert runner.sockets.count >= 50
        assert len(runner.sockets.latencies) == runner.sockets.count
        await runner.actors.stop(await runner.actors.start(3))
        assert (runner.connection.running, runner.connection.stopped) == (4, 3)


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
        sample = await window(runner.process, runner.sockets, 4, 0.4)
        assert sample["count"] > 0
        assert sample["cpu"] > 0
        assert runner.connection.acknowledgements > 0


class Unfaithful(Runner):
    """Returns every message the wrong way round."""

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message[::-1])


async def test_load_fails_when_an_echo_is_wrong() -> None:
    async with SyntheticEngine(V3()) as engine:
        runner = Unfaithful(endpoint=engine.endpoint)
        await runner.start()
        try:
            connection = await engine.runner(5)
            (actor_id,) = await Actors(connection).start(1)
            sockets = OpenSockets(connection, actor_id)
            await sockets.open(1)
            sockets.start(1)
            with pytest.raises(ConnectionError):
                await sockets.answered(2)
        finally:
            await runner.shutdown(immediate=True)


def test_frames_hold_protocol_messages() -> None:
    dialect = V3()
    assert isinstance(v3.decode_to_client(dialect.init()[2:]), v3.ToClientInit)
    start = v3.decode_to_client(dialect.start_actors(["a", "b"], 7)[2:])
    assert isinstance(start, v3.ToClientCommands)
    assert [command.index for command in start.items] == [7, 8]
    opened = v3.decode_to_client(dialect.open(b"gateSOCK", "a", "/", {"host": "h"})[2:])
    assert isinstance(opened, v3.ToClientTunnelMessage)
    assert opened.message_kind == v3.ToClientWebSocketOpen("a", "/", {"host": "h"})


def test_states_are_counted_when_events_of_every_kind_are_mixed() -> None:
    events: list[v3.Event] = [
        v3.EventActorSetAlarm("a", 1, 5),
        v3.EventActorStateUpdate("a", 1, v3.ActorStateRunning()),
        v3.EventActorIntent("a", 1, v3.ActorIntentSleep()),
        v3.EventActorStateUpdate("a", 1, v3.ActorStateStopped(v3.StopCode.ERROR, "why")),
        v3.EventActorStateUpdate("b", 1, v3.ActorStateRunning()),
    ]
    body = v3.encode_to_server(v3.ToServerEvents([v3.EventWrapper(index, event) for index, event in enumerate(events)]))
    assert V3().states(body) == (2, 1)
