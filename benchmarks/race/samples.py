"""What one probe saw, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

__all__ = ["STABLE_SECONDS", "Outcome", "Sample", "outcome_of"]

STABLE_SECONDS = 2.0
"""Successes for so long, without a failure between them, count as stable."""


class Sample(msgspec.Struct, frozen=True):
    """One attempt: when it began (seconds after the kill), how long it took, and how it failed."""

    at: float
    took: float
    failure: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Times in seconds after the kill; none for what did not happen."""

    first_failure: float | None
    failures: dict[str, int]
    first_success: float | None
    """When the first answer came to an attempt that was made after the first failure."""
    stable_success: float | None
    """The same, for the first attempt from which on all succeeded."""


def outcome_of(samples: Sequence[Sample]) -> Outcome:
    """``samples`` in the order in which they began."""
    failed = [sample for sample in samples if sample.failure is not None]
    if not failed:
        return Outcome(None, {}, 0.0, 0.0)
    first = failed[0].at
    later = [sample for sample in samples if sample.at > first]
    success = next((sample.at + sample.took for sample in later if sample.failure is None), None)
    failures = Counter(sample.failure for sample in failed if sample.failure is not None)
    return Outcome(first, dict(failures.most_common()), success, _stable(samples))


def _stable(samples: Sequence[Sample]) -> float | None:
    run: list[Sample] = []
    for sample in reversed(samples):
        if sample.failure is not None:
            break
        run.append(sample)
    if not run or run[0].at - run[-1].at < STABLE_SECONDS:
        return None
    return run[-1].at + run[-1].took
