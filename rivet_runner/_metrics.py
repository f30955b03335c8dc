"""The numbers of runners as Prometheus' metrics, by ``prometheus-client``. Needs the extra ``metrics``.

Each registry has one collector, for all runners of this process that publish there. It reads their numbers when it is
scraped, so nothing is paid for it in between. Runners with the same name are added up. What a runner has counted stays when
it is down, as a counter must not go back.

The labels are bounded: the names of runners, six reasons, statuses, operations, and outcomes. No label has an actor's id.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from rivet_runner._observing.report import Report, ReportSource, sums
from rivet_runner._observing.statistics import BOUNDS, Distribution, Statistics

__all__ = ["RunnerCollector", "default_registry", "exposition", "publish"]

_GAUGES: Final = {
    "connected": "Runners that the engine has accepted: 1 or 0, or more if several have one name.",
    "actors": "Actors that are here.",
    "outbox_messages": "Messages to the engine that have not left.",
    "outbox_bytes": "Bytes of the messages that have not left, with a little for each message.",
    "kv_calls": "Key-value calls without an answer.",
}
_NAMES: Final = {"kv_calls": "kv_calls_in_progress", "blocked": "event_loop_blocked_seconds"}

_COUNTERS: Final = {
    "actor_starts": "Actors that began to start.",
    "websockets_opened": "WebSockets that were opened.",
    "websockets_refused": "WebSockets that were refused, or whose client left before the answer.",
    "websockets_restored": "WebSockets that came back from hibernation.",
    "websockets_hibernated": "WebSockets that went into hibernation.",
    "messages_received": "Messages from clients on WebSockets.",
    "messages_sent": "Messages to clients on WebSockets.",
    "bytes_received": "Bytes of the messages from clients.",
    "bytes_sent": "Bytes of the messages to clients.",
    "replays": "Times that the gateway was asked for messages that may be lost.",
    "connections": "Connections on which the engine has accepted a runner.",
    "disconnects": "Such connections that have ended.",
}
_COUNTER_NAMES: Final = {
    "messages_received": "websocket_messages_received",
    "messages_sent": "websocket_messages_sent",
    "bytes_received": "websocket_received_bytes",
    "bytes_sent": "websocket_sent_bytes",
}

_BY_LABEL: Final = {
    "actor_stops": ("reason", "Actors that have stopped."),
    "alarms": ("outcome", "Alarms that were called."),
    "requests": ("status", "HTTP requests that have ended."),
    "kv_errors": ("operation", "Key-value calls that have failed."),
}

_DURATIONS: Final = {
    "actor_start": "From the start of on_actor_start to its end.",
    "actor_stop": "All steps of a stop.",
    "alarm": "From the call of an alarm to its end.",
    "request": "From an HTTP request to its answer.",
    "websocket_open": "From the open of a WebSocket to its answer.",
}


class RunnerCollector(Collector):
    """The metrics of the runners that `attach` has named, with a label for the runner's name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: list[ReportSource] = []
        self._past: list[Report] = []
        """The sums of the runners that are down: one a name."""

    def attach(self, source: ReportSource) -> None:
        """Show this runner too."""
        with self._lock:
            self._sources.append(source)

    def detach(self, source: ReportSource) -> None:
        """This runner is down: keep what it has counted."""
        with self._lock:
            if source in self._sources:
                self._sources.remove(source)
                self._past = [*sums([*self._past, _without_gauges(source())]).values()]

    def describe(self) -> Iterable[Metric]:
        """The families without samples. The registry checks their names with it."""
        return _families({})

    def collect(self) -> Iterable[Metric]:
        """The families. Called in the thread of the scrape."""
        with self._lock:
            reports = [*self._past, *(source() for source in self._sources)]
        return _families(sums(reports))


_collectors: Final[WeakKeyDictionary[CollectorRegistry, RunnerCollector]] = WeakKeyDictionary()


def default_registry() -> CollectorRegistry:
    """The registry in which metrics of other packages and of the user are, unless they say otherwise."""
    return REGISTRY


def publish(registry: CollectorRegistry, source: ReportSource) -> Callable[[], None]:
    """Show a runner in ``registry``. Return a function to call when it is down: what it has counted stays.

    Raises `ValueError` if the registry has metrics with these names of someone else.
    """
    collector = _collectors.get(registry)
    if collector is None:
        collector = RunnerCollector()
        registry.register(collector)
        _collectors[registry] = collector
    collector.attach(source)
    return functools.partial(collector.detach, source)


def exposition(registry: CollectorRegistry) -> Callable[[str], tuple[bytes, str]]:
    """The text of all metrics in ``registry``, as a function of the Accept header."""

    def text(accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    return text


def _without_gauges(report: Report) -> Report:
    statistics = dataclasses.replace(
        report.statistics, requests_in_progress=0, plain_websockets=0, hibernatable_websockets=0
    )
    return Report(report.runner, report.state, 0, 0.0, 0, 0, 0, 0, statistics)


def _families(reports: Mapping[str, Report]) -> list[Metric]:
    numbers = {name: report.statistics for name, report in reports.items()}
    return [
        *_gauges(reports),
        *_live_gauges(numbers),
        *_counters(numbers),
        *_labelled_counters(numbers),
        *_durations(numbers),
        _kv_durations(numbers),
    ]


def _gauges(reports: Mapping[str, Report]) -> Iterable[Metric]:
    blocked = "Time by which the event loop is late now. Of several runners, the longest."
    for name, text in {**_GAUGES, "blocked": blocked}.items():
        family = GaugeMetricFamily(f"rivet_runner_{_NAMES.get(name, name)}", text, labels=["runner"])
        for runner, report in reports.items():
            family.add_metric([runner], getattr(report, name))
        yield family


def _live_gauges(numbers: Mapping[str, Statistics]) -> Iterable[Metric]:
    requests = GaugeMetricFamily("rivet_runner_requests_in_progress", "HTTP requests without an answer.", labels=["runner"])
    text = "WebSockets that are open, and whether they outlive a sleep of their actor."
    sockets = GaugeMetricFamily("rivet_runner_websockets_open", text, labels=["runner", "hibernatable"])
    for runner, statistics in numbers.items():
        requests.add_metric([runner], statistics.requests_in_progress)
        sockets.add_metric([runner, "false"], statistics.plain_websockets)
        sockets.add_metric([runner, "true"], statistics.hibernatable_websockets)
    return [requests, sockets]


def _counters(numbers: Mapping[str, Statistics]) -> Iterable[Metric]:
    for name, text in _COUNTERS.items():
        family = CounterMetricFamily(f"rivet_runner_{_COUNTER_NAMES.get(name, name)}", text, labels=["runner"])
        for runner, statistics in numbers.items():
            family.add_metric([runner], getattr(statistics, name))
        yield family
    reconnects = CounterMetricFamily("rivet_runner_reconnects", "Connections after the first.", labels=["runner"])
    for runner, statistics in numbers.items():
        reconnects.add_metric([runner], statistics.reconnects)
    yield reconnects


def _labelled_counters(numbers: Mapping[str, Statistics]) -> Iterable[Metric]:
    for name, (label, text) in _BY_LABEL.items():
        family = CounterMetricFamily(f"rivet_runner_{name}", text, labels=["runner", label])
        for runner, statistics in numbers.items():
            for value, count in getattr(statistics, name).items():
                family.add_metric([runner, value], count)
        yield family


def _durations(numbers: Mapping[str, Statistics]) -> Iterable[Metric]:
    lag = {"loop_lag": "Time by which a beat of the event loop came late. There are four a second."}
    for name, text in {**_DURATIONS, **lag}.items():
        metric = "event_loop_lag" if name == "loop_lag" else f"{name}_duration"
        family = HistogramMetricFamily(f"rivet_runner_{metric}_seconds", text, labels=["runner"])
        for runner, statistics in numbers.items():
            _add(family, [runner], getattr(statistics, f"{name}_seconds"))
        yield family


def _kv_durations(numbers: Mapping[str, Statistics]) -> Metric:
    text = "From a key-value call to its answer."
    family = HistogramMetricFamily("rivet_runner_kv_call_duration_seconds", text, labels=["runner", "operation"])
    for runner, statistics in numbers.items():
        for operation, distribution in statistics.kv_seconds.items():
            _add(family, [runner, operation], distribution)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], distribution: Distribution) -> None:
    bounds = [*map(str, BOUNDS), "+Inf"]
    family.add_metric(labels, [*zip(bounds, itertools.accumulate(distribution.counts), strict=True)], distribution.total)
