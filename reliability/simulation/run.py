"""One seed, from begin to end."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from reliability.simulation.checker import Checker
from reliability.simulation.invariants import INVARIANTS
from reliability.simulation.load import FAULTY_SECONDS
from reliability.simulation.plain_load import PlainLoad
from reliability.simulation.typed_invariants import TYPED_INVARIANTS
from reliability.simulation.typed_load import TypedLoad
from rivet_runner.testing import Faults, SimulatedEngine, VirtualLoop, virtual_loop

__all__ = ["FAULTS", "LOGGERS", "Outcome", "run_seed"]

FAULTS: Final = Faults(every=1.4, limit=10, until=FAULTY_SECONDS)

TYPED_FAULTS: Final = Faults(every=1.4, limit=10, until=FAULTY_SECONDS, failed_calls=0.05)
"""Typed actors store much, and what fails is stored later."""
TRACE_LINES: Final = 60

LOGGERS: Final = ("rivet_runner", "asyncio")


class Outcome(msgspec.Struct, frozen=True):
    """The result of one run. ``trace`` has its last lines if a promise was broken."""

    seed: int
    violations: list[str]
    trace: str
    entries: int
    """Lines of the whole trace."""
    faults: int


async def _run(seed: int, protocol: int, faults: Faults, lines: int | None, *, typed: bool) -> Outcome:
    checker = Checker(TYPED_INVARIANTS if typed else INVARIANTS)
    load = TypedLoad if typed else PlainLoad
    async with SimulatedEngine(seed=seed, clock="virtual", faults=faults) as engine:
        await load(engine, seed, checker, protocol).run()
        trace = engine.trace
    before = trace.added
    for kind, name in _leftovers():
        trace.add("left", kind, name)
    checker.read(trace.since(before))
    violations = [str(violation) for violation in checker.broken]
    shown = trace.last(TRACE_LINES if lines is None else lines) if violations or lines is not None else ""
    trace.clear()  # at once, and not when the garbage collector comes by
    return Outcome(seed, violations, shown, trace.added, checker.faults)


def _leftovers() -> list[tuple[str, str]]:
    """Tasks and timers that outlive everything that made them."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    tasks = sorted(task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task())
    left = [("task", name) for name in tasks]
    return [*left, ("timers", str(len(loop.timers)))] if loop.timers else left


def run_seed(
    seed: int, *, protocol: int = 3, faults: Faults | None = None, lines: int | None = None, typed: bool = False
) -> Outcome:
    """Run one seed on a virtual clock, with runners of this version of the protocol, or with ``typed`` actors on them.

    ``lines`` of the trace are kept, or the last ones of a run that failed.
    """
    faults = faults or (TYPED_FAULTS if typed else FAULTS)
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(_run(seed, protocol, faults, lines, typed=typed))
