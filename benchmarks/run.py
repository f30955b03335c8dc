"""Measures the Python runner beside the TypeScript one and beside the floor, and prints one table.

A full run takes up to 11 minutes, and replaces results/latest.md and results/cost.svg. With --quick, --loads or --runners
the table is only printed. `make bench` installs everything that is needed first, and `make bench ARGS="--quick"`
passes options on. The benchmark needs Linux, for the clocks of other processes, and two processors that are otherwise idle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, Contestant, missing
from benchmarks.phases import FULL, PHASES, QUICK, WITHOUT_ENGINE, Run, Settings, say
from benchmarks.process import uvloop_factory
from benchmarks.report import Records, machine, markdown, summarise, write

__all__ = ["main"]


def arguments() -> argparse.Namespace:
    loads = "\n".join(f"  {name:12} {phase.__doc__}" for name, phase in PHASES.items())
    runners = "\n".join(f"  {name:12} {contestant.title}" for name, contestant in CONTESTANTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        epilog=f"loads:\n{loads}\n\nrunners:\n{runners}\n\nexample: python -m benchmarks.run --quick --loads http actors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer sockets, no real engine, rough figures")
    parser.add_argument("--loads", nargs="+", choices=PHASES, metavar="NAME", help="only these loads")
    parser.add_argument("--runners", nargs="+", choices=CONTESTANTS, metavar="NAME", help="only these runners")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures of every turn to FILE")
    return parser.parse_args()


def present(names: Sequence[str]) -> list[Contestant]:
    """The contestants that can take part. The others are named, with the reason."""
    reasons = {name: missing(CONTESTANTS[name]) for name in names}
    for name, reason in reasons.items():
        if reason:
            say(f"{CONTESTANTS[name].title} is left out: {reason}")
    return [CONTESTANTS[name] for name, reason in reasons.items() if not reason]


async def measure(loads: Sequence[str], contestants: Sequence[Contestant], settings: Settings) -> Records:
    """Run the loads one after the other."""
    run = Run(Records(), contestants, settings)
    began = time.monotonic()
    for load in loads:
        say(f"[{time.monotonic() - began:4.0f} s] {load}: {PHASES[load].__doc__}")
        await PHASES[load](run)
    say(f"[{time.monotonic() - began:4.0f} s] done")
    return run.records


def main() -> None:
    options = arguments()
    settings = QUICK if options.quick else FULL
    contestants = present(options.runners or [*CONTESTANTS])
    # The loop of the synthetic engine is the cheapest that is installed.
    with asyncio.Runner(loop_factory=uvloop_factory()) as loop_runner:
        records = loop_runner.run(
            measure(options.loads or [*(WITHOUT_ENGINE if options.quick else PHASES)], contestants, settings)
        )
    rows = summarise(records, settings.sockets, settings.actors)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "turns": records.turns}, indent=1))
    if settings == FULL and not options.loads and not options.runners:
        write(records, rows, settings.sockets)
    print(markdown(rows))


if __name__ == "__main__":
    main()
