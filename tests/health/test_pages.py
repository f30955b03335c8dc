"""The answers to probes, from the reports of one runner and of many."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from rivet_runner._health.pages import Pages
from rivet_runner._observing.report import Report, decode_report, encode_report
from tests.observing.test_statistics import report


def ready(*, blocked: float = 0.0) -> Report:
    return report(connected=1, blocked=blocked)


def in_state(state: str) -> Report:
    one = ready()
    one.state = state
    return one


def answered(path: str, reports: Iterable[Report], limit: float = 5.0) -> tuple[int, str]:
    answer = Pages(lambda: reports, limit, None).answer(path)
    assert answer.content_type == "application/json"
    return answer.status, json.loads(answer.body)["status"]


@pytest.mark.parametrize("reports", [[], [report()], [in_state("draining")], [ready(blocked=5.0)]])
def test_healthz_is_well_when_the_event_loop_turns(reports: list[Report]) -> None:
    assert answered("/healthz", reports) == (200, "ok")


def test_healthz_says_blocked_when_one_of_several_loops_is_late() -> None:
    assert answered("/healthz", [ready(), ready(blocked=5.1)]) == (503, "blocked")
    assert answered("/readyz", [ready(), ready(blocked=5.1)]) == (503, "blocked")


def test_readyz_is_ready_when_every_runner_is_connected() -> None:
    assert answered("/readyz", [ready(), ready()]) == (200, "ready")


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        ([], "starting"),
        ([in_state("starting")], "starting"),
        ([ready(), report()], "disconnected"),
        ([in_state("draining")], "draining"),
        ([in_state("closed"), ready()], "closed"),
    ],
)
def test_readyz_gives_its_reason_when_a_runner_is_not_ready(reports: list[Report], status: str) -> None:
    assert answered("/readyz", reports) == (503, status)


@pytest.mark.parametrize("path", ["/", "/healthz/", "", "/metricsz"])
def test_path_is_not_found_when_it_is_unknown(path: str) -> None:
    assert answered(path, []) == (404, "not found")


def test_metrics_name_the_extra_when_it_is_missing() -> None:
    answer = Pages(list, 5.0, None).answer("/metrics")
    assert answer.status == 501
    assert b'pip install "rivet-runner[metrics]"' in answer.body


def test_answer_is_an_error_when_something_raises(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> list[Report]:
        raise ValueError("secret")

    answer = Pages(broken, 5.0, None).answer("/readyz")
    assert (answer.status, answer.body) == (500, b"internal error\n")
    assert "/readyz could not be answered" in caplog.text


def test_parent_answers_for_its_workers_when_their_reports_come_as_lines() -> None:
    lines = {"w1": encode_report(ready()), "w2": encode_report(report())}
    pages = Pages(lambda: map(decode_report, lines.values()), 5.0, None)
    assert json.loads(pages.answer("/readyz").body)["status"] == "disconnected"
    lines["w2"] = encode_report(ready())
    assert pages.answer("/readyz").status == 200
    lines["w1"] = encode_report(ready(blocked=60))
    assert pages.answer("/healthz").status == 503
