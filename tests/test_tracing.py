"""Spans, as the SDK of OpenTelemetry exports them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, format_span_id, format_trace_id

from rivet_runner import Actor, KvError, Request, Response, WebSocket
from rivet_runner._observing.observer import Observer
from rivet_runner._tracing import find_tracer
from tests.support.scene import hang, settle, started
from tests.support.spans import PARENT, TRACE, collected_spans
from tests.support.virtual_time import virtual_time

__all__ = ["collected_spans"]

TRACEPARENT = {"TraceParent": f"00-{TRACE}-{PARENT}-01"}


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = (span for span in exporter.get_finished_spans() if span.name == name)
    return span


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else format_span_id(span.parent.span_id)


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return format_span_id(span.context.span_id)


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return format_trace_id(span.context.trace_id)


@virtual_time
async def test_request_joins_the_clients_trace_when_it_has_a_traceparent(spans: InMemorySpanExporter) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        await actor.kv.put(b"k", b"v")
        return Response("ok", status=201)

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        await connection.request(path="/x?secret=1", headers=TRACEPARENT).response()
        await settle()
    request, put = named(spans, "GET"), named(spans, "kv put")
    assert (trace_of(request), parent_of(request)) == (TRACE, PARENT)
    assert request.kind is SpanKind.SERVER
    assert dict(request.attributes or {}) == {
        "rivet.actor.id": "a1",
        "rivet.actor.name": "a",
        "rivet.actor.generation": 1,
        "http.request.method": "GET",
        "url.path": "/x",
        "http.response.status_code": 201,
    }
    assert (trace_of(put), parent_of(put)) == (TRACE, id_of(request))
    assert (put.kind, (put.attributes or {})["db.operation.name"]) == (SpanKind.CLIENT, "put")


@virtual_time
async def test_request_begins_a_trace_when_it_names_none_even_if_the_runner_started_in_a_span(
    spans: InMemorySpanExporter,
) -> None:
    with trace.get_tracer("test").start_as_current_span("startup"):
        async with started() as (current, connection):
            await current.actor(connection)
            await connection.request(method="BREW").response()
            await settle()
    request = named(spans, "HTTP")
    assert request.parent is None
    assert (request.attributes or {})["http.request.method"] == "_OTHER"
    assert named(spans, "actor start").parent is None
    assert named(spans, "actor stop").parent is None


@virtual_time
async def test_error_is_recorded_when_a_hook_raises(spans: InMemorySpanExporter) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("no")

    async def start(actor: Actor) -> None:
        if actor.id == "bad":
            raise LookupError("no")

    async with started({"fetch": fail, "on_actor_start": start}) as (current, connection):
        await current.actor(connection)
        assert (await connection.request().response()).status == 500
        await settle()
        request = named(spans, "GET")
        assert request.status.status_code is StatusCode.ERROR
        assert (request.attributes or {})["error.type"] == "ValueError"
        assert [event.name for event in request.events] == ["exception"]
        spans.clear()
        connection.start_actor("bad")
        await connection.stopped("bad")
        await settle()
        current.expect_error("fetch raised")
        current.expect_error("on_actor_start raised")
        assert (named(spans, "actor start").attributes or {})["error.type"] == "LookupError"
        assert (named(spans, "actor stop").attributes or {})["rivet.actor.stop_reason"] == "crashed"


@virtual_time
async def test_spans_of_hooks_are_children_when_an_actor_starts_and_stops(spans: InMemorySpanExporter) -> None:
    async def inside(actor: Actor) -> None:
        await actor.kv.get(b"k")

    async with started({"on_actor_start": inside, "on_actor_stop": inside}) as (current, connection):
        await current.actor(connection)
        start = named(spans, "actor start")
        assert parent_of(named(spans, "kv get")) == id_of(start)
        spans.clear()
        connection.stop_actor()
        await connection.stopped("a1")
        await settle()
        assert parent_of(named(spans, "kv get")) == id_of(named(spans, "actor stop"))


@virtual_time
async def test_open_of_a_websocket_is_a_span_and_its_handler_is_not_in_it(spans: InMemorySpanExporter) -> None:
    async def serve(actor: Actor, ws: WebSocket) -> None:
        await actor.kv.get(b"k")
        assert not trace.get_current_span().is_recording()

    async with started({"websocket": serve}) as (current, connection):
        await current.actor(connection)
        await connection.open_websocket(headers=TRACEPARENT).opened()
        await settle()
    opened = named(spans, "WebSocket open")
    assert (trace_of(opened), parent_of(opened)) == (TRACE, PARENT)
    assert (opened.attributes or {})["rivet.websocket.accepted"] is True
    assert [span.name for span in spans.get_finished_spans() if span.name.startswith("kv")] == []


@virtual_time
async def test_span_ends_when_its_work_is_cancelled_or_fails(spans: InMemorySpanExporter) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        if request.path == "/hang":
            await hang()
        with pytest.raises(KvError):
            await actor.kv.get(b"k")
        return Response("late")

    async with started({"fetch": fetch}, actor_stop_timeout=1, kv_timeout=0.5) as (current, connection):
        await current.actor(connection)
        current.engine.kv.delay = 60
        await connection.request().response()
        await settle()
        assert named(spans, "kv get").status.status_code is StatusCode.ERROR
        spans.clear()
        exchange = connection.request(path="/hang")
        await settle()
        exchange.abort()
        await settle()
        assert "http.response.status_code" not in (named(spans, "GET").attributes or {})


def test_alarm_is_a_span_when_it_is_called(spans: InMemorySpanExporter) -> None:
    class Subject:
        id, name, generation = "a1", "a", 1

    observer = Observer(find_tracer())
    with observer.alarm(Subject()):
        assert trace.get_current_span().is_recording()
    with pytest.raises(ValueError), observer.alarm(Subject()):
        raise ValueError("no")
    assert [span.status.status_code for span in spans.get_finished_spans()] == [StatusCode.UNSET, StatusCode.ERROR]
    assert observer.statistics.alarms == {"ok": 1, "failed": 1}


def test_there_is_no_tracer_when_no_provider_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_tracer() is None
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", NoOpTracerProvider())
    assert find_tracer() is None


@pytest.mark.slow
@pytest.mark.parametrize("blocked", [False, True])
def test_nothing_is_imported_when_the_program_has_not_done_so(blocked: bool) -> None:
    program = f"""
import sys
if {blocked}:
    sys.modules["opentelemetry"] = sys.modules["prometheus_client"] = None
import rivet_runner.runner
from rivet_runner._tracing import find_tracer
assert find_tracer() is None
for name in ("opentelemetry.trace", "prometheus_client.core", "websockets.asyncio.server"):
    assert name not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
