"""What was measured, turn by turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmarks.measure import Sample

__all__ = ["Records", "Spread"]


class Spread(NamedTuple):
    """Some measurements of one thing: their median, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where there is no value."""
        return cls(median(values), min(values), max(values)) if values else None


class Records:
    """All samples, by load, contestant and round."""

    def __init__(self) -> None:
        self._samples: dict[str, dict[str, dict[int, Sample]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, load: str, runner: str, turn: int, sample: Sample) -> None:
        self._samples[load][runner][turn] = sample

    def spread(self, load: str, runner: str, metric: str) -> Spread | None:
        """One metric over all rounds."""
        return Spread.of([sample[metric] for sample in self._turns(load, runner).values()])

    def ratio(self, load: str, runner: str, other: str, metric: str) -> Spread | None:
        """One metric of ``runner`` divided by that of ``other``, in each round that both had: drift cancels."""
        mine, theirs = self._turns(load, runner), self._turns(load, other)
        return Spread.of([mine[turn][metric] / theirs[turn][metric] for turn in mine.keys() & theirs.keys()])

    def growth(self, first: str, last: str, runner: str, metric: str) -> Spread | None:
        """One metric at load ``last`` divided by the same at load ``first``: medians, as these are not measured in turns."""
        small, large = self.spread(first, runner, metric), self.spread(last, runner, metric)
        if small is None or large is None or first == last:
            return None
        return Spread(large.median / small.median, large.low / small.high, large.high / small.low)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"load": load, "runner": runner, "round": turn, **sample}
            for load, runners in self._samples.items()
            for runner, turns in runners.items()
            for turn, sample in turns.items()
        ]

    def _turns(self, load: str, runner: str) -> dict[int, Sample]:
        return self._samples.get(load, {}).get(runner, {})
