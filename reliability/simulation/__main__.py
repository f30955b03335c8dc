"""Run seeds of the simulation, and tell which break a promise of the runner. ``make simulate`` runs this program.

Each seed is a run of its own: three actors and their clients on two processes, for 15 seconds of virtual time in which
about ten faults strike, and then a calm in which everything must work again. The same seed is the same run.

With --typed, they are typed actors, with schedules and calls by HTTP and over connections.

The program fails if a promise is broken. It prints the last lines of the run's trace, and the command that runs it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reliability.simulation.pool import run_seeds
from reliability.simulation.run import Outcome, run_seed

SHOWN_FAILURES: Final = 3
"""Failures whose trace is printed. Of the others, the seed and the reason are."""

MOST_FAILURES: Final = 50
"""After so many, the program ends early."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many to run (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first seed (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes to use (default: %(default)s)")
    parser.add_argument("--protocol", type=int, default=3, choices=(3, 7), help="of the runners (default: %(default)s)")
    parser.add_argument("--typed", action="store_true", help="typed actors in place of a plain runner")
    parser.add_argument("--seed", type=int, metavar="N", help="run this seed alone, and print its trace")
    parser.add_argument("--lines", type=int, metavar="N", help="of the trace, from its end (default: all)")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        parser.error("--seeds and --jobs must be at least 1")
    return options


def show_one(options: argparse.Namespace) -> bool:
    """Run one seed and print its trace. Return whether it kept every promise."""
    lines = sys.maxsize if options.lines is None else options.lines
    outcome = run_seed(options.seed, protocol=options.protocol, lines=lines, typed=options.typed)
    print(outcome.trace)
    print(verdict(outcome))
    return not outcome.violations


def verdict(outcome: Outcome) -> str:
    if not outcome.violations:
        return f"seed {outcome.seed}: every promise was kept, with {outcome.faults} faults"
    return "\n".join(f"seed {outcome.seed}: {violation}" for violation in outcome.violations)


class Summary:
    """The outcomes so far."""

    def __init__(self) -> None:
        self.runs = 0
        self.faults = 0
        self.entries = 0
        self.failures: list[Outcome] = []
        self._began = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.faults += outcome.faults
        self.entries += outcome.entries
        if outcome.violations:
            self.failures.append(outcome)

    def __str__(self) -> str:
        seconds = time.monotonic() - self._began
        speed = self.runs / seconds * 60 if seconds else 0
        return (
            f"{self.runs:,} seeds, {self.faults:,} faults, {self.entries:,} lines of trace in {seconds:.0f} s "
            f"({speed:,.0f} seeds a minute), {len(self.failures)} failures"
        )


def tell(console: Console, outcome: Outcome, options: argparse.Namespace, *, with_trace: bool) -> None:
    """Print a failure."""
    if with_trace:
        console.print(outcome.trace, markup=False, highlight=False, soft_wrap=True)
    console.print(verdict(outcome), markup=False, highlight=False, soft_wrap=True)
    kind = "" if options.protocol == 3 else f" --protocol {options.protocol}"
    kind += " --typed" if options.typed else ""
    console.print(f'Run it again with: make simulate ARGS="--seed {outcome.seed}{kind}"', markup=False, highlight=False)


def run_many(options: argparse.Namespace) -> bool:
    """Run all seeds. Return whether every promise was kept."""
    console, summary = Console(), Summary()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failures]} failures"), TimeRemainingColumn())
    seeds = range(options.first, options.first + options.seeds)
    outcomes = run_seeds(seeds, options.jobs, options.protocol, typed=options.typed)
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            bar = progress.add_task("seeds", total=options.seeds, failures=0)
            for bunch in outcomes:
                for outcome in bunch:
                    summary.add(outcome)
                    if outcome.violations:
                        tell(console, outcome, options, with_trace=len(summary.failures) <= SHOWN_FAILURES)
                progress.update(bar, completed=summary.runs, failures=len(summary.failures))
                if len(summary.failures) >= MOST_FAILURES:
                    break
    except KeyboardInterrupt:
        console.print("interrupted")
    finally:
        outcomes.close()
    console.print(str(summary), highlight=False, soft_wrap=True)
    return not summary.failures


def main() -> int:
    options = parse(sys.argv[1:])
    passed = run_many(options) if options.seed is None else show_one(options)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
