"""The state and the numbers of one runner at one moment. Reports of several runners add up, and travel as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from rivet_runner._observing.statistics import Statistics, add_each

__all__ = ["Report", "ReportSource", "decode_report", "encode_report", "report_to", "sums"]


@dataclass(slots=True, eq=False, repr=False)
class Report:
    """One runner, at one moment. It has no reference to the runner."""

    runner: str
    """The runner's name, which is the label of its numbers."""
    state: str
    """A value of `rivet_runner._lifecycle.RunnerState`."""
    connected: int
    """1 if there is a connection on which the engine has accepted the runner."""
    blocked: float
    """Seconds that the event loop is late. Close to 0 if it turns."""
    actors: int
    outbox_messages: int
    outbox_bytes: int
    kv_calls: int
    """Key-value calls without an answer."""
    statistics: Statistics = field(default_factory=Statistics)


ReportSource: TypeAlias = Callable[[], Report]
"""Makes a report now. Safe in any thread, also while the event loop is blocked."""

report_to: Final[ContextVar[Callable[[ReportSource], None] | None]] = ContextVar("report_to", default=None)
"""Called with the source of each runner that starts in this context, before it connects. A worker process sets it, to tell
its parent."""

LARGEST: Final = frozenset({"blocked"})


def encode_report(report: Report) -> bytes:
    """The report as one line of JSON, without the line's end."""
    return msgspec.json.encode(report)


def decode_report(line: bytes) -> Report:
    """The report of `encode_report`. Raises `ValueError` for anything else."""
    return msgspec.json.decode(line, type=Report)


def sums(reports: Iterable[Report]) -> dict[str, Report]:
    """The sums of the numbers of all runners with one name, by that name. The reports stay as they are."""
    found: dict[str, Report] = {}
    for report in reports:
        if report.runner not in found:
            found[report.runner] = _copied(report)
        else:
            add_each(found[report.runner], report, largest=LARGEST)
    return found


def _copied(report: Report) -> Report:
    zero = Report(report.runner, report.state, 0, 0.0, 0, 0, 0, 0)
    return add_each(zero, report, largest=LARGEST)
