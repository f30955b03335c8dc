"""From `start` to its end: init, what may go wrong before it, and that nothing is left."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import RunnerShutDown
from tests.support.scene import scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@virtual_time
async def test_the_upgrade_and_init_say_who_connects_when_a_runner_starts(protocol: int) -> None:
    async with scene(
        runner_name="n",
        namespace="a b&c",
        runner_key="k/1",
        token="secret",
        version=3,
        total_slots=7,
        metadata={"m": 1},
        prepopulate_actor_names={"x": {"y": 2}},
    ) as current:
        starting, connection = await current.starting()
        hello = await connection.init("r9")
        await starting
        assert connection.path == "/runners/connect"
        assert connection.query == {"protocol_version": str(protocol), "namespace": "a b&c", "runner_key": "k/1"}
        assert connection.subprotocols == ["rivet", "rivet_token.secret"]
        assert (hello.name, hello.version, hello.total_slots, getattr(hello, "last_command_idx", None)) == ("n", 3, 7, None)
        assert hello.metadata == '{"m":1}'
        assert hello.prepopulate_actor_names is not None
        assert {name: value.metadata for name, value in hello.prepopulate_actor_names.items()} == {"x": '{"y":2}'}
        assert current.runner.runner_id == "r9"
        assert current.runner.connected


@virtual_time
async def test_start_waits_when_init_is_not_answered() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await asyncio.sleep(30)
        assert not starting.done()
        assert not current.runner.connected
        assert current.runner.called("on_connected") == []
        await connection.init()
        await starting


@virtual_time
async def test_start_goes_on_trying_when_the_engine_is_not_there() -> None:
    async with scene() as current:
        await current.engine.stop()
        starting = asyncio.create_task(current.runner.start())
        await asyncio.sleep(20)
        assert not starting.done()
        await current.engine.start()
        await current.reconnected()
        await starting


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@virtual_time
async def test_start_goes_on_trying_when_the_upgrade_is_refused(status: int) -> None:
    async with scene() as current:
        current.engine.refuse(status, times=2)
        await current.start()
        assert [dial.refused_with for dial in current.engine.dials] == [status, status, None]


@virtual_time
async def test_start_times_out_and_nothing_is_left_when_the_engine_is_not_there() -> None:
    async with scene(start_timeout=10) as current:
        await current.engine.stop()
        with pytest.raises(TimeoutError, match="within 10 s; is it running"):
            await current.runner.start()
        assert 10 <= current.now < 11
        await current.engine.start()
        await asyncio.sleep(60)
        assert current.engine.dials == []


@virtual_time
async def test_start_times_out_and_nothing_is_left_when_the_upgrade_is_not_answered() -> None:
    async with scene(start_timeout=5) as current:
        current.engine.stall()
        with pytest.raises(TimeoutError):
            await current.runner.start()
        assert 5 <= current.now < 6
        current.engine.resume()
        await settle()
        assert [connection for connection in current.engine.connections if connection.is_open] == []


@virtual_time
async def test_start_times_out_and_the_socket_is_closed_when_init_is_not_answered() -> None:
    async with scene(start_timeout=5) as current:
        starting, connection = await current.starting()
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")
        with pytest.raises(TimeoutError):
            await starting
        assert 5 <= current.now < 6
        assert current.runner.called("on_connected", "on_disconnected") == []
        await asyncio.sleep(60)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_start_times_out_in_time_when_the_engine_stalls_before_init() -> None:
    async with scene(start_timeout=5) as current:
        starting = asyncio.create_task(current.runner.start())
        await current.engine.accept()
        current.engine.stall()
        with pytest.raises(TimeoutError):
            await starting
        assert current.now < 8
        current.engine.resume()


@pytest.mark.parametrize("turns", range(1, 41, 3))
@virtual_time
async def test_nothing_is_left_when_start_is_cancelled_while_it_dials(turns: int) -> None:
    """At each turn of the loop: before the socket, in TCP's handshake, in the upgrade, in init."""
    async with scene() as current:
        starting = asyncio.create_task(current.runner.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await current.runner.wait_closed()
        await settle()
        for connection in current.engine.connections:
            await connection.closed()
        await asyncio.sleep(60)
        assert len(current.engine.dials) <= 1


@virtual_time
async def test_nothing_is_left_when_start_is_cancelled_while_it_backs_off() -> None:
    async with scene() as current:
        current.engine.refuse(503)
        starting = asyncio.create_task(current.runner.start())
        await asyncio.sleep(20)
        dials = len(current.engine.dials)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await asyncio.sleep(120)
        assert len(current.engine.dials) == dials


@virtual_time
async def test_the_server_sees_the_close_when_start_is_cancelled_before_init() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await settle()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")


@virtual_time
async def test_start_says_shut_down_when_shutdown_comes_first() -> None:
    async with scene() as current:
        starting = asyncio.create_task(current.runner.start())
        await current.engine.accept()
        await current.runner.shutdown()
        with pytest.raises(RunnerShutDown):
            await starting
        await current.runner.wait_closed()


@virtual_time
async def test_start_is_an_error_when_the_runner_was_shut_down_or_started_before() -> None:
    async with scene() as current:
        await current.runner.shutdown()
        await current.runner.wait_closed()
        with pytest.raises(RuntimeError, match="closed cannot start"):
            await current.runner.start()
    async with started() as (current, _):
        with pytest.raises(RuntimeError, match="running cannot start"):
            await current.runner.start()
        assert current.runner.connected


@virtual_time
async def test_wait_closed_is_an_error_when_the_runner_was_not_started() -> None:
    async with scene() as current:
        with pytest.raises(RuntimeError, match="not been started"):
            await current.runner.wait_closed()
