"""The steps in the life of an actor: what belongs to which, and their place in the table."""

from __future__ import annotations

import asyncio

import pytest
from multidict import CIMultiDict

from benchmarks import lifecycle
from benchmarks.lifecycle import lifecycle_sample
from benchmarks.report import Records, markdown, summarise
from rivet_runner.testing import ActorInfo, HttpResponse
from tests.support.virtual_time import virtual_time


class ScriptedApi:
    """Takes 10 ms to create, 20 ms to answer and 100 ms to wake. An actor sleeps ``falls_asleep`` seconds after it asked."""

    def __init__(self, falls_asleep: float, status: int = 200) -> None:
        self.actors = 0
        self._falls_asleep, self._status = falls_asleep, status
        self._sleeps_at: float | None = None

    async def create_actor(self, name: str, *, runner_name: str) -> ActorInfo:
        await asyncio.sleep(0.010)
        self.actors += 1
        self._sleeps_at = None
        return ActorInfo(f"{runner_name} {self.actors}", name, 0)

    async def get_actor(self, actor_id: str) -> ActorInfo:
        asleep = self._sleeps_at is not None and asyncio.get_running_loop().time() >= self._sleeps_at
        # The engine knows that an actor will sleep before it does.
        return ActorInfo(actor_id, "lifecycle", 0, sleep_ts=1, connectable_ts=None if asleep else 1)

    async def request(self, actor_id: str, method: str, path: str) -> HttpResponse:
        await asyncio.sleep(0.020 if self._sleeps_at is None else 0.100)
        if method == "POST":
            self._sleeps_at = asyncio.get_running_loop().time() + self._falls_asleep
        return HttpResponse(self._status, CIMultiDict(), b"")


@virtual_time
async def test_each_step_has_its_own_time() -> None:
    api = ScriptedApi(falls_asleep=0.040)
    sample = await lifecycle_sample(api, "python", 3, asyncio.get_running_loop().time)
    assert api.actors == 3
    assert sample["create"] == pytest.approx(30_000)
    assert 60_000 <= round(sample["sleep"]) <= 62_000
    assert sample["wake"] == pytest.approx(100_000)


@virtual_time
async def test_actor_that_never_sleeps_ends_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "SLEEP_SECONDS", 0.5)
    with pytest.raises(TimeoutError):
        await lifecycle_sample(ScriptedApi(falls_asleep=1.0), "python", 1)


@virtual_time
async def test_answer_of_the_gateway_does_not_count_as_the_actors() -> None:
    with pytest.raises(RuntimeError, match="status 503"):
        await lifecycle_sample(ScriptedApi(falls_asleep=0.0, status=503), "python", 1)


def test_table_compares_each_protocol_with_typescript() -> None:
    records = Records()
    for runner, create in (("python", 100_000.0), ("python-7", 11_000.0), ("typescript", 10_000.0)):
        records.add("lifecycle", runner, 0, {"create": create, "sleep": 1.0, "wake": 1.0})
    lines = markdown(summarise(records, sockets=(100,), actors=(100,))).splitlines()
    on_3, on_7 = (line for line in lines if "create and ask, ms" in line)
    assert "protocol 3" in on_3
    assert "10.0 x" in on_3
    assert "protocol 7" in on_7
    assert "1.10 x" in on_7
    assert "<= 1.1 x TypeScript" in on_7
