"""Many restarts in one table: for each signal and probe the median and the worst case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from reliability.race.trial import Trial

__all__ = ["markdown"]

NEVER = "never"
MOST_CODES = 4
"""Kinds of failure shown for one probe."""


def markdown(trials: Sequence[Trial]) -> str:
    """The whole result as text."""
    parts = []
    for signal in dict.fromkeys(trial.signal for trial in trials):
        chosen = [trial for trial in trials if trial.signal == signal]
        parts += [f"## {signal}, {len(chosen)} restarts", "", *_probe_table(chosen), "", *_fact_table(chosen), ""]
    return "\n".join(parts)


def _probe_table(trials: Sequence[Trial]) -> Iterable[str]:
    yield "Seconds after the signal, median (worst):"
    yield ""
    yield "| probe | first failure | how it failed | first success | stable success |"
    yield "|---|---|---|---|---|"
    for name in trials[0].outcomes:
        outcomes = [trial.outcomes[name] for trial in trials]
        failures = sum((outcome.failures for outcome in outcomes), Counter[str]())
        cells = ["-"] * 4
        if failures:
            cells[0] = _spread([outcome.first_failure for outcome in outcomes])
            cells[1] = ", ".join(f"{code} ×{count}" for code, count in failures.most_common(MOST_CODES))
            cells[2] = _spread([outcome.first_success for outcome in outcomes])
            cells[3] = _spread([outcome.stable_success for outcome in outcomes])
        yield f"| {' | '.join([name, *cells])} |"


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NEVER
    worst = NEVER if len(known) < len(values) else f"{max(known):.1f}"
    return f"{median(known):.1f} ({worst})"


def _fact_table(trials: Sequence[Trial]) -> Iterable[str]:
    yield "| | median | worst |"
    yield "|---|---|---|"
    for name in trials[0].facts:
        values = [trial.facts[name] for trial in trials]
        yield f"| {name} | {median(values):.4g} | {max(values):.4g} |"
