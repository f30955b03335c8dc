"""The loads, in the order in which they are run.

Within a phase all contestants are alive at once and take turns, every other round in reverse order, so that a change of the
machine's speed changes all of them. A contestant that waits for its turn is idle.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple, TypeVar

from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, PROTOCOL_7, Contestant, LiveRunner, connected
from benchmarks.lifecycle import lifecycle_sample
from benchmarks.measure import MICROSECONDS, Sample, actor_start_sample, opening_sample, window
from benchmarks.real_engine import CLIENTS, Hosted, host
from benchmarks.report import IN_FLIGHT_FAR, ROUND_TRIPS, Records
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

__all__ = ["FULL", "PHASES", "QUICK", "Settings", "say"]

IN_FLIGHT: Final = 100
"""Messages or requests under way."""

ACTORS_IN_ALL: Final = 3_000
"""Started by each contestant for one figure, at least. A turn with few actors takes hardly a millisecond."""

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
    with_engine: bool


FULL: Final = Settings(5, 1.0, 2.0, (100, 1_000, 10_000), (100, 1_000, 5_000, 10_000), True)
QUICK: Final = Settings(2, 0.3, 0.5, (100, 1_000), (100, 1_000), False)

RunnerT = TypeVar("RunnerT", LiveRunner, Hosted)
Measure = Callable[[RunnerT], Awaitable[Sample]]


def say(text: str) -> None:
    """Tell how far the run is. On standard error, so that the results can be piped."""
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def _alive(contestants: Sequence[Contestant], round_trip: float = 0.0) -> AsyncIterator[list[LiveRunner]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(contestant, round_trip=round_trip)) for contestant in contestants]


async def _take_turns(
    records: Records, load: str, runners: Sequence[RunnerT], rounds: int, measure: Measure[RunnerT]
) -> None:
    say(f"  {load}")
    for turn in range(rounds):
        for runner in runners if turn % 2 == 0 else reversed(runners):
            records.add(load, runner.contestant.name, turn, await measure(runner))


def _echo(in_flight: int, seconds: float) -> Measure[LiveRunner]:
    return lambda runner: window(runner.process, runner.sockets, in_flight, seconds)


async def echo(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Echo messages on WebSockets: one in flight, then 100 over more and more of them. Open them."""
    fewest, *more = settings.sockets
    async with _alive(contestants) as runners:
        for runner in runners:
            await runner.sockets.open(fewest)
            await window(runner.process, runner.sockets, IN_FLIGHT, settings.warm_up)
        await _take_turns(records, "one in flight", runners, settings.rounds, _echo(1, settings.seconds))
        await _take_turns(records, f"{fewest:,} open", runners, settings.rounds, _echo(IN_FLIGHT, settings.seconds))
        for count in more:
            missing = count - len(runners[0].sockets)
            say(f"  opening {missing:,} more WebSockets")
            for runner in runners:
                sample = await opening_sample(runner.process, runner.sockets, missing)
                if count == more[-1]:
                    records.add("opening", runner.contestant.name, 0, sample)
            await _take_turns(records, f"{count:,} open", runners, settings.rounds, _echo(IN_FLIGHT, settings.seconds))


async def memory(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Open WebSockets and leave them idle: their memory."""
    # In fresh processes without any traffic, each further WebSocket adds this to the first 100.
    async with _alive(contestants) as runners:
        for runner in runners:
            say(f"  {runner.contestant.title}")
            name, total, added = runner.contestant.name, 0.0, 0
            await opening_sample(runner.process, runner.sockets, 100)
            for count in settings.sockets[1:]:
                missing = count - len(runner.sockets)
                sample = await opening_sample(runner.process, runner.sockets, missing)
                total += sample["memory"] * missing
                added += missing
                records.add(f"memory at {count:,}", name, 0, {"memory": total / added})
            records.add("opening", name, 1, sample)


async def http(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Answer HTTP requests, 100 in flight."""
    async with _alive(_without_floor(contestants)) as runners:
        for runner in runners:
            await window(runner.process, runner.http, IN_FLIGHT, settings.warm_up)
        await _take_turns(
            records,
            "http",
            runners,
            settings.rounds,
            lambda runner: window(runner.process, runner.http, IN_FLIGHT, settings.seconds),
        )


async def actors(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Start actors, all at once."""

    def starting(count: int) -> Measure[LiveRunner]:
        return lambda runner: actor_start_sample(runner.process, runner.actors, count)

    async with _alive(_without_floor(contestants)) as runners:
        for runner in runners:
            for _ in range(3):
                await actor_start_sample(runner.process, runner.actors, 300)
        for count in settings.actors:
            await _take_turns(records, f"{count:,} actors", runners, max(3, ACTORS_IN_ALL // count), starting(count))


async def hibernation(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Echo messages on hibernatable WebSockets, beside plain ones."""
    async with _alive([CONTESTANTS["python"], HIBERNATABLE]) as runners:
        for runner in runners:
            await runner.sockets.open(min(settings.sockets))
            await window(runner.process, runner.sockets, IN_FLIGHT, settings.warm_up)
        # Records are stored four times a second: a turn must be long enough for a few.
        seconds = max(1.0, settings.seconds)
        await _take_turns(records, "hibernatable", runners, settings.rounds, _echo(IN_FLIGHT, seconds))
        say(f"    {runners[1].connection.acknowledgements:,} acknowledgements, {runners[1].connection.kv_requests:,} puts")


async def distance(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Echo messages 50 and 100 ms from the engine and back. The floor is what the distance allows."""
    for round_trip in ROUND_TRIPS:
        load = f"{1000 * round_trip:.0f} ms away"
        async with _alive(_without_floor(contestants), round_trip) as runners:
            for runner in runners:
                await runner.sockets.open(IN_FLIGHT_FAR)
                await window(runner.process, runner.sockets, IN_FLIGHT_FAR, settings.warm_up)
            # A turn must be many round trips long.
            echo_far = _echo(IN_FLIGHT_FAR, max(1.0, settings.seconds))
            await _take_turns(records, load, runners, settings.rounds, echo_far)
        microseconds = MICROSECONDS * round_trip
        allowed = {"rate": IN_FLIGHT_FAR / round_trip, "p50": microseconds, "p99": microseconds}
        for turn in range(settings.rounds):
            records.add(load, "floor", turn, allowed)


async def engine(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Echo messages through a real engine. Left out of a quick run."""

    def round_trips(in_flight: int) -> Measure[Hosted]:
        return lambda runner: runner.sample(in_flight, settings.seconds)

    async with _on_real_engine(_without_floor(contestants), settings) as (_, hosted):
        if not hosted:
            return
        for runner in hosted:
            await runner.sample(CLIENTS, settings.warm_up)
        for in_flight in (1, CLIENTS):
            await _take_turns(records, f"engine, {in_flight} in flight", hosted, settings.rounds, round_trips(in_flight))


async def lifecycle(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Create, put to sleep and wake actors on a real engine, also on protocol 7. Left out of a quick run."""
    chosen = [contestant for contestant in contestants if contestant.name in ("python", "typescript")]
    if CONTESTANTS["python"] in chosen:
        chosen.append(PROTOCOL_7)
    async with _on_real_engine(chosen, settings) as (endpoint, hosted):
        if not hosted:
            return
        api = EngineApi(endpoint)

        def lives(runner: Hosted) -> Awaitable[Sample]:
            return lifecycle_sample(api, runner.contestant.name, LIVES_A_TURN)

        for runner in hosted:
            await lives(runner)
        await _take_turns(records, "lifecycle", hosted, max(settings.rounds, LIVES // LIVES_A_TURN), lives)


@asynccontextmanager
async def _on_real_engine(contestants: Sequence[Contestant], settings: Settings) -> AsyncIterator[tuple[str, list[Hosted]]]:
    """The endpoint of a real engine, with the contestants on it. There are none if there is no engine."""
    async with AsyncExitStack() as stack:
        try:
            local = await stack.enter_async_context(LocalEngine()) if settings.with_engine else None
        except EngineNotFound as error:
            say(f"  left out: {error}")
            local = None
        if local is None:
            yield "", []
        else:
            yield local.endpoint, [await host(stack, local, contestant) for contestant in contestants]


def _without_floor(contestants: Sequence[Contestant]) -> list[Contestant]:
    """The floor knows WebSockets only."""
    return [contestant for contestant in contestants if contestant.name != "floor"]


PHASES: Final = {phase.__name__: phase for phase in (echo, memory, http, actors, hibernation, distance, engine, lifecycle)}
"""By name. The docstring of each is its line in ``--help``."""
