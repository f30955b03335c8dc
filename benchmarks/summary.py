"""From samples to the rows of the table, each with its target.

Targets are ratios within one run. They are printed beside what was measured and decide nothing: the machine is not ours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.records import Records, Spread
from benchmarks.settings import Settings

__all__ = ["COLUMNS", "PYTHON", "Row", "summarise"]

COLUMNS: Final = ("python", "uvloop", "typescript", "floor")
PYTHON: Final = ("python", "uvloop")
KIB: Final = 1 / 1024
TARGETS: Final = {100: ">= 2.5 x TypeScript", 1_000: ">= 12 x TypeScript", 10_000: ">= 120 x TypeScript"}


class Row(NamedTuple):
    """One line: what each contestant needs, and how the two Python ones compare with the TypeScript one."""

    load: str
    metric: str
    unit: str
    values: dict[str, Spread | None]
    ratios: dict[str, Spread | None]
    target: str = ""


class _Rows:
    """Collects the rows for which there is anything to show."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.rows: list[Row] = []

    def add(self, load: str, key: str, metric: str, name: str, unit: str, target: str = "", scale: float = 1.0) -> None:
        """``metric`` of the load ``key`` for everybody."""
        values = {runner: self._scaled(key, runner, metric, scale) for runner in COLUMNS}
        ratios = {runner: self._records.ratio(key, runner, "typescript", metric) for runner in PYTHON}
        self._keep(Row(load, name, unit, values, ratios, target))

    def add_ratio(self, load: str, name: str, values: dict[str, Spread | None], target: str = "") -> None:
        """A ratio of two measurements of the same contestant, or with the floor."""
        self._keep(Row(load, name, "x", {runner: values.get(runner) for runner in COLUMNS}, {}, target))

    def _keep(self, row: Row) -> None:
        if any(row.values.values()):
            self.rows.append(row)

    def _scaled(self, key: str, runner: str, metric: str, scale: float) -> Spread | None:
        spread = self._records.spread(key, runner, metric)
        return None if spread is None else Spread(*(value * scale for value in spread))


def summarise(records: Records, settings: Settings) -> list[Row]:
    """Every row, in reading order."""
    rows = _Rows(records)
    fewest = min(settings.sockets)
    _messages(rows, "one in flight", f"{fewest:,} open, 1 in flight", ">= 1.5 x TypeScript")
    for count in settings.sockets:
        load = f"{count:,} open, 100 in flight"
        _messages(rows, f"{count:,} open", load, TARGETS.get(count, ""))
        rows.add(load, f"{count:,} open", "engine_cpu", "the synthetic engine's CPU", "us")
        _derived(rows, records, load, fewest, count)
    rows.add("opening WebSockets", "opening", "cpu", "CPU each", "us")
    rows.add("opening WebSockets", "opening", "wall", "time each", "us")
    for count in settings.sockets[1:]:
        rows.add("idle WebSocket", f"memory at {count:,}", "memory", f"of {count:,} open", "KiB", "<= 4 KiB", KIB)
    _messages(rows, "http", "HTTP, 100 in flight", ">= 2 x TypeScript", "requests/s")
    _actors(rows, records, settings)
    hibernatable = {"python": records.ratio("hibernatable", "hibernatable", "python", "cpu")}
    rows.add_ratio("hibernatable WebSockets", "CPU, to plain ones", hibernatable, "<= 1.3 x")
    for in_flight in (1, 16):
        _messages(rows, f"engine, {in_flight} in flight", f"real engine, {in_flight} in flight", "")
    return rows.rows


def _messages(rows: _Rows, key: str, load: str, target: str, rate: str = "messages/s") -> None:
    rows.add(load, key, "rate", rate, "", target)
    rows.add(load, key, "cpu", "CPU each", "us")
    rows.add(load, key, "p50", "latency p50", "us")
    rows.add(load, key, "p99", "latency p99", "us")


def _derived(rows: _Rows, records: Records, load: str, fewest: int, count: int) -> None:
    first, this = f"{fewest:,} open", f"{count:,} open"
    to_floor = {runner: records.ratio(this, runner, "floor", "cpu") for runner in COLUMNS if runner != "floor"}
    rows.add_ratio(load, "CPU, to the floor's", to_floor, "<= 2 x floor" if count == fewest else "")
    growth = {runner: records.growth(first, this, runner, "cpu") for runner in COLUMNS}
    rows.add_ratio(load, f"CPU, to that of {first}", growth, "< 1.2 x")


def _actors(rows: _Rows, records: Records, settings: Settings) -> None:
    for count in settings.actors:
        rows.add(f"starting {count:,} actors", f"{count:,} actors", "cpu", "CPU each", "us", "<= TypeScript")
    first, last = min(settings.actors), max(settings.actors)
    growth = {runner: records.growth(f"{first:,} actors", f"{last:,} actors", runner, "cpu") for runner in COLUMNS}
    rows.add_ratio(f"starting {last:,} actors", f"CPU, to {first:,} actors", growth, "flat")
