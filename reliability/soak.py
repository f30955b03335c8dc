"""A long run with a real engine: HTTP, WebSocket and KV load while the network fails at random and actors sleep.

A line is printed every ten seconds, and a verdict at the end. The run passes if everything works within ten seconds after
the last fault, no acknowledged put and no WebSocket message is lost, no error is logged, no task stays behind and memory
has not grown. Ctrl-C ends the run early, with a verdict, and a second one at once. Load and runner share a process, and the
engine has its own. It needs Linux, for its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reliability.background import in_background
from tests.support.fault_proxy import Fault
from tests.support.idle_tasks import running_tasks, tasks_that_stay
from tests.support.load import SHARES, WORKS_WITHIN, Ledger, hosted_load, strike

NAME: Final = "soak"
ACTORS: Final = 8
MIB: Final = 1024 * 1024
KEYS: Final = 500
"""Of each writer, so that the data stays small. A writer comes back to a key after 10 s or more."""

QUIET_SECONDS: Final = 2.0
"""From the first answers until the tasks are counted."""

WARM_UP_SECONDS: Final = 5.0
REPORT_SECONDS: Final = 10.0
BETWEEN_FAULTS: Final = (0.1, 2.0)
FAULT_LASTS: Final = (0.05, 1.0)
BETWEEN_SLEEPS: Final = (1.0, 4.0)

MORE_MEMORY: Final = 32 * MIB
"""Growth allowed between the first quarter of the run and the last. Caches and the allocator need some."""

LOST_WITH_THE_LINK: Final = "messages held back for a WebSocket did not leave in time"
"""Logged for an actor that goes to sleep while the network stalls. The client gets no echo then, as after any cut."""

COLUMNS: Final = ("requests", "echoes", "puts", "given up", "lost echoes", "faults", "connections", "sleeps")


class Errors(logging.Handler):
    """Counts the errors that the package logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if LOST_WITH_THE_LINK not in record.getMessage():
            self.messages[record.getMessage()] += 1


class Report:
    """Prints a line every ten seconds, and keeps the memory for the verdict."""

    def __init__(self, figures: Counter[str]) -> None:
        self._figures = figures
        self._memory: list[int] = []

    async def run(self) -> None:
        began = time.monotonic()
        print(f"{'':8}" + "".join(f"{name:>13}" for name in (*COLUMNS, "RSS MiB", "tasks")), flush=True)
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._memory.append(resident_bytes())
            figures = [*(self._figures[name] for name in COLUMNS), self._memory[-1] // MIB, len(asyncio.all_tasks())]
            print(f"{time.monotonic() - began:6.0f} s" + "".join(f"{figure:13,}" for figure in figures), flush=True)

    @property
    def growth(self) -> float:
        """Bytes between the first quarter of the run and the last."""
        quarter = max(1, len(self._memory) // 4)
        return statistics.median(self._memory[-quarter:] or [0]) - statistics.median(self._memory[:quarter] or [0])


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def endless(chance: random.Random) -> Iterator[Fault]:
    """Faults without end, each as often as its share says."""
    while True:
        yield from chance.choices([*SHARES], [*SHARES.values()])


async def put_to_sleep(ledger: Ledger, chance: random.Random) -> None:
    """Put a random actor to sleep now and then. Its clients wake it."""
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_SLEEPS))
        if ledger.actors:
            chance.choice([*ledger.actors.values()]).sleep()
            ledger.figures["sleeps"] += 1


def on_interrupt() -> asyncio.Event:
    """Return an event that the first Ctrl-C sets. The second one is Python's own again."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        print("interrupted: the last checks run; Ctrl-C again ends them", flush=True)
        loop.remove_signal_handler(signal.SIGINT)
        interrupted.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    return interrupted


async def soak(options: argparse.Namespace, errors: Errors) -> bool:
    """Do the whole run and print the verdict; return whether it passed."""
    interrupted, chance = on_interrupt(), random.Random(options.seed)
    async with hosted_load(NAME, ACTORS, KEYS) as (load, proxy):
        ledger = load.ledger
        await load.works()
        await asyncio.sleep(QUIET_SECONDS)
        tasks, report = running_tasks(), Report(ledger.figures)
        async with load.busy():
            await asyncio.sleep(WARM_UP_SECONDS)
            faults = strike(proxy, ledger, endless(chance), chance, between=BETWEEN_FAULTS, lasting=FAULT_LASTS)
            async with in_background(report.run(), faults, put_to_sleep(ledger, chance)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(interrupted.wait(), options.minutes * 60)
            recovery = math.inf
            with contextlib.suppress(AssertionError, TimeoutError):
                recovery = await load.works()
        missing = sum([len(await load.missing(actor_id)) for actor_id in load.actor_ids])
        staying = await tasks_that_stay(tasks, ledger)
    figures, refused, logged = ledger.figures, dict(load.error_answers), dict(errors.messages.most_common(5))
    return verdict(
        (recovery < math.inf, f"everything worked {recovery:.1f} s after the last fault, of at most {WORKS_WITHIN:g}"),
        (not missing, f"of {figures['puts']} puts and {figures['requests']} requests that returned, {missing} are lost"),
        (not figures["overwritten"], f"values replaced by an older one: {figures['overwritten']}"),
        (not figures["skipped messages"], f"WebSocket messages that a handler missed: {figures['skipped messages']}"),
        (not refused, f"answers of the runner that were errors, by status: {refused or 'none'}"),
        (not logged, f"errors logged: {logged or 'none'}"),
        (not staying, f"tasks that stayed behind: {dict(staying) or 'none'} (there were {tasks.total()} before the load)"),
        (report.growth <= MORE_MEMORY, f"memory grew by {report.growth / MIB:.1f} MiB"),
    )


def verdict(*checks: tuple[bool, str]) -> bool:
    """Print each check and whether it passed; return whether all did."""
    for passed, text in checks:
        print(f"{'ok    ' if passed else 'FAILED'}  {text}")
    return all(passed for passed, _ in checks)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reliability.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the faults go on (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: %(default)s)")
    options = parser.parse_args()
    errors = Errors()
    log = logging.getLogger("rivet_runner")
    log.addHandler(errors)
    log.propagate = False
    try:
        return 0 if asyncio.run(soak(options, errors)) else 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
