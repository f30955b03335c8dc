"""Kills an engine under a serverless actor, starts it again, and measures when everything works as before.

The actor counts in KV four times a second and holds a WebSocket. The engine gets SIGKILL or SIGTERM at several moments of a
heartbeat, and is started again on the same data. From then on probes look ten times a second, until each has succeeded for
two seconds. The table has medians and worst cases. A run without options takes ten minutes and replaces results/race.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reliability.race.summary import markdown
from reliability.race.trial import Trial, run_trial

__all__ = ["main"]

TABLE: Final = Path(__file__).parents[1] / "results" / "race.md"
SIGNALS: Final = ("SIGKILL", "SIGTERM")
OFFSETS: Final = (0.0, 0.08, 0.16, 0.24)
"""Seconds after a beat. A quick run has only the second."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reliability.race", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one restart for each signal: about a minute")
    parser.add_argument(
        "--lost-threshold", type=int, metavar="MS", help="runner_lost_threshold of the engine (its own: 15000)"
    )
    return parser.parse_args()


async def race(moments: Sequence[tuple[str, float]], lost_threshold: int | None) -> list[Trial]:
    """A restart for each signal and offset, one after the other."""
    trials: list[Trial] = []
    began = time.monotonic()
    for signal, offset in moments:
        moment = f"{len(trials) + 1} of {len(moments)}: {signal} {offset * 1000:.0f} ms after a beat"
        print(f"[{time.monotonic() - began:4.0f} s] {moment}", file=sys.stderr, flush=True)
        trials.append(await run_trial(signal, offset, lost_threshold))
    return trials


def main() -> None:
    options = arguments()
    for name in ("rivet_runner", "uvicorn"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    moments = [*itertools.product(SIGNALS, OFFSETS[1:2])] if options.quick else 2 * [*itertools.product(SIGNALS, OFFSETS)]
    table = markdown(asyncio.run(race(moments, options.lost_threshold)))
    if not options.quick and options.lost_threshold is None:
        TABLE.write_text(table)
    print(table)


if __name__ == "__main__":
    main()
