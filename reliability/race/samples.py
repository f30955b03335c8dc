"""The attempts of one probe, and their outcome."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["Outcome", "Sample", "outcome_of"]

STABLE_SECONDS: Final = 2.0
"""Successes for so long, without a failure between them, count as stable."""


class Sample(msgspec.Struct, frozen=True):
    """One attempt: when it began (seconds after the kill), how long it took, and how it failed."""

    at: float
    took: float
    failure: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Times in seconds after the kill, or `None` if it did not happen."""

    first_failure: float | None
    failures: dict[str, int]
    first_success: float | None
    """When the first answer came to an attempt that was made after the first failure."""
    stable_success: float | None
    """The same, for the first attempt from which on all succeeded."""


def outcome_of(samples: Sequence[Sample]) -> Outcome:
    """The outcome of ``samples``, which are in the order in which they began."""
    failures = Counter(sample.failure for sample in samples if sample.failure is not None)
    first = next((sample.at for sample in samples if sample.failure is not None), None)
    if first is None:
        return Outcome(None, {}, 0.0, 0.0)
    successes = (sample.at + sample.took for sample in samples if sample.at > first and sample.failure is None)
    return Outcome(first, dict(failures.most_common()), next(successes, None), _stable(samples))


def _stable(samples: Sequence[Sample]) -> float | None:
    run = [*itertools.takewhile(lambda sample: sample.failure is None, reversed(samples))]
    if not run or run[0].at - run[-1].at < STABLE_SECONDS:
        return None
    return run[-1].at + run[-1].took
