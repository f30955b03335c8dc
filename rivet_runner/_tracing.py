"""Spans by ``opentelemetry-api``. The extra ``otel`` has it.

`find_tracer` returns ``None`` unless this program has set a tracer provider. Then nothing is traced, and nothing is paid.
The attributes follow OpenTelemetry's conventions, and add ``rivet.actor.id``, ``.name`` and ``.generation``. No span has a
query, a header, a body, a key or a value, since these carry secrets.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rivet_runner._observing.observer import Headers, Subject, Tracer

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

__all__ = ["find_tracer"]

STANDARD_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
"""Other methods are made up by clients, and would be names of spans without bound."""


def find_tracer() -> Tracer | None:
    """The tracer of the provider that this program has set, or ``None`` if it has set none.

    A program that has never imported ``opentelemetry.trace`` cannot have set one. So this imports nothing then.
    """
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return _OtelTracer(trace.get_tracer("rivet_runner"))


class _OtelTracer:
    """See `rivet_runner._observing.observer.Tracer`."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def root(self, name: str, actor: Subject) -> _OtelSpan:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        return self._begin(name, Context(), SpanKind.INTERNAL, _of(actor))

    def served(self, name: str, actor: Subject, request: Headers) -> _OtelSpan:
        from opentelemetry.context import Context
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        # Not the current context: it may be that of the span in which the runner was started.
        context = extract({key.lower(): value for key, value in request.headers.items()}, context=Context())
        method = request.method if request.method in STANDARD_METHODS else "_OTHER"
        attributes = {**_of(actor), "http.request.method": method, "url.path": request.path}
        if name == request.method and method == "_OTHER":
            name = "HTTP"
        return self._begin(name, context, SpanKind.SERVER, attributes)

    def inner(self, name: str, attributes: Mapping[str, str]) -> _OtelSpan | None:
        from opentelemetry import context, trace

        if not trace.get_current_span().is_recording():
            return None
        return self._begin(name, context.get_current(), trace.SpanKind.CLIENT, attributes)

    def _begin(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, str | int]) -> _OtelSpan:
        return _OtelSpan(self._tracer.start_span(name, context=context, kind=kind, attributes=attributes), context)


class _OtelSpan:
    """A span that is current from now on."""

    def __init__(self, span: trace.Span, context: Context) -> None:
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        self._span = span
        self._token = attach(set_span_in_context(span, context))

    def end(self, attributes: Mapping[str, str | int], error: BaseException | None, *, failed: bool) -> None:
        from opentelemetry.context import detach
        from opentelemetry.trace import StatusCode

        detach(self._token)
        span = self._span
        span.set_attributes({**attributes})
        if isinstance(error, Exception):
            span.record_exception(error)
        if failed:
            span.set_attribute("error.type", _error_type(attributes, error))
            span.set_status(StatusCode.ERROR)
        span.end()


def _error_type(attributes: Mapping[str, str | int], error: BaseException | None) -> str:
    if error is not None:
        return type(error).__qualname__
    return str(attributes.get("http.response.status_code", "_OTHER"))


def _of(actor: Subject) -> dict[str, str | int]:
    return {"rivet.actor.id": actor.id, "rivet.actor.name": actor.name, "rivet.actor.generation": actor.generation}
