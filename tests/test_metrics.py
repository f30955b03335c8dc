"""The metrics of runners, scraped and parsed as Prometheus does."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from rivet_runner import Actor, Alarm, Response, RunnerConfig, WebSocket
from rivet_runner._metrics import RunnerCollector, publish
from rivet_runner.testing import SimulatedEngine
from tests.observing.test_statistics import report
from tests.simulated.rooms import Room
from tests.support.http_get import get
from tests.support.scene import Scene, settle, started
from tests.support.waiting import eventually

LABELS = {"runner", "reason", "status", "operation", "outcome", "hibernatable", "le"}
ID = re.compile(r"a[0-9]+\b")


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Each sample by its name and its labels without the runner's name."""
    return {
        (sample.name, frozenset((key, value) for key, value in sample.labels.items() if key != "runner")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return parsed(text)[f"rivet_runner_{name}", frozenset(labels.items())]


async def scraped(current: Scene) -> str:
    assert current.runner.health_port is not None
    found = await get(current.runner.health_port, "/metrics")
    assert found.status == 200
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    return found.body.decode()


async def echo(actor: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def fetch(actor: Actor, request: object) -> Response:
    await actor.kv.put(b"k", b"v")
    return Response("made", status=201)


async def test_numbers_are_right_when_a_busy_runner_is_scraped() -> None:
    registry = CollectorRegistry()
    hooks: dict[str, Any] = {"websocket": echo, "fetch": fetch}
    async with started(hooks, health_port=0, metrics=registry) as (current, connection):
        for number in range(3):
            await current.actor(connection, f"a{number}")
        assert (await connection.request("a0").response()).status == 201
        client = connection.open_websocket("a1")
        await client.opened()
        client.send("hello")
        assert await client.receive() == "hello"
        connection.stop_actor("a2")
        await connection.stopped("a2")
        await settle()
        text = await scraped(current)
        assert value(text, "connected") == 1
        assert value(text, "actors") == 2
        assert value(text, "actor_starts_total") == 3
        assert value(text, "actor_stops_total", reason="shutdown") == 1
        assert value(text, "requests_total", status="201") == 1
        assert value(text, "request_duration_seconds_count") == 1
        assert value(text, "request_duration_seconds_bucket", le="+Inf") == 1
        assert value(text, "websockets_open", hibernatable="false") == 1
        assert value(text, "websocket_messages_received_total") == 1
        assert value(text, "websocket_sent_bytes_total") == 5
        assert value(text, "kv_call_duration_seconds_count", operation="put") == 1
        assert value(text, "reconnects_total") == 0
        assert value(text, "outbox_bytes") == 0
        assert math.isfinite(value(text, "event_loop_blocked_seconds"))


@pytest.mark.slow
async def test_labels_are_bounded_and_name_no_actor_when_there_are_many() -> None:
    registry = CollectorRegistry()
    async with started({"fetch": fetch}, health_port=0, metrics=registry) as (current, connection):
        before = len(parsed(await scraped(current)))
        for number in range(30):
            await current.actor(connection, f"a{number}", name=f"a{number}", key=f"a{number}")
            await connection.request(f"a{number}").response()
        text = await scraped(current)
        families = [*text_string_to_metric_families(text)]
        assert {label for family in families for sample in family.samples for label in sample.labels} <= LABELS
        assert not [sample for family in families for sample in family.samples if ID.search(str(sample.labels))]
        # One status and one operation more, each with its histogram.
        assert len(parsed(text)) - before < 40


def test_names_follow_the_conventions_when_they_are_described() -> None:
    for family in RunnerCollector().describe():
        assert re.fullmatch(r"rivet_runner_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.samples == []
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not family.name.endswith("_total")


async def test_openmetrics_can_be_parsed_when_a_scraper_prefers_it() -> None:
    async with started(health_port=0, metrics=CollectorRegistry()) as (current, _):
        assert current.runner.health_port is not None
        accept = {"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}
        found = await get(current.runner.health_port, "/metrics", headers=accept)
        names = {family.name for family in openmetrics_families(found.body.decode())}  # type: ignore[no-untyped-call]
        assert "rivet_runner_actor_starts" in names


async def test_own_metrics_are_served_too_when_no_registry_is_given() -> None:
    counter = Counter("test_visits", "Visits.")
    counter.inc()
    try:
        async with started(health_port=0) as (current, _):
            text = await scraped(current)
            assert ("test_visits_total", frozenset()) in parsed(text)
            assert value(text, "connected") == 1
    finally:
        REGISTRY.unregister(counter)


async def test_registry_has_the_numbers_when_there_is_no_port() -> None:
    registry = CollectorRegistry()
    async with started(runner_name="a", metrics=registry) as (current, connection):
        await current.actor(connection)
        assert registry.get_sample_value("rivet_runner_actors", {"runner": "a"}) == 1


async def test_counters_stay_and_gauges_go_when_a_runner_is_down_and_another_starts() -> None:
    registry = CollectorRegistry()
    labels = {"runner": "a"}
    for starts in (1, 2):
        async with started(runner_name="a", metrics=registry) as (current, connection):
            await current.actor(connection)
            assert registry.get_sample_value("rivet_runner_actor_starts_total", labels) == starts
            assert registry.get_sample_value("rivet_runner_actors", labels) == 1
        assert registry.get_sample_value("rivet_runner_actor_starts_total", labels) == starts
        assert registry.get_sample_value("rivet_runner_actors", labels) == 0
        assert registry.get_sample_value("rivet_runner_connected", labels) == 0


def test_gauges_of_a_runner_count_no_more_when_it_went_down_in_the_middle_of_its_work() -> None:
    registry = CollectorRegistry()
    last = report("a", actors=3, connected=1)
    last.statistics.requests_in_progress = last.statistics.plain_websockets = last.statistics.messages_sent = 2
    publish(registry, lambda: last)()
    for gauge in ("actors", "connected", "requests_in_progress"):
        assert registry.get_sample_value(f"rivet_runner_{gauge}", {"runner": "a"}) == 0
    assert registry.get_sample_value("rivet_runner_websockets_open", {"runner": "a", "hibernatable": "false"}) == 0
    assert registry.get_sample_value("rivet_runner_websocket_messages_sent_total", {"runner": "a"}) == 2


async def test_lag_is_observed_when_the_event_loop_turns() -> None:
    registry = CollectorRegistry()
    async with started(runner_name="a", metrics=registry):
        name = "rivet_runner_event_loop_lag_seconds_count"
        async with asyncio.timeout(60):
            while not registry.get_sample_value(name, {"runner": "a"}):
                await asyncio.sleep(0.01)


def test_start_is_refused_when_the_registry_has_such_metrics_of_someone_else() -> None:
    registry = CollectorRegistry()
    Counter("rivet_runner_actor_starts", "Mine.", registry=registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        publish(registry, report)


@pytest.mark.parametrize("registry", ["registry", 1, object()])
def test_option_is_refused_when_it_is_no_registry(registry: object) -> None:
    with pytest.raises(ValueError, match="metrics must be a CollectorRegistry"):
        RunnerConfig(metrics=registry)  # type: ignore[arg-type]


async def test_calls_of_alarms_are_counted_by_their_outcome() -> None:
    registry = CollectorRegistry()
    failing = True

    class Alarmed(Room):
        async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
            if failing:
                raise ZeroDivisionError

    def counted() -> dict[str, float]:
        found = parsed(generate_latest(registry).decode())
        return {
            dict(labels)["outcome"]: count for (name, labels), count in found.items() if name == "rivet_runner_alarms_total"
        }

    async with SimulatedEngine() as engine, engine.host(Alarmed, metrics=registry) as runner:
        actor = await engine.create("room")
        await actor.wake()
        await runner.actors[actor.id].set_alarm(engine.now())
        await eventually(lambda: counted().get("failed") == 1)
        failing = False
        await runner.actors[actor.id].set_alarm(engine.now())
        await eventually(lambda: counted().get("ok") == 1)
        assert value(generate_latest(registry).decode(), "alarm_duration_seconds_count") == 2
