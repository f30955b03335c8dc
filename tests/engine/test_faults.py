"""A hundred network faults in about a minute, under HTTP and KV load: nothing is lost, nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import pytest
import websockets

import rivet_runner
from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, HttpExchangeFailed, LocalEngine
from tests.engine.support import eventually
from tests.support.fault_proxy import Fault, FaultProxy

FAULTS: Final = 100
SHARES: Final = {
    Fault.CUT: 15,
    Fault.STALL_AND_CUT: 10,
    Fault.REFUSE: 3,
    Fault.STALL_TO_ENGINE: 18,
    Fault.STALL_TO_RUNNER: 18,
    Fault.DELAY: 18,
    Fault.DRIP: 18,
}
"""A cut costs a second of back-off: with these shares a hundred faults take about a minute."""

SHORTEST, LONGEST = 0.05, 0.35
"""Seconds of one fault."""

ACTORS: Final = 5
CLIENTS_OF_AN_ACTOR: Final = 2
PUT_PAUSE: Final = 0.02
REQUEST_PAUSE: Final = 0.05
REQUEST_TIMEOUT: Final = 2.0
"""What is sent while the runner is away is lost, and the client waits; so it has to give up and try again."""

LATEST: Final = b"latest"
"""Written with each put and read afterwards: one that was sent again must not undo a later one."""

WORKS_WITHIN: Final = 10.0

PATIENT_ENGINE: Final = {"pegboard": {"runner_lost_threshold": 60_000}}
ACCEPTED_WITHIN: Final = 50.0
"""Seconds. On a busy machine the engine now and then loses its answer to an init, and the runner asks again after 4. This
test is about what is lost then, so that must not cost it its actors."""

MORE_OBJECTS: Final = 2_000
MORE_BYTES: Final = 256 * 1024
"""Slack for caches and timers. One connection that stays behind is some 200 objects and 30 KiB, and over 28 are cut."""


class Ledger(Runner):
    """Each actor puts numbers into its KV without end, and notes those whose put has returned."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.stored: dict[str, list[int]] = {}
        self.writing = asyncio.Event()
        self.overwritten = 0
        self.connects = self.disconnects = self.stops = 0

    async def on_connected(self) -> None:
        self.connects += 1

    async def on_disconnected(self, code: int, reason: str) -> None:
        self.disconnects += 1

    async def on_actor_start(self, actor: Actor) -> None:
        actor.spawn(self._write(actor))

    async def on_actor_stop(self, actor: Actor) -> None:
        self.stops += 1

    async def _write(self, actor: Actor) -> None:
        stored = self.stored.setdefault(actor.id, [])
        for number in itertools.count(len(stored)):
            await self.writing.wait()
            text = b"%d" % number
            await actor.kv.put_many({b"put/" + text: b"", LATEST: text})
            stored.append(number)
            if await actor.kv.get(LATEST) != text:
                self.overwritten += 1
            await asyncio.sleep(PUT_PAUSE)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.method == "POST":
            await actor.kv.put(request.path.encode(), b"")
            return Response("marked")
        return Response.json([key.decode() for key in await actor.kv.list()])


class Clients:
    """HTTP clients that mark one number after the other, and try each again until it is answered."""

    def __init__(self, api: EngineApi, actor_ids: list[str]) -> None:
        self._api = api
        self._numbers = itertools.count()
        self.marked: dict[str, list[str]] = {actor_id: [] for actor_id in actor_ids}
        self.answers: Counter[str] = Counter()

    async def mark(self, actor_id: str) -> None:
        path = f"/mark/{next(self._numbers)}"
        while True:
            with contextlib.suppress(TimeoutError, HttpExchangeFailed):
                response = await self._api.request(actor_id, "POST", path, timeout=REQUEST_TIMEOUT)
                self.answers[str(response.status)] += 1
                if response.status == 200:
                    return self.marked[actor_id].append(path)
                await asyncio.sleep(REQUEST_PAUSE)
                continue
            self.answers["none"] += 1

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Load for as long as the block runs; then every request that was begun is brought to its end."""
        going = True

        async def client(actor_id: str) -> None:
            while going:
                await self.mark(actor_id)
                await asyncio.sleep(REQUEST_PAUSE)

        async with asyncio.TaskGroup() as tasks:
            for actor_id in [*self.marked] * CLIENTS_OF_AN_ACTOR:
                tasks.create_task(client(actor_id))
            try:
                yield
            finally:
                going = False


class Census(NamedTuple):
    """What is there when nothing is under way."""

    tasks: int
    objects: int
    traced_bytes: int


def take_census() -> Census:
    gc.collect()
    tasks, objects = len(asyncio.all_tasks()), len(gc.get_objects())
    packages = [path for package in (rivet_runner, websockets) for path in package.__path__]
    ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{path}/*") for path in packages])
    return Census(tasks, objects, sum(trace.size for trace in ours.traces))


@pytest.fixture
def tracing() -> Any:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def inject_all(proxy: FaultProxy, runner: Runner, chance: random.Random) -> None:
    """All faults in random order. Each finds a runner that is connected, so that none hits nothing."""
    faults = chance.sample([*SHARES], counts=[*SHARES.values()], k=FAULTS)
    for fault in faults:
        await eventually(lambda: runner.connected, ACCEPTED_WITHIN)
        await asyncio.sleep(chance.uniform(0.02, 0.2))
        await proxy.inject(fault, chance.uniform(SHORTEST, LONGEST))


async def works(ledger: Ledger, clients: Clients) -> None:
    """Every actor answers over HTTP, and a put that begins now returns."""
    puts = [actor.kv.put(b"after", b"") for actor in ledger.actors.values()]
    await asyncio.gather(*puts, *(clients.mark(actor_id) for actor_id in clients.marked))


async def keys_of_the_next_generation(api: EngineApi, ledger: Ledger, actor_id: str) -> set[str]:
    """What the engine has, asked for by a generation that has never written."""
    actor = ledger.actors[actor_id]
    actor.sleep()
    await eventually(lambda: ledger.get_actor(actor_id) is not actor)
    response = await api.request(actor_id, "GET", "/")
    assert response.status == 200
    return set(response.json())


@contextlib.asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[EngineApi, FaultProxy, Ledger]]:
    """An engine, a network that can fail, and a runner on it, for four minutes at most."""
    name = "ledger"
    async with asyncio.timeout(240), LocalEngine(PATIENT_ENGINE) as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(name)
        async with (
            FaultProxy(int(engine.endpoint.rsplit(":", 1)[-1])) as proxy,
            Ledger(endpoint=proxy.endpoint, runner_name=name, kv_timeout=90) as ledger,
        ):
            yield api, proxy, ledger


async def test_nothing_is_lost_and_nothing_stays_behind_when_a_hundred_faults_strike(
    tracing: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind_a_proxy() as (api, proxy, ledger):
        actor_ids = [(await api.create_actor("ledger", runner_name="ledger")).actor_id for _ in range(ACTORS)]
        clients = Clients(api, actor_ids)
        # The engine puts an actor to sleep that it cannot place in a runner's first milliseconds; a request wakes it.
        await asyncio.gather(*map(clients.mark, actor_ids))
        ledger.writing.set()
        async with clients.busy():
            await asyncio.sleep(0.5)
            for fault in Fault:  # what the first of each kind makes for good is no growth
                await proxy.inject(fault, SHORTEST)
                await eventually(lambda: ledger.connected, ACCEPTED_WITHIN)
        before = await census_when_idle(ledger)
        began = time.monotonic()
        async with clients.busy():
            await inject_all(proxy, ledger, random.Random(100))
            lasted = time.monotonic() - began
            await eventually(lambda: ledger.connected, ACCEPTED_WITHIN)
            async with asyncio.timeout(WORKS_WITHIN):
                await works(ledger, clients)
            worked_after = time.monotonic() - began - lasted
        after = await census_when_idle(ledger)
        print(
            f"\n{FAULTS} faults in {lasted:.1f} s, {ledger.connects} connections; all worked {worked_after:.2f} s after the"
            f" last; {sum(map(len, ledger.stored.values()))} puts; requests by answer: {dict(clients.answers)};"
            f" before {before}, after {after}"
        )
        assert ledger.stops == 0, "an actor was lost"
        assert after.tasks <= before.tasks
        assert after.objects <= before.objects + MORE_OBJECTS
        assert after.traced_bytes <= before.traced_bytes + MORE_BYTES
        assert clients.answers["500"] == 0
        assert ledger.overwritten == 0, "a value was replaced by an older one"
        for actor_id in actor_ids:
            expected = {f"put/{number}" for number in ledger.stored[actor_id]} | {*clients.marked[actor_id]}
            missing = expected - await keys_of_the_next_generation(api, ledger, actor_id)
            assert not missing, f"{len(missing)} of {len(expected)} acknowledged puts of {actor_id} are gone"
    assert ledger.connects == ledger.disconnects
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def census_when_idle(ledger: Ledger) -> Census:
    """Pause the writers, let everything end, and count. They go on when this returns."""
    ledger.writing.clear()
    await asyncio.sleep(REQUEST_TIMEOUT)
    census = take_census()
    ledger.writing.set()
    return census
