"""A long run with a real engine: HTTP, WebSocket and KV load while the network fails at random.

Prints a line each ten seconds, and a verdict at the end: whether everything works within ten seconds after the last fault,
every put that returned is there, no error was logged, and neither tasks nor memory have grown. Ctrl-C ends it early, with
a verdict; a second one at once. Everything runs on this machine; load and runner share a process, the engine has its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import logging
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import EngineApi, HttpExchangeFailed, LocalEngine
from tests.support.fault_proxy import Fault, FaultProxy

NAME: Final = "soak"
MIB: Final = 1024 * 1024

REPORT_SECONDS: Final = 10.0
WARM_UP_SECONDS: Final = 5.0

HTTP_CLIENTS: Final = 2
WS_CLIENTS: Final = 3
"""Of each actor."""

PAUSE: Final = 0.01
"""Seconds between two calls of one client or writer."""

PATIENCE: Final = 1.5
"""Seconds until a client gives a request or an echo up: what is on its way when the connection is cut may be lost."""

SLOTS: Final = 500
"""Keys that each actor writes, round and round, so that the data does not grow."""

BETWEEN_FAULTS: Final = (0.1, 2.0)
WEIGHTS: Final = {Fault.CUT: 2, Fault.REFUSE: 1, Fault.STALL_AND_CUT: 1}
"""How often a fault comes, as against 4 for the others: whatever cuts costs a second of back-off."""

FAULT_LASTS: Final = (0.05, 1.0)
BETWEEN_SLEEPS: Final = (1.0, 4.0)

WORKS_WITHIN: Final = 10.0
"""Seconds, once the engine has accepted the runner again."""

PATIENT_ENGINE: Final = {"pegboard": {"runner_lost_threshold": 60_000}}
ACCEPTED_WITHIN: Final = 60.0
"""On a busy machine the engine may lose its answer to init, several times; that must not cost the runner its actors."""

MORE_MEMORY: Final = 32 * MIB
"""Allowed between the first quarter and the last; caches and the allocator's habits need some."""

COLUMNS: Final = "    time  http/s  echo/s   put/s  given up  lost echoes  faults  connections  sleeps  RSS MiB  tasks"


class Soaked(Runner):
    """Answers, echoes, and puts numbers into its KV without end."""

    def __init__(self, figures: Counter[str], **options: Any) -> None:
        super().__init__(**options)
        self.figures = figures
        self.writing = asyncio.Event()
        self.confirmed: Counter[str] = Counter()
        """For each actor, how many puts have returned: one after the other, so these are the first so many."""

    async def on_connected(self) -> None:
        self.figures["connections"] += 1

    async def on_actor_start(self, actor: Actor) -> None:
        actor.spawn(self._write(actor))

    async def _write(self, actor: Actor) -> None:
        for number in itertools.count(self.confirmed[actor.id]):
            await self.writing.wait()
            await actor.kv.put(b"%d" % (number % SLOTS), b"%d" % number)
            self.confirmed[actor.id] = number + 1
            self.figures["puts"] += 1
            await asyncio.sleep(PAUSE)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return Response(request.body)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


class Load:
    """Clients of all actors, each in a task of its own, until `end`."""

    def __init__(self, api: EngineApi, runner: Soaked, actor_ids: list[str]) -> None:
        self.runner = runner
        self.actor_ids = actor_ids
        self.figures = runner.figures
        self._api = api
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self.runner.writing.set()
        for actor_id in self.actor_ids:
            self._tasks += [asyncio.create_task(self._requests(actor_id)) for _ in range(HTTP_CLIENTS)]
            self._tasks += [asyncio.create_task(self._echoes(actor_id)) for _ in range(WS_CLIENTS)]

    async def end(self) -> None:
        self._going = False
        self.runner.writing.clear()
        await asyncio.gather(*self._tasks)

    async def request(self, actor_id: str) -> bool:
        """Whether one request is answered as it should be."""
        body = os.urandom(16)
        try:
            response = await self._api.request(actor_id, "POST", "/", body=body, timeout=PATIENCE)
        except (TimeoutError, HttpExchangeFailed):
            return False
        if response.status >= 500 and "x-rivet-error" not in response.headers:
            self.figures[f"status {response.status}"] += 1
        return response.status == 200 and response.body == body

    async def _requests(self, actor_id: str) -> None:
        while self._going:
            self.figures["http" if await self.request(actor_id) else "given up"] += 1
            await asyncio.sleep(PAUSE)

    async def _echoes(self, actor_id: str) -> None:
        while self._going:
            try:
                async with self._api.websocket(actor_id, "/echo", open_timeout=PATIENCE) as client:
                    await self._echo(client)
            except (OSError, TimeoutError, WebSocketException):
                self.figures["given up"] += 1
                await asyncio.sleep(PAUSE)

    async def _echo(self, client: ClientConnection) -> None:
        for number in itertools.count():
            if not self._going:
                return
            await client.send(str(number))
            try:
                async with asyncio.timeout(PATIENCE):
                    while int(await client.recv()) < number:
                        self.figures["repeated echoes"] += 1
                self.figures["echoes"] += 1
            except TimeoutError:
                self.figures["lost echoes"] += 1
            await asyncio.sleep(PAUSE)


async def make_trouble(proxy: FaultProxy, chance: random.Random, figures: Counter[str]) -> None:
    """One fault after the other, without end."""
    faults = [*Fault]
    weights = [WEIGHTS.get(fault, 4) for fault in faults]
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_FAULTS))
        figures["faults"] += 1
        [fault] = chance.choices(faults, weights)
        await proxy.inject(fault, chance.uniform(*FAULT_LASTS))


async def put_to_sleep(runner: Runner, chance: random.Random, figures: Counter[str]) -> None:
    """Let a random actor sleep now and then; its clients wake it."""
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_SLEEPS))
        if runner.actors:
            chance.choice([*runner.actors.values()]).sleep()
            figures["sleeps"] += 1


def resident_bytes() -> int:
    """Memory of this process; its peak where the system tells no more."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Report:
    """A line each ten seconds, and the memory for the verdict."""

    def __init__(self, figures: Counter[str]) -> None:
        self._figures = figures
        self._began = time.monotonic()
        self.memory: list[int] = []

    @property
    def growth(self) -> int:
        """Bytes between the first quarter of the run and the last."""
        window = max(1, len(self.memory) // 4)
        first, last = self.memory[:window] or [0], self.memory[-window:] or [0]
        return int(statistics.median(last) - statistics.median(first))

    async def run(self) -> None:
        print(COLUMNS, flush=True)
        while True:
            before, began = Counter(self._figures), time.monotonic()
            await asyncio.sleep(REPORT_SECONDS)
            self.line(before, time.monotonic() - began)

    def line(self, before: Counter[str], seconds: float) -> None:
        figures = self._figures
        http, echoes, puts = ((figures[name] - before[name]) / seconds for name in ("http", "echoes", "puts"))
        self.memory.append(resident_bytes())
        print(
            f"{time.monotonic() - self._began:6.0f} s {http:7.0f} {echoes:7.0f} {puts:7.0f} {figures['given up']:9}"
            f" {figures['lost echoes']:12} {figures['faults']:7} {figures['connections']:12} {figures['sleeps']:7}"
            f" {self.memory[-1] / MIB:8.1f} {len(asyncio.all_tasks()):6}",
            flush=True,
        )


LOST_WITH_THE_LINK: Final = "what was held for a WebSocket did not leave in time"
"""Of an actor that goes to sleep while the network stalls: like an echo that is lost, and no more of an error here."""


class Errors(logging.Handler):
    """What the package logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if LOST_WITH_THE_LINK not in record.getMessage():
            self.messages[record.getMessage()] += 1


async def awake_again(load: Load, actor_ids: list[str]) -> None:
    """Wait until every actor answers."""

    async def one(actor_id: str) -> None:
        while not await load.request(actor_id):
            await asyncio.sleep(PAUSE)

    await asyncio.gather(*map(one, actor_ids))


async def missing_puts(load: Load) -> int:
    """How many puts that returned are not there, asked for by a generation that has not written."""
    missing, runner = 0, load.runner
    for actor_id in load.actor_ids:
        before = runner.actors[actor_id]
        before.sleep()
        while runner.get_actor(actor_id) is before:
            await asyncio.sleep(PAUSE)
        await awake_again(load, [actor_id])
        stored = await runner.actors[actor_id].kv.list()
        confirmed = runner.confirmed[actor_id]
        for number in range(max(0, confirmed - SLOTS), confirmed):
            missing += int(stored.get(b"%d" % (number % SLOTS), b"-1")) < number
    return missing


async def idle_tasks(runner: Runner) -> int:
    """How many tasks there are once all is quiet.

    Handlers are left out, as there are no clients then: those of clients that closed while the runner was away go on,
    because the engine does not tell of it, until it has forgotten them and the actor sleeps.
    """
    await asyncio.sleep(PATIENCE)
    gc.collect()
    return len(asyncio.all_tasks()) - sum(len(actor.websockets) for actor in runner.actors.values())


async def soak(options: argparse.Namespace, errors: Errors) -> int:
    """The whole run; returns the exit status."""
    interrupted = on_interrupt()
    figures: Counter[str] = Counter()
    async with (
        LocalEngine(PATIENT_ENGINE) as engine,
        FaultProxy(int(engine.endpoint.rsplit(":", 1)[-1])) as proxy,
        Soaked(figures, endpoint=proxy.endpoint, runner_name=NAME) as runner,
    ):
        api = EngineApi(engine.endpoint)
        actor_ids = await created(api, options.actors)
        load, report, chance = Load(api, runner, actor_ids), Report(figures), random.Random(options.seed)
        await awake_again(load, actor_ids)
        tasks_before = await idle_tasks(runner)
        troubles = [make_trouble(proxy, chance, figures), put_to_sleep(runner, chance, figures)]
        await under_load(load, report, troubles, options.minutes * 60, interrupted)
        checks = await last_checks(load, tasks_before)
    checks += [
        (not errors.messages, f"errors logged: {dict(errors.messages.most_common(5)) or 'none'}"),
        (report.growth <= MORE_MEMORY, f"memory grew by {report.growth / MIB:.1f} MiB"),
    ]
    for passed, text in checks:
        print(f"{'ok    ' if passed else 'FAILED'}  {text}")
    return 0 if all(passed for passed, _ in checks) else 1


def on_interrupt() -> asyncio.Event:
    """An event that the first Ctrl-C sets; the second one is Python's own again."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        print("interrupted: the last checks run; Ctrl-C again ends them", flush=True)
        loop.remove_signal_handler(signal.SIGINT)
        interrupted.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    return interrupted


async def created(api: EngineApi, count: int) -> list[str]:
    """The ids of new actors."""
    await api.upsert_runner_config(NAME)
    return [(await api.create_actor("soak", runner_name=NAME)).actor_id for _ in range(count)]


async def under_load(
    load: Load,
    report: Report,
    troubles: list[Coroutine[Any, Any, None]],
    seconds: float,
    interrupted: asyncio.Event,
) -> None:
    """Begin the load and then the troubles; return when the time is over, with the load still on."""
    load.begin()
    await asyncio.sleep(WARM_UP_SECONDS)
    tasks = [asyncio.create_task(each) for each in (report.run(), *troubles)]
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await interrupted.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def last_checks(load: Load, tasks_before: int) -> list[tuple[bool, str]]:
    """What must be true after the last fault: whether it is, and the words for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ACCEPTED_WITHIN):
            while not load.runner.connected:
                await asyncio.sleep(PAUSE)
    began = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WORKS_WITHIN * 3):
            await awake_again(load, load.actor_ids)
    recovery = time.monotonic() - began
    await load.end()
    missing = await missing_puts(load)
    tasks = await idle_tasks(load.runner)
    refused = {name: count for name, count in load.figures.items() if name.startswith("status")}
    return [
        (recovery <= WORKS_WITHIN, f"all actors answered {recovery:.1f} s after the last fault"),
        (missing == 0, f"{missing} of {load.figures['puts']} puts that returned are lost"),
        (not refused, f"answers of the runner that were errors: {refused or 'none'}"),
        (tasks <= tasks_before, f"tasks when idle: {tasks_before} before, {tasks} after"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the faults go on (default: %(default)g)")
    parser.add_argument("--actors", type=int, default=8, help="how many actors there are (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: %(default)s)")
    options = parser.parse_args()
    errors = Errors()
    log = logging.getLogger("rivet_runner")
    log.addHandler(errors)
    log.propagate = False
    try:
        return asyncio.run(soak(options, errors))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
