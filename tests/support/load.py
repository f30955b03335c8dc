"""The load under which faults are tested: actors that write, clients that talk to them, and a network that fails.

`Ledger` is the runner, `Load` its clients, and `strike` the faults. The fault test runs it for a minute, and
``python -m reliability.soak`` for ten. The load lives here and not in ``reliability``, because the fault proxy and the other
parts that it is made of serve many tests: ``reliability`` imports ``tests.support``, never the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import EngineApi, HttpExchangeFailed, LocalEngine
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.waiting import eventually

__all__ = ["SHARES", "WORKS_WITHIN", "Ledger", "Load", "hosted_load", "strike"]

REQUESTERS: Final = 2
TALKERS: Final = 3
"""HTTP and WebSocket clients of each actor."""

PAUSE: Final = 0.02
"""Seconds between two calls of one writer or client."""

PATIENCE: Final = 1.5
"""Seconds until a client gives up on an answer. A message that is under way when the connection is cut may be lost, and its
sender would wait in vain."""

PATIENT_ENGINE: Final = {"pegboard": {"runner_lost_threshold": 60_000}}
ACCEPTED_WITHIN: Final = 60.0
"""Seconds. A busy engine can lose its answer to init several times in a row. That must not cost the runner its actors: the
load is about what is lost besides."""

KV_SECONDS: Final = 90.0
"""The runner's ``kv_timeout``: beyond the longest outage."""

WORKS_WITHIN: Final = 10.0
"""Seconds from the moment at which the engine accepts the runner again until everything must work."""

SHARES: Final = {
    Fault.CUT: 15,
    Fault.STALL_AND_CUT: 10,
    Fault.REFUSE: 3,
    Fault.STALL_TO_ENGINE: 18,
    Fault.STALL_TO_RUNNER: 18,
    Fault.DELAY: 18,
    Fault.DRIP: 18,
}
"""How often each fault comes, in a hundred. Each cut costs a second of back-off."""

LATEST: Final = "latest"
"""The key that is written with each put and read afterwards. A put that is sent again must not undo a later one."""

WAKE: Final = "/wake"


class Ledger(Runner):
    """Each actor puts numbers into its KV without end, stores the numbers that clients send, and echoes on WebSockets.

    ``acknowledged`` has, for each actor, the newest number of each key whose put has returned. Each writer uses ``keys``
    keys in turn, so that the data does not grow for ever.
    """

    def __init__(self, *, keys: int, **options: Any) -> None:
        super().__init__(kv_timeout=KV_SECONDS, **options)
        self.keys = keys
        self.figures: Counter[str] = Counter()
        self.acknowledged: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.writing = asyncio.Event()
        """Set while the actors write."""
        self._written: Counter[str] = Counter()
        self._heard: dict[str, int] = {}

    async def on_connected(self) -> None:
        self.figures["connections"] += 1

    async def on_disconnected(self, code: int, reason: str) -> None:
        self.figures["disconnections"] += 1

    async def on_actor_start(self, actor: Actor) -> None:
        actor.spawn(self._write(actor))

    async def on_actor_stop(self, actor: Actor) -> None:
        self.figures["stops"] += 1

    async def _write(self, actor: Actor) -> None:
        acknowledged = self.acknowledged[actor.id]
        for number in itertools.count(self._written[actor.id]):
            await self.writing.wait()
            key, value = f"put/{number % self.keys}", b"%d" % number
            await actor.kv.put_many({key.encode(): value, LATEST.encode(): value})
            acknowledged[key] = acknowledged[LATEST] = number
            self._written[actor.id] = number + 1
            self.figures["puts"] += 1
            self.figures["overwritten"] += await actor.kv.get(LATEST.encode()) != value
            await asyncio.sleep(PAUSE)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        await actor.kv.put(request.path.encode(), request.body)
        return Response(request.body)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            number, heard = int(message), self._heard.get(ws.path, -1)
            self.figures["skipped messages"] += number > heard + 1
            self._heard[ws.path] = max(number, heard)
            await ws.send(message)
        if ws.close_code is not None:  # else it hibernates
            self._heard.pop(ws.path, None)


class Load:
    """HTTP and WebSocket clients of some actors. They reach the engine directly: faults strike the runner's side only."""

    def __init__(self, api: EngineApi, ledger: Ledger, actor_ids: list[str]) -> None:
        self.ledger = ledger
        self.actor_ids = actor_ids
        self.error_answers: Counter[int] = Counter()
        """By status: answers from 500 up that come from the runner, not from the gateway."""
        self._api = api
        self._figures = ledger.figures
        self._clients = itertools.count()
        self._going = False
        self._talkers: set[int] = set()
        self._silent: set[int] = set()

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Keep all writers and clients at work while the block runs. Then every call under way is brought to its end."""
        self._going = True
        self.ledger.writing.set()
        async with asyncio.TaskGroup() as tasks:
            for actor_id in self.actor_ids:
                for _ in range(REQUESTERS):
                    tasks.create_task(self._request(actor_id, next(self._clients)))
                for _ in range(TALKERS):
                    tasks.create_task(self._talk(actor_id, next(self._clients)))
            try:
                yield
            finally:
                self._going = False
                self.ledger.writing.clear()

    async def works(self, seconds: float = WORKS_WITHIN) -> float:
        """Wait until every actor answers and every WebSocket client has an echo; return how many seconds that took.

        The count begins when the engine has accepted the runner. Raises `AssertionError` if the engine does not accept it,
        and `TimeoutError` after ``seconds``.
        """
        await eventually(lambda: self.ledger.connected, seconds=ACCEPTED_WITHIN)
        began = time.monotonic()
        self._silent = {*self._talkers}
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(self._mark(actor_id, WAKE, 0) for actor_id in self.actor_ids))
            await eventually(lambda: not self._silent, seconds=seconds)
        return time.monotonic() - began

    async def missing(self, actor_id: str) -> list[str]:
        """The keys whose acknowledged number the engine lacks, as a new generation reads them that has not written."""
        before = self.ledger.actors[actor_id]
        before.sleep()
        await eventually(lambda: self.ledger.get_actor(actor_id) is not before)
        await self._mark(actor_id, WAKE, 0)
        stored = await self.ledger.actors[actor_id].kv.list()
        acknowledged = self.ledger.acknowledged[actor_id]
        return [key for key, number in acknowledged.items() if int(stored.get(key.encode(), b"-1")) < number]

    async def _request(self, actor_id: str, client: int) -> None:
        for number in itertools.count():
            if not self._going:
                return
            await self._mark(actor_id, f"/mark/{client}/{number % self.ledger.keys}", number)
            await asyncio.sleep(PAUSE)

    async def _mark(self, actor_id: str, path: str, number: int) -> None:
        """Have the actor store ``number`` under ``path``. The request is repeated until it is answered."""
        while not await self._is_stored(actor_id, path, b"%d" % number):
            self._figures["given up"] += 1
            await asyncio.sleep(PAUSE)
        self.ledger.acknowledged[actor_id][path] = number
        self._figures["requests"] += 1

    async def _is_stored(self, actor_id: str, path: str, body: bytes) -> bool:
        try:
            response = await self._api.request(actor_id, "POST", path, body=body, timeout=PATIENCE)
        except (TimeoutError, HttpExchangeFailed):
            return False
        if response.status >= 500 and "x-rivet-error" not in response.headers:
            self.error_answers[response.status] += 1
        return response.status == 200 and response.body == body

    async def _talk(self, actor_id: str, client: int) -> None:
        """Send numbers and wait for their echoes. A WebSocket that fails is replaced by a new one."""
        self._talkers.add(client)
        for attempt in itertools.count():
            try:
                path = f"/talk/{client}/{attempt}"
                async with self._api.websocket(actor_id, path, open_timeout=PATIENCE) as ws:
                    await self._send_numbers(ws, client)
                    break
            except (OSError, TimeoutError, WebSocketException):
                self._figures["given up"] += 1
                await asyncio.sleep(PAUSE)
        self._talkers.discard(client)

    async def _send_numbers(self, ws: ClientConnection, client: int) -> None:
        """Send until the load ends. Raises `TimeoutError` if there is no echo at first.

        Then the runner's answer to the open was lost in a cut, and the gateway waits 15 s for it before it asks again. An
        echo that is missing later was itself under way in a cut.
        """
        for number in itertools.count():
            if not self._going:
                break
            await ws.send(str(number))
            try:
                async with asyncio.timeout(PATIENCE):
                    while int(await ws.recv()) < number:
                        pass  # an echo that came late, or once more
                self._figures["echoes"] += 1
                self._silent.discard(client)
            except TimeoutError:
                if number == 0:
                    raise
                self._figures["lost echoes"] += 1
            await asyncio.sleep(PAUSE)


@contextlib.asynccontextmanager
async def hosted_load(name: str, actors: int, keys: int) -> AsyncIterator[tuple[Load, FaultProxy]]:
    """An engine, and a runner called ``name`` with its actors behind a network that can fail."""
    async with LocalEngine(PATIENT_ENGINE) as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(name)
        async with (
            FaultProxy(int(engine.endpoint.rsplit(":", 1)[-1])) as proxy,
            Ledger(keys=keys, endpoint=proxy.endpoint, runner_name=name) as ledger,
        ):
            yield (
                Load(api, ledger, [(await api.create_actor(name, runner_name=name)).actor_id for _ in range(actors)]),
                proxy,
            )


async def strike(
    proxy: FaultProxy,
    ledger: Ledger,
    faults: Iterable[Fault],
    chance: random.Random,
    *,
    between: tuple[float, float],
    lasting: tuple[float, float],
) -> None:
    """Inject ``faults`` one after the other. Each finds a runner that is connected, so that each hits something.

    ``between`` and ``lasting`` are the shortest and the longest time, in seconds, before a fault and of a fault.
    """
    for fault in faults:
        await eventually(lambda: ledger.connected, seconds=ACCEPTED_WITHIN)
        await asyncio.sleep(chance.uniform(*between))
        ledger.figures["faults"] += 1
        await proxy.inject(fault, chance.uniform(*lasting))
