"""What an engine restart does to an actor on a serverless runner: kills the engine, starts it again, and looks from outside.

A real engine, the serverless application, and an actor that counts in KV four times a second and holds a WebSocket. The
engine gets SIGKILL or SIGTERM, at several moments of a heartbeat, and is started again on the same data. From then on probes
look ten times a second until each has succeeded for two seconds. Printed are medians and worst cases; ``results/race.json``
has everything, ``race.html`` shows it. ``make race`` runs this; ``make race ARGS="--quick"``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.race.summary import as_json, markdown
from benchmarks.race.timeline import page
from benchmarks.race.trial import Plan, Trial, run_trial

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"
SIGNALS = ("SIGKILL", "SIGTERM")
OFFSETS_MS = (0, 80, 160, 240)
QUICK_OFFSETS_MS = (80,)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restart_race", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2, help="how often each moment is tried (default: 2)")
    parser.add_argument("--quick", action="store_true", help="one restart for each signal: about a minute")
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=SIGNALS, help="default: both")
    parser.add_argument("--offsets", nargs="+", type=int, metavar="MS", help=f"after a beat; default: {OFFSETS_MS}")
    parser.add_argument(
        "--crash-policy", choices=("sleep", "restart"), default="restart",
        help="with sleep, nothing but a probe brings the actor back (default: restart)",
    )  # fmt: skip
    parser.add_argument("--longest", type=float, default=90.0, help="seconds of looking after one kill (default: 90)")
    parser.add_argument(
        "--lost-threshold", type=int, metavar="MS", help="the engine's runner_lost_threshold (its own: 15000)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")
    parser.add_argument("--no-files", action="store_true", help="leave the files in results/ as they are")
    return parser.parse_args()


def plans(options: argparse.Namespace) -> list[Plan]:
    """Every restart, in order: each signal and moment once, then again."""
    offsets = options.offsets or (QUICK_OFFSETS_MS if options.quick else OFFSETS_MS)
    return [
        Plan(signal, offset / 1000, options.crash_policy, options.longest, options.lost_threshold)
        for _ in range(1 if options.quick else options.repeats)
        for signal in options.signals
        for offset in offsets
    ]


async def race(chosen: Sequence[Plan]) -> list[Trial]:
    """Carry the plans out, one after the other."""
    trials = []
    began = time.monotonic()
    for number, plan in enumerate(chosen, 1):
        moment = f"{plan.signal} {plan.offset * 1000:.0f} ms after a beat"
        _say(f"[{time.monotonic() - began:4.0f} s] {number} of {len(chosen)}: {moment}")
        trials.append(await run_trial(plan))
    return trials


def write(trials: Sequence[Trial], encoded: bytes) -> None:
    """The files that a person or a program looks at later."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "race.json").write_bytes(encoded + b"\n")
    (RESULTS / "race.md").write_text(markdown(trials))
    (RESULTS / "race.html").write_text(page(trials))
    _say(f"written to {RESULTS.parent.name}/{RESULTS.name}/race.json, .md and .html")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = arguments()
    logging.getLogger("rivet_runner").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    trials = asyncio.run(race(plans(options)))
    settings = {
        "repeats": options.repeats,
        "crash_policy": options.crash_policy,
        "lost_threshold_ms": options.lost_threshold,
    }
    encoded = as_json(trials, settings)
    if not options.no_files:
        write(trials, encoded)
    print(encoded.decode() if options.json else markdown(trials))


if __name__ == "__main__":
    main()
