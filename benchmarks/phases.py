"""The loads, in the order in which they are run.

Within a phase all contestants are alive at once and take turns, every other round in reverse order, so that a change of the
machine's speed changes all of them. A contestant that waits for its turn is idle.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, NamedTuple, TypeVar

from benchmarks.contestants import (
    CONTESTANTS,
    HIBERNATABLE,
    PROTOCOL_7,
    RIVETKIT,
    TYPED,
    TYPED_HIBERNATABLE,
    Contestant,
    LiveRunner,
    connected,
    missing,
)
from benchmarks.lifecycle import lifecycle_sample
from benchmarks.measure import MICROSECONDS, Sample, actor_start_sample, idle_actor_sample, opening_sample, window
from benchmarks.real_engine import CLIENTS, Hosted, host
from benchmarks.report import IN_FLIGHT_FAR, ROUND_TRIPS, Records
from benchmarks.synthetic.actions import RawRequests
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

__all__ = ["FULL", "PHASES", "QUICK", "WITHOUT_ENGINE", "Run", "Settings", "say"]

IN_FLIGHT: Final = 100
"""Messages or requests under way."""

ACTORS_IN_ALL: Final = 3_000
"""Started by each contestant for one figure, at least. A turn with few actors takes hardly a millisecond."""

IDLE: Final = 2_000
"""Actors or connections of each contestant whose memory is measured."""

LIVES: Final = 40
"""Actors that each contestant creates, lets sleep and wakes, at least."""

LIVES_A_TURN: Final = 4
"""Few, because the machine's speed may change during a long turn. One alone would find an idle runner."""


class Settings(NamedTuple):
    """The size of a run."""

    rounds: int
    """Turns of each contestant at each load."""
    seconds: float
    """Of one turn."""
    warm_up: float
    """Seconds of load that do not count, before a process is measured at all: V8 compiles meanwhile."""
    sockets: tuple[int, ...]
    actors: tuple[int, ...]


FULL: Final = Settings(5, 1.0, 2.0, (100, 1_000, 10_000), (100, 1_000, 5_000, 10_000))
QUICK: Final = Settings(2, 0.3, 0.5, (100, 1_000), (100, 1_000))

RunnerT = TypeVar("RunnerT", LiveRunner, Hosted)
Measure = Callable[[RunnerT], Awaitable[Sample]]


def say(text: str) -> None:
    """Tell how far the run is. On standard error, so that the results can be piped."""
    print(text, file=sys.stderr, flush=True)


class Run(NamedTuple):
    """The records of a run so far, the runners that take part, and the size of it all."""

    records: Records
    contestants: Sequence[Contestant]
    settings: Settings

    @property
    def without_floor(self) -> list[Contestant]:
        """The floor knows WebSockets only."""
        return [contestant for contestant in self.contestants if contestant.name != "floor"]

    async def turns(self, load: str, runners: Sequence[RunnerT], measure: Measure[RunnerT], rounds: int = 0) -> None:
        """Measure all ``runners`` in turn, in ``rounds`` rounds or as many as the settings say."""
        say(f"  {load}")
        for turn in range(rounds or self.settings.rounds):
            for runner in runners if turn % 2 == 0 else reversed(runners):
                self.records.add(load, runner.contestant.name, turn, await measure(runner))

    def echoes(self, in_flight: int = IN_FLIGHT, seconds: float = 0.0) -> Measure[LiveRunner]:
        """Measure echoes for at least ``seconds``."""
        return lambda runner: window(runner, runner.sockets, in_flight, max(seconds, self.settings.seconds))


@asynccontextmanager
async def _alive(
    run: Run, contestants: Sequence[Contestant], sockets: int = 0, *, in_flight: int = IN_FLIGHT, round_trip: float = 0.0
) -> AsyncIterator[list[LiveRunner]]:
    """Contestants with this many open WebSockets, if any, warmed up on them."""
    async with AsyncExitStack() as stack:
        runners = [await stack.enter_async_context(connected(one, round_trip=round_trip)) for one in contestants]
        for runner in runners if sockets else ():
            await runner.sockets.open(sockets)
            await window(runner, runner.sockets, in_flight, run.settings.warm_up)
        yield runners


async def echo(run: Run) -> None:
    """Echo messages on WebSockets: one in flight, then 100 over more and more of them. Open them."""
    fewest, *more = run.settings.sockets
    async with _alive(run, run.contestants, fewest) as runners:
        await run.turns("one in flight", runners, run.echoes(1))
        await run.turns(f"{fewest:,} open", runners, run.echoes())
        for count in more:
            rest = count - len(runners[0].sockets)
            say(f"  opening {rest:,} more WebSockets")
            for runner in runners:
                sample = await opening_sample(runner, rest)
                if count == more[-1]:
                    run.records.add("opening", runner.contestant.name, 0, sample)
            await run.turns(f"{count:,} open", runners, run.echoes())


async def memory(run: Run) -> None:
    """Open WebSockets and leave them idle: their memory."""
    # In fresh processes without any traffic, each further WebSocket adds this to the first 100.
    async with _alive(run, run.contestants) as runners:
        for runner in runners:
            say(f"  {runner.contestant.title}")
            await opening_sample(runner, 100)
            before = runner.process.memory_bytes()
            for count in run.settings.sockets[1:]:
                sample = await opening_sample(runner, count - len(runner.sockets))
                added = (runner.process.memory_bytes() - before) / (count - 100)
                run.records.add(f"memory at {count:,}", runner.contestant.name, 0, {"memory": added})
            run.records.add("opening", runner.contestant.name, 1, sample)


async def http(run: Run) -> None:
    """Answer HTTP requests, 100 in flight."""
    async with _alive(run, run.without_floor) as runners:
        await _http_turns(run, "http", runners)


async def _http_turns(run: Run, load: str, runners: Sequence[LiveRunner], pieces: int = 1) -> None:
    """Measure requests, in turns cut into this many ``pieces``."""
    for runner in runners:
        await window(runner, runner.http, IN_FLIGHT, run.settings.warm_up)
    rounds, seconds = run.settings.rounds * pieces, run.settings.seconds / pieces
    await run.turns(load, runners, lambda runner: window(runner, runner.http, IN_FLIGHT, seconds), rounds)


async def actors(run: Run) -> None:
    """Start actors, all at once."""
    async with _alive(run, run.without_floor) as runners:
        for runner in runners:
            for _ in range(3):
                await actor_start_sample(runner, 300)
        for count in run.settings.actors:
            starting = partial(actor_start_sample, count=count)
            await run.turns(f"{count:,} actors", runners, starting, max(3, ACTORS_IN_ALL // count))


async def hibernation(run: Run) -> None:
    """Echo messages on hibernatable WebSockets, beside plain ones."""
    async with _alive(run, [CONTESTANTS["python"], HIBERNATABLE], min(run.settings.sockets)) as runners:
        # Records are stored four times a second: a turn must be long enough for a few.
        await run.turns("hibernatable", runners, run.echoes(seconds=1.0))


async def typed(run: Run) -> None:
    """Call actions of typed actors, beside the raw hooks of the same runner."""
    contestants = [CONTESTANTS["python"]._replace(requests=RawRequests), TYPED, HIBERNATABLE, TYPED_HIBERNATABLE]
    async with _alive(run, contestants, min(run.settings.sockets)) as runners:
        await run.turns("typed echo", runners, run.echoes(seconds=1.0))
        # The ratio of the two is small, so the machine must not change its speed between their turns.
        await _http_turns(run, "typed http", runners[:2], pieces=10)
    for load, measure in (("idle actor", idle_actor_sample), ("idle connection", opening_sample)):
        async with _alive(run, contestants) as runners:
            for runner in runners:
                await measure(runner, 100)
            await run.turns(load, runners, partial(measure, count=IDLE), rounds=1)


async def distance(run: Run) -> None:
    """Echo messages 50 and 100 ms from the engine and back. The floor is what the distance allows."""
    for round_trip in ROUND_TRIPS:
        load = f"{1000 * round_trip:.0f} ms away"
        far = _alive(run, run.without_floor, IN_FLIGHT_FAR, in_flight=IN_FLIGHT_FAR, round_trip=round_trip)
        async with far as runners:
            # A turn must be many round trips long.
            await run.turns(load, runners, run.echoes(IN_FLIGHT_FAR, seconds=1.0))
        microseconds = MICROSECONDS * round_trip
        allowed = {"rate": IN_FLIGHT_FAR / round_trip, "p50": microseconds, "p99": microseconds}
        for turn in range(run.settings.rounds):
            run.records.add(load, "floor", turn, allowed)


async def engine(run: Run) -> None:
    """Echo messages through a real engine. Left out of a quick run."""
    await _round_trips(run, "engine", run.without_floor)


async def _round_trips(run: Run, load: str, contestants: Sequence[Contestant]) -> None:
    async with _on_real_engine(contestants) as (_, hosted):
        for runner in hosted:
            await runner.sample(CLIENTS, run.settings.warm_up)
        for in_flight in (1, CLIENTS):
            measure = partial(Hosted.sample, in_flight=in_flight, seconds=run.settings.seconds)
            await run.turns(f"{load}, {in_flight} in flight", hosted, measure)


async def rivetkit(run: Run) -> None:
    """Call actions of typed actors through a real engine, beside RivetKit's. Left out of a quick run."""
    reason = missing(RIVETKIT)
    if reason:
        say(f"  RivetKit is left out: {reason}")
    await _round_trips(run, "rivetkit", [TYPED_HIBERNATABLE] if reason else [TYPED_HIBERNATABLE, RIVETKIT])


async def lifecycle(run: Run) -> None:
    """Create, put to sleep and wake actors on a real engine, also on protocol 7. Left out of a quick run."""
    chosen = [contestant for contestant in run.contestants if contestant.name in ("python", "typescript")]
    if CONTESTANTS["python"] in chosen:
        chosen.append(PROTOCOL_7)
    async with _on_real_engine(chosen) as (endpoint, hosted):

        def lives(runner: Hosted) -> Awaitable[Sample]:
            return lifecycle_sample(EngineApi(endpoint), runner.contestant.name, LIVES_A_TURN)

        for runner in hosted:
            await lives(runner)
        await run.turns("lifecycle", hosted, lives, max(run.settings.rounds, LIVES // LIVES_A_TURN))


@asynccontextmanager
async def _on_real_engine(contestants: Sequence[Contestant]) -> AsyncIterator[tuple[str, list[Hosted]]]:
    """The endpoint of a real engine, with the contestants on it. There are none if there is no engine."""
    async with AsyncExitStack() as stack:
        try:
            endpoint = (await stack.enter_async_context(LocalEngine())).endpoint
        except EngineNotFound as error:
            say(f"  left out: {error}")
            endpoint, contestants = "", ()
        yield endpoint, [await host(stack, endpoint, contestant) for contestant in contestants]


WITHOUT_ENGINE: Final = {phase.__name__: phase for phase in (echo, memory, http, actors, hibernation, distance, typed)}
PHASES: Final = WITHOUT_ENGINE | {phase.__name__: phase for phase in (engine, rivetkit, lifecycle)}
"""By name. The docstring of each is its line in ``--help``."""
