"""Kills an engine under a serverless actor, starts it again, and measures when everything works as before.

The actor counts in KV four times a second and holds a WebSocket. The engine gets SIGKILL or SIGTERM at several moments of a
heartbeat, and is started again on the same data. From then on probes look ten times a second, until each has succeeded for
two seconds. The table has medians and worst cases. A run without --quick and with the engine's and the actor's own settings
takes ten minutes and replaces results/race.md.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reliability.race.summary import as_json, markdown
from reliability.race.trial import Plan, Trial, run_trial

__all__ = ["main"]

TABLE: Final = Path(__file__).parents[1] / "results" / "race.md"
SIGNALS: Final = ("SIGKILL", "SIGTERM")
OFFSETS: Final = (0.0, 0.08, 0.16, 0.24)
"""Seconds after a beat."""

QUICK_OFFSETS: Final = (0.08,)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reliability.race", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one restart for each signal: about a minute")
    parser.add_argument("--repeats", type=int, default=2, help="how often each moment is tried (default: 2)")
    parser.add_argument(
        "--crash-policy",
        choices=("sleep", "restart"),
        default="restart",
        help="of the actor; with sleep, only a probe brings it back (default: restart)",
    )
    parser.add_argument(
        "--lost-threshold", type=int, metavar="MS", help="runner_lost_threshold of the engine (its own: 15000)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file")
    return parser.parse_args()


def plans(options: argparse.Namespace) -> list[Plan]:
    """Every restart, in order: each signal and moment once, then again."""
    return [
        Plan(signal, offset, options.crash_policy, options.lost_threshold)
        for _ in range(1 if options.quick else options.repeats)
        for signal in SIGNALS
        for offset in (QUICK_OFFSETS if options.quick else OFFSETS)
    ]


async def race(chosen: Sequence[Plan]) -> list[Trial]:
    """Carry the plans out, one after the other."""
    trials: list[Trial] = []
    began = time.monotonic()
    for plan in chosen:
        moment = f"{len(trials) + 1} of {len(chosen)}: {plan.signal} {plan.offset * 1000:.0f} ms after a beat"
        print(f"[{time.monotonic() - began:4.0f} s] {moment}", file=sys.stderr, flush=True)
        trials.append(await run_trial(plan))
    return trials


def main() -> None:
    options = arguments()
    for name in ("rivet_runner", "uvicorn"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    trials = asyncio.run(race(plans(options)))
    table = markdown(trials)
    if options.json:
        options.json.write_bytes(as_json(trials))
    if not options.quick and options.crash_policy == "restart" and options.lost_threshold is None:
        TABLE.write_text(table)
    print(table)


if __name__ == "__main__":
    main()
