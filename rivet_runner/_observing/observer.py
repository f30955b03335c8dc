"""The seam between the work of a runner and those who watch it.

The rooms above call an `Observer` around each piece of work: ``with observer.request(...) as seen``. It counts in
`Statistics`, and has a span made if there is a `Tracer`. Without one, an observation costs two looks at the clock.

An observation lets every error pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from time import monotonic
from types import TracebackType
from typing import Final, Protocol, Self

from rivet_runner._observing.statistics import Distribution, Statistics, add

__all__ = [
    "Headers",
    "Observation",
    "Observer",
    "RequestObservation",
    "Span",
    "Subject",
    "Tracer",
    "WebSocketOpenObservation",
]

NO_STATUS: Final = "aborted"
OTHER_STATUS: Final = "other"


class Subject(Protocol):
    """The actor that something happens to."""

    id: str
    name: str
    generation: int


class Headers(Protocol):
    """A request, as far as a tracer looks at it."""

    method: str

    @property
    def path(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class Span(Protocol):
    """A span that is current until it ends."""

    def end(self, attributes: Mapping[str, str | int], error: BaseException | None, *, failed: bool) -> None: ...


class Tracer(Protocol):
    """Makes spans. `rivet_runner._tracing` has the one implementation."""

    def root(self, name: str, actor: Subject) -> Span:
        """A span that begins a trace: the engine wanted this."""

    def served(self, name: str, actor: Subject, request: Headers) -> Span:
        """A span of a client's trace, if the request's headers name one."""

    def inner(self, name: str, attributes: Mapping[str, str]) -> Span | None:
        """A span below the current one, or ``None`` if there is none."""


class Observation:
    """One piece of work, from ``with`` to its end. ``error`` is an error that did not leave the block."""

    __slots__ = ("_began", "_span", "_statistics", "error")

    def __init__(self, statistics: Statistics, span: Span | None) -> None:
        self._statistics = statistics
        self._span = span
        self._began = monotonic()
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.error = error
        attributes, failed = self._count(monotonic() - self._began)
        if self._span is not None:
            self._span.end(attributes, self.error, failed=failed)

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        """Count it. Return the attributes that are only known now, and whether it has failed."""
        raise NotImplementedError


_NO_ATTRIBUTES: Final[Mapping[str, str | int]] = {}


class _Start(Observation):
    __slots__ = ()

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        self._statistics.actor_start_seconds.observe(seconds)
        return _NO_ATTRIBUTES, self.error is not None


class _Stop(Observation):
    __slots__ = ("_reason",)

    def __init__(self, statistics: Statistics, span: Span | None, reason: Callable[[], Enum | None]) -> None:
        super().__init__(statistics, span)
        self._reason = reason

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        reason = _reason_label(self._reason())
        add(self._statistics.actor_stops, reason)
        self._statistics.actor_stop_seconds.observe(seconds)
        return {"rivet.actor.stop_reason": reason}, self.error is not None


class _Alarm(Observation):
    __slots__ = ()

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        failed = self.error is not None
        add(self._statistics.alarms, "failed" if failed else "ok")
        self._statistics.alarm_seconds.observe(seconds)
        return _NO_ATTRIBUTES, failed


class RequestObservation(Observation):
    __slots__ = ("status",)

    def __init__(self, statistics: Statistics, span: Span | None) -> None:
        super().__init__(statistics, span)
        self.status: int | None = None
        statistics.requests_in_progress += 1

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        statistics, status = self._statistics, self.status
        statistics.requests_in_progress -= 1
        statistics.request_seconds.observe(seconds)
        if status is None:
            add(statistics.requests, NO_STATUS)
            return _NO_ATTRIBUTES, False
        add(statistics.requests, _status_label(status))
        return {"http.response.status_code": status}, status >= 500


class WebSocketOpenObservation(Observation):
    __slots__ = ("accepted",)

    def __init__(self, statistics: Statistics, span: Span | None) -> None:
        super().__init__(statistics, span)
        self.accepted: bool = False

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        statistics = self._statistics
        statistics.websocket_open_seconds.observe(seconds)
        if self.accepted:
            statistics.websockets_opened += 1
        else:
            statistics.websockets_refused += 1
        return {"rivet.websocket.accepted": self.accepted}, self.error is not None


class _KvCall(Observation):
    __slots__ = ("_operation",)

    def __init__(self, statistics: Statistics, span: Span | None, operation: str) -> None:
        super().__init__(statistics, span)
        self._operation = operation

    def _count(self, seconds: float) -> tuple[Mapping[str, str | int], bool]:
        calls = self._statistics.kv_seconds
        if self._operation not in calls:
            calls[self._operation] = Distribution()
        calls[self._operation].observe(seconds)
        failed = isinstance(self.error, Exception)
        if failed:
            add(self._statistics.kv_errors, self._operation)
        return _NO_ATTRIBUTES, failed


class Observer:
    """The watcher of one runner. Used on its event loop alone. Its ``statistics`` may be read anywhere."""

    __slots__ = ("_tracer", "statistics")

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self.statistics: Statistics = Statistics()

    def start(self, actor: Subject) -> Observation:
        """`Runner.on_actor_start` of an actor. It has failed if it raises."""
        self.statistics.actor_starts += 1
        return _Start(self.statistics, None if self._tracer is None else self._tracer.root("actor start", actor))

    def stop(self, actor: Subject, reason: Callable[[], Enum | None]) -> Observation:
        """A stop, with all its steps. ``reason`` is asked at its end, since a stop may be overtaken by another reason."""
        span = None if self._tracer is None else self._tracer.root("actor stop", actor)
        return _Stop(self.statistics, span, reason)

    def alarm(self, actor: Subject) -> Observation:
        """One call of an actor's alarm. It has failed if it raises."""
        return _Alarm(self.statistics, None if self._tracer is None else self._tracer.root("actor alarm", actor))

    def request(self, actor: Subject, request: Headers) -> RequestObservation:
        """A request, until its answer is on its way. Set ``status``, unless the client has gone."""
        span = None if self._tracer is None else self._tracer.served(request.method, actor, request)
        return RequestObservation(self.statistics, span)

    def refused(self, status: int) -> None:
        """A request was answered without an actor."""
        add(self.statistics.requests, _status_label(status))

    def websocket_open(self, actor: Subject, request: Headers) -> WebSocketOpenObservation:
        """The open of a WebSocket, until it is answered. Set ``accepted`` if its handler is to run."""
        span = None if self._tracer is None else self._tracer.served("WebSocket open", actor, request)
        return WebSocketOpenObservation(self.statistics, span)

    def websocket_began(self, *, hibernatable: bool, restored: bool) -> None:
        """The handler of an open WebSocket is about to run."""
        statistics = self.statistics
        if hibernatable:
            statistics.hibernatable_websockets += 1
        else:
            statistics.plain_websockets += 1
        if restored:
            statistics.websockets_restored += 1

    def websocket_ended(self, *, hibernatable: bool, hibernated: bool) -> None:
        """The handler of `websocket_began` has ended."""
        statistics = self.statistics
        if hibernatable:
            statistics.hibernatable_websockets -= 1
        else:
            statistics.plain_websockets -= 1
        if hibernated:
            statistics.websockets_hibernated += 1

    def kv_call(self, actor_id: str, operation: str) -> Observation:
        """A key-value call. It has failed if it raises an error."""
        span = None
        if self._tracer is not None:
            attributes = {"db.system.name": "rivet", "db.operation.name": operation, "rivet.actor.id": actor_id}
            span = self._tracer.inner(f"kv {operation}", attributes)
        return _KvCall(self.statistics, span, operation)


def _reason_label(reason: Enum | None) -> str:
    """The reason as a user knows it."""
    return "lost" if reason is None else str(reason.value)


def _status_label(status: int) -> str:
    """The status as a label. A handler may make up statuses, but not without bound."""
    return str(status) if 100 <= status < 600 else OTHER_STATUS
