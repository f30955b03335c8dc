"""The answers to probes and to Prometheus, from the reports of one runner or of many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from rivet_runner._observing.report import Report

__all__ = ["Answer", "Exposition", "Pages"]

log = logging.getLogger("rivet_runner.health")

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
NO_METRICS: Final = 'there are no metrics: pip install "rivet-runner[metrics]"\n'

_REASONS: Final = {
    "new": "the runner has not been started",
    "starting": "the engine has not accepted the runner yet",
    "draining": "the runner shuts down",
    "closed": "the runner is down",
}


class Answer(NamedTuple):
    """One answer: a status, a content type and a body."""

    status: int
    content_type: str
    body: bytes


Exposition = Callable[[str], tuple[bytes, str]]
"""Takes an Accept header, and returns the metrics and their content type. Without the extra `metrics` there is none."""


class Pages:
    """Answers from ``reports``, which is asked for each answer. ``limit``: seconds that an event loop may be blocked."""

    def __init__(self, reports: Callable[[], Iterable[Report]], limit: float, exposition: Exposition | None) -> None:
        self._reports = reports
        self._limit = limit
        self._exposition = exposition

    def answer(self, path: str, accept: str = "") -> Answer:
        """The answer to a GET of ``path``. Raises nothing."""
        try:
            if path == "/healthz":
                return self._health()
            if path == "/readyz":
                return self._readiness()
            if path == "/metrics":
                return self._metrics(accept)
        except Exception:
            log.exception("%s could not be answered", path)
            return Answer(500, TEXT, b"internal error\n")
        return _json(404, {"status": "not found", "reason": "the paths are /healthz, /readyz and /metrics"})

    def _health(self) -> Answer:
        """Well if every event loop turns."""
        blocked = self._blocked([*self._reports()])
        return blocked or _json(200, {"status": "ok"})

    def _readiness(self) -> Answer:
        """Ready if every runner is connected, and none drains."""
        reports = [*self._reports()]
        if not reports:
            return _json(503, {"status": "starting", "reason": "there is no runner yet"})
        if (blocked := self._blocked(reports)) is not None:
            return blocked
        for report in reports:
            if report.state in _REASONS:
                return _json(503, {"status": report.state, "reason": _REASONS[report.state]})
            if not report.connected:
                return _json(503, {"status": "disconnected", "reason": "there is no connection to the engine"})
        return _json(200, {"status": "ready"})

    def _blocked(self, reports: list[Report]) -> Answer | None:
        seconds = max((report.blocked for report in reports), default=0.0)
        if seconds <= self._limit:
            return None
        return _json(503, {"status": "blocked", "reason": f"the event loop has not turned for {seconds:.1f} s"})

    def _metrics(self, accept: str) -> Answer:
        if self._exposition is None:
            return Answer(501, TEXT, NO_METRICS.encode())
        body, content_type = self._exposition(accept)
        return Answer(200, content_type, body)


def _json(status: int, value: dict[str, str]) -> Answer:
    return Answer(status, JSON, msgspec.json.encode(value) + b"\n")
