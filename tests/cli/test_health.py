"""``run --health-port``: one port for the probes and the metrics of all workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rivet_runner.testing import EngineApi, SimulatedEngine
from tests.cli.support import command, module, run_command
from tests.engine.support import Program, answered
from tests.support.http_get import get
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

APP = """
    import os, time
    from rivet_runner import Response, Runner

    class Counter(Runner):
        async def fetch(self, actor, request):
            if request.path == "/block":
                time.sleep(9)
            return Response(str(os.getpid()))
"""


def sample(text: str, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            if found.name == f"rivet_runner_{name}" and labels.items() <= found.labels.items():
                return found.value
    return None


def port_of(program: Program) -> int:
    found = re.search(r"/healthz, /readyz and /metrics are at port (\d+)", "\n".join(program.err))
    assert found is not None
    return int(found[1])


@contextlib.asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[tuple[Program, EngineApi]]:
    """The command on a simulated engine, with a port for its probes."""
    module(folder, APP)
    async with SimulatedEngine() as engine:
        endpoint = await engine.listen()
        api = EngineApi(endpoint)
        await api.upsert_runner_config("default")
        every = ["run", "app:Counter", *arguments, "--health-port", "0"]
        async with command(*every, folder=folder, environment={"RIVET_ENDPOINT": endpoint}) as program:
            yield program, api


async def test_probes_and_metrics_are_those_of_all_workers(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as (program, api):
        await program.printed("2 workers run app:Counter")
        port = port_of(program)

        async def status(path: str) -> int:
            return (await get(port, path)).status

        async def metric(name: str, **labels: str) -> float | None:
            return sample((await get(port, "/metrics")).body.decode(), name, **labels)

        async def is_ready() -> bool:
            return await status("/readyz") == 200

        async def both_count() -> bool:
            return await metric("connected") == 2

        await eventually(is_ready)
        await eventually(both_count)
        assert await status("/healthz") == 200
        actor = await api.create_ready_actor("counter", runner_name="default")
        worker = int((await answered(api, actor.actor_id)).text())

        async def is_counted() -> bool:
            return await metric("requests_total", status="200") == 1

        await eventually(is_counted)
        os.kill(worker, signal.SIGKILL)

        async def is_not_ready() -> bool:
            return await status("/readyz") == 503

        await eventually(is_not_ready)
        assert await metric("requests_total", status="200") == 1, "what was counted stays"
        await eventually(is_ready)
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0


async def test_a_worker_whose_event_loop_is_blocked_is_not_healthy(tmp_path: Path) -> None:
    async with running(tmp_path) as (program, api):
        await program.printed("1 worker runs app:Counter")
        port = port_of(program)
        actor = await api.create_ready_actor("counter", runner_name="default")
        assert (await get(port, "/healthz")).status == 200

        async def is_blocked() -> bool:
            found = await get(port, "/healthz")
            return found.status == 503 and json.loads(found.body)["status"] == "blocked"

        request = asyncio.create_task(api.request(actor.actor_id, "GET", "/block"))
        await eventually(is_blocked)
        assert (await request).status == 200


async def test_a_port_that_is_taken_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    module(tmp_path, APP)
    async with SimulatedEngine() as engine:
        endpoint = await engine.listen()
        taken = endpoint.rpartition(":")[2]
        found = await run_command(
            "run", "app:Counter", "--health-port", taken, folder=tmp_path, environment={"RIVET_ENDPOINT": endpoint}
        )
        assert found.status == 2
        assert re.fullmatch(rf"error: the port {taken} of --health-port cannot be had: .*\n", "\n".join(found.err) + "\n")
