"""Health, metrics and traces of a runner with a real engine."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import EngineApi, LocalEngine
from tests.support.http_get import get
from tests.support.spans import PARENT, TRACE, collected_spans
from tests.support.waiting import eventually

__all__ = ["collected_spans"]

pytestmark = [
    pytest.mark.both_protocols,
    pytest.mark.real_engine("a thread serves the probes in real time"),
]


class Watched(Runner):
    async def fetch(self, actor: Actor, request: Request) -> Response:
        await actor.kv.put(b"k", b"v")
        return Response("ok", status=202)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


async def test_numbers_and_spans_are_those_of_the_clients_when_they_come_through_the_engine(
    engine: LocalEngine, api: EngineApi, runner_name: str, spans: InMemorySpanExporter
) -> None:
    registry = CollectorRegistry()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"rivet_runner_{name}", {"runner": runner_name, **labels})

    runner = Watched(runner_name=runner_name, endpoint=engine.endpoint, health_port=0, metrics=registry)
    async with runner:
        assert runner.health_port is not None
        assert (await get(runner.health_port, "/readyz")).status == 200
        actor = await api.create_ready_actor("watched", runner_name=runner_name)
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        answer = await api.request(actor.actor_id, "GET", "/x", headers=headers)
        assert answer.status == 202
        async with api.websocket(actor.actor_id) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            assert value("websockets_open", hibernatable="false") == 1
        assert value("requests_total", status="202") == 1
        assert value("websocket_messages_received_total") == 1
        assert value("kv_call_duration_seconds_count", operation="put") == 1
        text = (await get(runner.health_port, "/metrics")).body.decode()
        assert f'rivet_runner_actors{{runner="{runner_name}"}} 1.0' in text
        await api.destroy_actor(actor.actor_id)
        await eventually(lambda: value("actor_stops_total", reason="destroy") == 1)
    by_name = {span.name: span for span in spans.get_finished_spans()}
    request = by_name["GET"]
    assert request.context is not None
    assert request.parent is not None
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    assert by_name["kv put"].parent == request.context
    assert {"actor start", "actor stop", "WebSocket open"} <= by_name.keys()
