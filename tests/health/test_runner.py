"""A runner with a health port: from before its first connection to its end, and while its event loop is blocked."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

from rivet_runner import Runner, RunnerShutDown
from rivet_runner.protocol.v3 import ToServerStopping
from rivet_runner.serverless import serverless_app
from tests.support.http_get import Got, get, get_blocking
from tests.support.scene import scene, started
from tests.support.waiting import eventually


async def readiness(port: int | None) -> tuple[int, str]:
    assert port is not None
    found = await get(port, "/readyz")
    return found.status, json.loads(found.body)["status"]


async def test_readiness_follows_the_connection_when_the_runner_starts_reconnects_drains_and_ends() -> None:
    async with scene(health_port=0) as current:
        starting, connection = await current.starting()
        port = current.runner.health_port
        assert port
        assert await readiness(port) == (503, "starting")
        await connection.init()
        await starting
        assert await readiness(port) == (200, "ready")
        await current.actor(connection)
        connection.abort()
        await eventually(lambda: not current.runner.connected)
        assert await readiness(port) == (503, "disconnected")
        connection = await current.reconnected()
        assert await readiness(port) == (200, "ready")
        stopping = asyncio.create_task(current.runner.shutdown())
        await connection.receive(ToServerStopping)
        assert await readiness(port) == (503, "draining")
        assert (await get(port, "/healthz")).status == 200
        connection.stop_actor()
        await stopping
        assert current.runner.health_port is None
        with pytest.raises(ConnectionRefusedError):
            await get(port, "/healthz")


async def test_nothing_is_served_and_no_thread_runs_when_no_port_is_given() -> None:
    before = {*threading.enumerate()}
    async with started(block_warning=None) as (current, _):
        assert current.runner.health_port is None
        assert {*threading.enumerate()} - before == set()


def until(port: int, status: int) -> Got:
    """Ask until the answer has this status, which a test may wait for with its event loop blocked."""
    for _ in range(2000):
        found = get_blocking(port, "/healthz")
        if found.status == status:
            return found
        time.sleep(0.01)
    raise AssertionError(f"/healthz never answered {status}")


async def test_blocked_loop_is_told_when_it_lasts_longer_than_the_limit_and_forgotten_afterwards() -> None:
    async with started(health_port=0, health_timeout=0.3) as (current, _):
        port = current.runner.health_port
        assert port is not None
        found: list[Got] = []
        asking = threading.Thread(target=lambda: found.append(until(port, 503)))
        asking.start()
        asking.join()  # blocks the event loop
        assert json.loads(found[0].body)["status"] == "blocked"
        assert "the event loop has not turned for" in json.loads(found[0].body)["reason"]
        await asyncio.to_thread(until, port, 200)


async def test_healthz_answers_when_the_loop_is_blocked_for_less_than_the_limit() -> None:
    async with started(health_port=0, health_timeout=600) as (current, _):
        port = current.runner.health_port
        assert port is not None
        found: list[Got] = []
        asking = threading.Thread(target=lambda: found.append(get_blocking(port, "/healthz")))
        asking.start()
        asking.join()
        assert found[0].status == 200


async def test_start_fails_at_once_and_leaves_nothing_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with scene(health_port=port, health_host="127.0.0.1") as current:
            with pytest.raises(OSError, match=f"health_port {port} is taken"):
                await current.runner.start()
            assert current.engine.connections == []
            assert current.runner.health_port is None


async def test_port_is_free_again_when_the_start_is_given_up() -> None:
    async with scene(health_port=0, health_host="127.0.0.1") as current:
        starting, _ = await current.starting()
        port = current.runner.health_port
        assert port is not None
        await current.runner.shutdown(immediate=True)
        with pytest.raises(RunnerShutDown):
            await starting
        socket.create_server(("127.0.0.1", port)).close()


async def test_metrics_name_the_extra_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rivet_runner._metrics", raising=False)
    monkeypatch.delattr("rivet_runner._metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with started(health_port=0) as (current, _):
        port = current.runner.health_port
        assert port is not None
        found = await get(port, "/metrics")
        assert found.status == 501
        assert b"rivet-runner[metrics]" in found.body
        assert await readiness(port) == (200, "ready")
    async with scene(metrics=CollectorRegistry()) as current:
        with pytest.raises(ImportError, match=r"rivet-runner\[metrics\]"):
            await current.runner.start()


def test_health_port_is_refused_when_runners_are_serverless() -> None:
    with pytest.raises(TypeError, match="Probe /health of the application"):
        serverless_app(Runner, health_port=8081)
