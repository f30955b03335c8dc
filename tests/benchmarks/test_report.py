"""From turns to the table and the plot."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.plot import cost_plot
from benchmarks.report import Records, markdown, summarise


@pytest.fixture
def records() -> Records:
    """Two rounds in which the machine got half as fast: the ratio stays the same."""
    records = Records()
    for turn, rate in enumerate((4_000.0, 2_000.0)):
        for runner, factor in (("python", 3.0), ("typescript", 1.0)):
            sample = {"rate": rate * factor, "cpu": 10.0, "p50": 1.0, "p99": 2.0, "engine_cpu": 1.0}
            records.add("100 open", runner, turn, sample)
    return records


def test_ratios_are_taken_within_a_round(records: Records) -> None:
    ratio = records.ratio("100 open", "python", "typescript", "rate")
    assert ratio == (3.0, 3.0, 3.0)
    assert records.ratio("100 open", "python", "floor", "rate") is None
    assert records.ratio("100 open", "typescript", "typescript", "rate") is None


def test_turn_is_left_out_of_a_ratio_when_the_other_read_no_time(records: Records) -> None:
    for turn, cpu in enumerate((0.0, 20.0)):
        records.add("100 actors", "python", turn, {"cpu": 10.0})
        records.add("100 actors", "typescript", turn, {"cpu": cpu})
    assert records.ratio("100 actors", "python", "typescript", "cpu") == (0.5, 0.5, 0.5)
    assert records.growth("100 actors", "100 open", "typescript") is None


def test_table_has_the_target_beside_what_was_measured(records: Records) -> None:
    line = markdown(summarise(records, sockets=(100, 1_000), actors=(100, 1_000))).splitlines()[2]
    assert "9,000 (6,000-12,000)" in line
    assert "3.00 x" in line
    assert ">= 2.5 x TypeScript" in line


def test_a_distant_load_is_compared_with_what_the_distance_allows() -> None:
    records = Records()
    for turn, rate in enumerate((12_000.0, 18_000.0)):
        records.add("50 ms away", "python", turn, {"rate": rate, "cpu": 10.0, "p50": 60_000.0, "p99": 70_000.0})
        records.add("50 ms away", "floor", turn, {"rate": 20_000.0, "p50": 50_000.0, "p99": 50_000.0})
    lines = [
        line
        for line in markdown(summarise(records, sockets=(100,), actors=(100,))).splitlines()
        if "ms away" in line or "allows" in line
    ]
    assert "15,000 (12,000-18,000)" in lines[0]
    assert "20,000" in lines[0]
    assert "0.75 x (0.60-0.90)" in lines[1]
    assert ">= 0.6 x" in lines[1]


def test_plot_is_xml_when_some_runners_are_missing() -> None:
    svg = ElementTree.fromstring(cost_plot({"python": [(100, 9.5), (1_000, 10.5)], "floor": [], "typescript": [(100, 40)]}))
    assert len([element for element in svg if element.tag.endswith("polyline")]) == 2


def test_typed_actors_are_compared_with_raw_hooks_and_with_rivetkit() -> None:
    records = Records()
    for load, runner, sample in (
        ("typed echo", "typed", {"cpu": 15.0}),
        ("typed echo", "python", {"cpu": 6.0}),
        ("idle actor", "typed", {"memory": 3_072.0}),
        ("idle actor", "python", {"memory": 1_024.0}),
        ("rivetkit, 1 in flight", "typed-hibernatable", {"rate": 300.0}),
        ("rivetkit, 1 in flight", "rivetkit", {"rate": 200.0}),
    ):
        records.add(load, runner, 0, sample)
    lines = markdown(summarise(records, sockets=(100,), actors=(100,))).splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert [row[2:4] for row in cells[2:]] == [
        ["CPU each, us", "15.0"],
        ["CPU, to a raw one", "2.50 x"],
        ["typed, KiB", "3.00"],
        ["raw, KiB", "1.00"],
        ["actions/s", "300"],
    ]
    assert cells[-1][5] == "200"
    assert cells[-1][7] == "1.50 x"
