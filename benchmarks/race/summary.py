"""Many restarts in one table: for each signal and probe the median and the worst."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from benchmarks.race.samples import Outcome
from benchmarks.race.trial import Trial

__all__ = ["as_json", "facts", "markdown"]

NEVER = "never"


def markdown(trials: Sequence[Trial]) -> str:
    """The whole result as text."""
    parts = []
    for signal in dict.fromkeys(trial.plan.signal for trial in trials):
        chosen = [trial for trial in trials if trial.plan.signal == signal]
        parts += [f"## {signal}, {len(chosen)} restarts", "", *_probe_table(chosen), "", *_fact_table(chosen), ""]
    return "\n".join(parts)


def _probe_table(trials: Sequence[Trial]) -> Iterable[str]:
    yield "Seconds after the signal, median (worst):"
    yield ""
    yield "| probe | first failure | how it failed | first success | stable success |"
    yield "|---|---|---|---|---|"
    for name in trials[0].outcomes:
        outcomes = [trial.outcomes[name] for trial in trials]
        failures: Counter[str] = Counter()
        for outcome in outcomes:
            failures.update(outcome.failures)
        codes = ", ".join(f"{code} ×{count}" for code, count in failures.most_common(4)) or "-"
        times = (
            _spread(outcomes, get)
            for get in (
                lambda outcome: outcome.first_failure,
                lambda outcome: outcome.first_success,
                lambda outcome: outcome.stable_success,
            )
        )
        first_failure, first_success, stable = times
        yield f"| {name} | {first_failure} | {codes} | {first_success} | {stable} |"


def _spread(outcomes: Sequence[Outcome], get: Callable[[Outcome], float | None]) -> str:
    if not any(outcome.failures for outcome in outcomes):
        return "-"
    values = [get(outcome) for outcome in outcomes]
    known = [value for value in values if value is not None]
    if not known:
        return NEVER
    worst = NEVER if len(known) < len(values) else f"{max(known):.1f}"
    return f"{median(known):.1f} ({worst})"


def _fact_table(trials: Sequence[Trial]) -> Iterable[str]:
    yield "| | median | worst |"
    yield "|---|---|---|"
    for name, values in facts(trials).items():
        yield f"| {name} | {median(values):.4g} | {max(values):.4g} |"


def facts(trials: Sequence[Trial]) -> dict[str, list[float]]:
    """What is no probe: one number a restart."""
    return {
        "engine had ended, s": [trial.exited for trial in trials],
        "engine answered again, s": [trial.ready for trial in trials],
        "runners that `/start` made after the signal": [trial.runners_after for trial in trials],
        "generations of the actor": [len(trial.lives) for trial in trials],
        "two generations alive at once, s": [trial.overlap for trial in trials],
        "times the counter went backwards": [trial.backwards for trial in trials],
        "times the counter skipped": [trial.skipped for trial in trials],
    }


def as_json(trials: Sequence[Trial], settings: dict[str, Any]) -> bytes:
    """Everything that was seen, for other programs."""
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    return msgspec.json.encode({"settings": settings, "machine": machine, "restarts": trials})
