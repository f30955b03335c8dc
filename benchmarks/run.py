"""Measures the Python runner beside the TypeScript one and beside the floor: one table, and the files in ``results``.

``make bench`` installs what is needed and runs this; ``make bench ARGS="--quick"``. A full run takes up to ten minutes.
It wants Linux, for the clocks of other processes, and is best left alone on its machine: two free cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Collection, Sequence

from benchmarks.contestants import CONTESTANTS, Contestant, missing
from benchmarks.phases import PHASES, say
from benchmarks.records import Records
from benchmarks.report import RESULTS, as_json, machine, markdown, write
from benchmarks.settings import FULL, LOADS, QUICK, Settings
from benchmarks.summary import summarise

__all__ = ["main"]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    loads = "\n".join(f"  {name:12} {what}" for name, what in LOADS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        epilog=f"loads:\n{loads}\n\nrunners: {', '.join(CONTESTANTS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="under a minute, fewer sockets, no real engine; rough")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")
    parser.add_argument("--loads", type=_names(LOADS), default=list(LOADS), metavar="NAME,...", help="only these loads")
    parser.add_argument(
        "--runners", type=_names(CONTESTANTS), default=list(CONTESTANTS), metavar="NAME,...", help="only these runners"
    )
    parser.add_argument("--rounds", type=int, help="turns of each runner at each load")
    parser.add_argument("--no-files", action="store_true", help="leave the files in results/ as they are")
    return parser.parse_args()


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return parse


def present(names: Sequence[str]) -> list[Contestant]:
    """The contestants that can take part; the others are named."""
    contestants = []
    for name in names:
        if reason := missing(CONTESTANTS[name]):
            say(f"{CONTESTANTS[name].title} is left out: {reason}")
        else:
            contestants.append(CONTESTANTS[name])
    return contestants


async def measure(loads: Sequence[str], contestants: Sequence[Contestant], settings: Settings) -> Records:
    """Run the loads one after the other."""
    records = Records()
    began = time.monotonic()
    for load in loads:
        say(f"[{time.monotonic() - began:4.0f} s] {load}: {LOADS[load]}")
        await PHASES[load](records, contestants, settings)
    say(f"[{time.monotonic() - began:4.0f} s] done")
    return records


def main() -> None:
    options = arguments()
    settings = QUICK if options.quick else FULL
    if options.rounds:
        settings = settings._replace(rounds=options.rounds)
    contestants = present(options.runners)
    with asyncio.Runner(loop_factory=_loop_factory()) as loop_runner:
        records = loop_runner.run(measure(options.loads, contestants, settings))
    rows = summarise(records, settings)
    result = as_json(records, rows, settings, machine())
    if not options.no_files:
        write(records, rows, settings, result)
        say(f"written to {RESULTS.parent.name}/{RESULTS.name}")
    print(json.dumps(result, indent=1) if options.json else markdown(rows))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The engine's own loop: the cheapest there is."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    main()
