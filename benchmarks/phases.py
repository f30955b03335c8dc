"""The loads, in the order in which they are run.

Within a phase all contestants are alive at once and take turns, every other round the other way round, so that whatever
changes on the machine meanwhile changes all of them. Those that wait for their turn are idle.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from benchmarks import real_engine
from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, Contestant, LiveRunner, connected
from benchmarks.measure import Sample, actor_start_sample, opening_sample, window
from benchmarks.records import Records
from benchmarks.settings import IN_FLIGHT, Settings

__all__ = ["PHASES", "say"]

ACTORS_IN_ALL: Final = 3_000
"""Started by each contestant for one figure, at least: a turn with few actors takes hardly a millisecond."""

Measure = Callable[[LiveRunner], Awaitable[Sample]]


def say(text: str) -> None:
    """Tell how far it is; on standard error, so that the results can be piped."""
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def _alive(contestants: Sequence[Contestant]) -> AsyncIterator[list[LiveRunner]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(contestant)) for contestant in contestants]


def _turns(runners: Sequence[LiveRunner], rounds: int) -> Iterator[tuple[int, LiveRunner]]:
    for turn in range(rounds):
        for runner in runners if turn % 2 == 0 else reversed(runners):
            yield turn, runner


async def _measure(records: Records, load: str, runners: Sequence[LiveRunner], rounds: int, measure: Measure) -> None:
    say(f"  {load}")
    for turn, runner in _turns(runners, rounds):
        records.add(load, runner.contestant.name, turn, await measure(runner))


def _echo(in_flight: int, seconds: float) -> Measure:
    return lambda runner: window(runner.process, runner.sockets, in_flight, seconds)


async def echo(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """100 in flight over ever more WebSockets; with the fewest, one in flight as well."""
    fewest, *more = settings.sockets
    async with _alive(contestants) as runners:
        for runner in runners:
            await runner.sockets.open(fewest)
            await window(runner.process, runner.sockets, IN_FLIGHT, settings.warm_up)
        await _measure(records, "one in flight", runners, settings.rounds, _echo(1, settings.seconds))
        await _measure(records, f"{fewest:,} open", runners, settings.rounds, _echo(IN_FLIGHT, settings.seconds))
        for count in more:
            missing = count - len(runners[0].sockets)
            say(f"  opening {missing:,} more WebSockets")
            for runner in runners:
                sample = await opening_sample(runner.process, runner.sockets, missing)
                if count == more[-1]:
                    records.add("opening", runner.contestant.name, 0, sample)
            await _measure(records, f"{count:,} open", runners, settings.rounds, _echo(IN_FLIGHT, settings.seconds))


async def memory(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Fresh processes without any traffic: what each further WebSocket adds to the first 100."""
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
    """Requests of one actor."""
    async with _alive(_without_floor(contestants)) as runners:
        for runner in runners:
            await window(runner.process, runner.http, IN_FLIGHT, settings.warm_up)

        async def measure(runner: LiveRunner) -> Sample:
            return await window(runner.process, runner.http, IN_FLIGHT, settings.seconds)

        await _measure(records, "http", runners, settings.rounds, measure)


async def actors(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Starting actors all at once, and stopping them again."""
    async with _alive(_without_floor(contestants)) as runners:
        for runner in runners:
            for _ in range(3):
                await actor_start_sample(runner.process, runner.actors, 300)
        for count in settings.actors:

            async def measure(runner: LiveRunner, count: int = count) -> Sample:
                return await actor_start_sample(runner.process, runner.actors, count)

            await _measure(records, f"{count:,} actors", runners, max(3, ACTORS_IN_ALL // count), measure)


async def hibernation(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """Hibernatable WebSockets beside plain ones of the same SDK; puts into the KV are answered at once."""
    async with _alive([CONTESTANTS["python"], HIBERNATABLE]) as runners:
        for runner in runners:
            await runner.sockets.open(min(settings.sockets))
            await window(runner.process, runner.sockets, IN_FLIGHT, settings.warm_up)
        # Records are stored four times a second: a turn must be long enough for a few.
        await _measure(records, "hibernatable", runners, settings.rounds, _echo(IN_FLIGHT, max(1.0, settings.seconds)))
        say(f"    {runners[1].connection.acknowledgements:,} acknowledgements, {runners[1].connection.kv_requests:,} puts")


async def engine(records: Records, contestants: Sequence[Contestant], settings: Settings) -> None:
    """The same echo through a real engine."""
    if settings.with_engine:
        await real_engine.measure(records, _without_floor(contestants), settings, say)


def _without_floor(contestants: Sequence[Contestant]) -> list[Contestant]:
    """The floor knows WebSockets only."""
    return [contestant for contestant in contestants if contestant.name != "floor"]


PHASES: Final = {
    "echo": echo,
    "memory": memory,
    "http": http,
    "actors": actors,
    "hibernation": hibernation,
    "engine": engine,
}
