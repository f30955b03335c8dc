"""From measurements to the table and the files in ``results``.

Targets are ratios within one run. They are printed beside the figures and decide nothing, because the machine may be busy.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks.contestants import CONTESTANTS
from benchmarks.measure import Sample
from benchmarks.plot import cost_plot

__all__ = ["IN_FLIGHT_FAR", "ROUND_TRIPS", "Records", "Row", "Spread", "machine", "markdown", "summarise", "write"]

ROUND_TRIPS: Final = (0.05, 0.1)
"""Seconds to a distant engine and back."""

IN_FLIGHT_FAR: Final = 1_000
"""Messages under way to and from a distant engine, and the WebSockets that they are on."""

RESULTS: Final = Path(__file__).parent / "results"

RUNNERS: Final = {name: contestant.title for name, contestant in CONTESTANTS.items()}
COMPARED: Final = {"python": "Python / TypeScript", "uvloop": "uvloop / TypeScript"}
HEAD: Final[tuple[str, ...]] = ("load", "", *RUNNERS.values(), *COMPARED.values(), "target")
TARGETS: Final = {100: ">= 2.5 x TypeScript", 1_000: ">= 12 x TypeScript", 10_000: ">= 120 x TypeScript"}
"""For messages a second, by the number of open WebSockets."""

KIB: Final = 1 / 1024

LIFECYCLE: Final = {"create": "create and ask, ms", "sleep": "fall asleep, ms", "wake": "wake by a request, ms"}

EXPLANATION: Final = """\
Medians, with the lowest and the highest turn in brackets. CPU is the runner process's, in microseconds a message or a piece.
Ratios are medians of the ratios of single turns. Targets are ratios too, except for memory, and decide nothing here. The
*floor* is the `websockets` sans-I/O core on a bare `asyncio.Protocol`, slicing bytes: nothing of the SDK. At a
distance, it is what the distance allows: the messages in flight, divided by the round trip. TypeScript is
`@rivetkit/engine-runner` 2.2.1. The plot is the CPU time of a message against the number of open WebSockets."""


class Spread(NamedTuple):
    """Measurements of one thing: their median, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """`None` if there is no value."""
        return cls(median(values), min(values), max(values)) if values else None


class Records:
    """All samples, by load, contestant and turn."""

    def __init__(self) -> None:
        self.turns: list[dict[str, Any]] = []

    def add(self, load: str, runner: str, turn: int, sample: Sample) -> None:
        self.turns.append({"load": load, "runner": runner, "turn": turn, **sample})

    def spread(self, load: str, runner: str, metric: str, scale: float = 1.0) -> Spread | None:
        """One metric over all turns, times ``scale``."""
        return Spread.of([value * scale for value in self._turns(load, runner, metric).values()])

    def ratio(self, load: str, runner: str, other: str, metric: str) -> Spread | None:
        """One metric of ``runner`` divided by that of ``other``, in each turn that both had: drift cancels.

        `None` for a runner and itself. A turn of a millisecond can read as no CPU time at all, and is left out.
        """
        mine, theirs = self._turns(load, runner, metric), self._turns(load, other, metric)
        both = [value / theirs[turn] for turn, value in mine.items() if theirs.get(turn) and runner != other]
        return Spread.of(both)

    def growth(self, first: str, last: str, runner: str) -> Spread | None:
        """The CPU time at load ``last`` divided by that at ``first``: medians, as these are not measured in turns."""
        small, large = self.spread(first, runner, "cpu"), self.spread(last, runner, "cpu")
        if small is None or large is None or first == last or not small.low:
            return None
        return Spread(large.median / small.median, large.low / small.high, large.high / small.low)

    def _turns(self, load: str, runner: str, metric: str) -> dict[int, float]:
        """One metric by turn."""
        mine = (turn for turn in self.turns if (turn["load"], turn["runner"]) == (load, runner) and metric in turn)
        return {turn["turn"]: turn[metric] for turn in mine}


class Row(NamedTuple):
    """One line: a figure of each contestant, and how the two Python ones compare with the TypeScript one."""

    load: str
    title: str
    values: dict[str, Spread | None]
    compared: dict[str, Spread | None]
    target: str


def summarise(records: Records, sockets: Sequence[int], actors: Sequence[int]) -> list[Row]:
    """Every row with something to show, in reading order. ``sockets`` and ``actors`` are the numbers that were measured."""
    return [row for row in _rows(records, sockets, actors) if any(row.values.values())]


def _rows(records: Records, sockets: Sequence[int], actors: Sequence[int]) -> Iterator[Row]:
    yield from _messages(records, "one in flight", f"{sockets[0]:,} open, 1 in flight", ">= 1.5 x TypeScript")
    for count in sockets:
        yield from _echoes(records, count, sockets[0])
    yield _row(records, "opening", "opening WebSockets", "cpu", "CPU each, us")
    yield _row(records, "opening", "opening WebSockets", "wall", "time each, us")
    for count in sockets[1:]:
        title = f"of {count:,} open, KiB"
        yield _row(records, f"memory at {count:,}", "idle WebSocket", "memory", title, "<= 4 KiB", KIB)
    yield from _messages(records, "http", "HTTP, 100 in flight", ">= 2 x TypeScript", "requests/s")
    for count in actors:
        yield _row(records, f"{count:,} actors", f"starting {count:,} actors", "cpu", "CPU each, us", "<= TypeScript")
    few, many = f"{actors[0]:,} actors", f"{actors[-1]:,} actors"
    yield _own(f"starting {many}", f"CPU, to {few}", partial(records.growth, few, many), "flat")
    hibernatable = {"python": records.ratio("hibernatable", "hibernatable", "python", "cpu")}
    yield Row("hibernatable WebSockets", "CPU, to plain ones", hibernatable, {}, "<= 1.3 x")
    for seconds in ROUND_TRIPS:
        key = f"{1000 * seconds:.0f} ms away"
        load = f"{key}, {IN_FLIGHT_FAR:,} in flight"
        yield from _messages(records, key, load, ">= 1.5 x TypeScript")
        allowed = partial(records.ratio, key, other="floor", metric="rate")
        yield _own(load, "messages/s, to what the distance allows", allowed, ">= 0.6 x")
    yield from _typed(records)
    for in_flight in (1, 16):
        yield from _messages(records, f"engine, {in_flight} in flight", f"real engine, {in_flight} in flight", "")
    yield from _rivetkit(records)
    yield from _lives(records, "python", "an actor, Python on protocol 3", "")
    yield from _lives(records, "python-7", "an actor, Python on protocol 7", "<= 1.1 x TypeScript")


def _row(records: Records, key: str, load: str, metric: str, title: str, target: str = "", scale: float = 1.0) -> Row:
    """``metric`` of the load ``key``, for every contestant."""
    values = {runner: records.spread(key, runner, metric, scale) for runner in RUNNERS}
    compared = {runner: records.ratio(key, runner, "typescript", metric) for runner in COMPARED}
    return Row(load, title, values, compared, target)


def _own(load: str, title: str, figure: Callable[[str], Spread | None], target: str) -> Row:
    """A ratio of each contestant to the floor, or to another load of its own."""
    return Row(load, title, {runner: figure(runner) for runner in RUNNERS}, {}, target)


def _messages(records: Records, key: str, load: str, target: str, rate: str = "messages/s") -> Iterator[Row]:
    yield _row(records, key, load, "rate", rate, target)
    for metric, title in (("cpu", "CPU each, us"), ("p50", "latency p50, us"), ("p99", "latency p99, us")):
        yield _row(records, key, load, metric, title)


def _echoes(records: Records, count: int, fewest: int) -> Iterator[Row]:
    first, key, load = f"{fewest:,} open", f"{count:,} open", f"{count:,} open, 100 in flight"
    yield from _messages(records, key, load, TARGETS.get(count, ""))
    yield _row(records, key, load, "engine_cpu", "the synthetic engine's CPU, us")
    to_floor = partial(records.ratio, key, other="floor", metric="cpu")
    yield _own(load, "CPU, to the floor's", to_floor, "<= 2 x floor" if count == fewest else "")
    yield _own(load, f"CPU, to that of {first}", partial(records.growth, first, key), "< 1.2 x")


def _typed(records: Records) -> Iterator[Row]:
    """Typed actors beside raw hooks: with connections that end with the actor's sleep, and with such that outlive it."""
    for typed, raw, kind in (("typed", "python", ""), ("typed-hibernatable", "hibernatable", ", hibernatable")):
        for key, load, limit in (("typed echo", "action on a connection", "3"), ("typed http", "action over HTTP", "1.5")):
            ratio = {"python": records.ratio(key, typed, raw, "cpu")}
            yield _python(records, key, typed, load + kind, "cpu", "CPU each, us")
            yield Row(load + kind, "CPU, to a raw one", ratio, {}, f"<= {limit} x")
        for key, limit in (("idle actor", "4"), ("idle connection", "2")):
            yield _python(records, key, typed, key + kind, "memory", "typed, KiB", f"<= {limit} KiB more", KIB)
            yield _python(records, key, raw, key + kind, "memory", "raw, KiB", scale=KIB)


def _python(
    records: Records, key: str, contestant: str, load: str, metric: str, title: str, target: str = "", scale: float = 1.0
) -> Row:
    """A figure of another Python contestant, in the column of the first."""
    return Row(load, title, {"python": records.spread(key, contestant, metric, scale)}, {"python": None}, target)


def _rivetkit(records: Records) -> Iterator[Row]:
    """Typed actors on a real engine, in the columns of the runners in the same language."""
    for in_flight in (1, 16):
        key = f"rivetkit, {in_flight} in flight"
        for metric, title in (("rate", "actions/s"), ("cpu", "CPU each, us"), ("p50", "latency p50, us")):
            columns = {"python": "typed-hibernatable", "typescript": "rivetkit"}
            values = {column: records.spread(key, contestant, metric) for column, contestant in columns.items()}
            compared = {"python": records.ratio(key, "typed-hibernatable", "rivetkit", metric)}
            yield Row(f"typed actors and RivetKit, {in_flight} in flight", title, values, compared, "")


def _lives(records: Records, python: str, load: str, target: str) -> Iterator[Row]:
    """The steps in the life of an actor, with ``python`` as the Python runner."""
    for step, title in LIFECYCLE.items():
        contestants = {"python": python, "typescript": "typescript"}
        values = {column: records.spread("lifecycle", name, step, 1e-3) for column, name in contestants.items()}
        compared = {"python": records.ratio("lifecycle", python, "typescript", step)}
        yield Row(load, title, values, compared, target)


def markdown(rows: Sequence[Row]) -> str:
    """The table, its columns aligned so that it reads well as it is, too."""
    lines = [HEAD]
    before = ""
    for row in rows:
        cells = [_shown(row.values.get(runner), "" if row.compared else " x") for runner in RUNNERS]
        cells += [_shown(row.compared.get(runner), " x") for runner in COMPARED]
        lines.append((row.load if row.load != before else "", row.title, *cells, row.target))
        before = row.load
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _shown(spread: Spread | None, suffix: str) -> str:
    if spread is None:
        return ""
    middle, low, high = (_number(value) for value in spread)
    return f"{middle}{suffix}" if low == high else f"{middle}{suffix} ({low}-{high})"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def write(records: Records, rows: Sequence[Row], sockets: Sequence[int]) -> None:
    """Write ``latest.md`` and the plot."""
    facts = ", ".join(f"{name}: {value}" for name, value in machine().items())
    image = "![CPU time of a message against open WebSockets](cost.svg)"
    text = "\n\n".join(["# Benchmark results", EXPLANATION, markdown(rows), f"Measured on: {facts}.", image])
    (RESULTS / "latest.md").write_text(f"{text}\n")
    costs = {
        title: [(count, spread.median) for count in sockets if (spread := records.spread(f"{count:,} open", runner, "cpu"))]
        for runner, title in RUNNERS.items()
    }
    (RESULTS / "cost.svg").write_text(cost_plot(costs))


def machine() -> dict[str, str]:
    """The machine that the run was on."""
    node = shutil.which("node")
    return {
        "processors": str(os.cpu_count()),
        "python": platform.python_version(),
        "node": subprocess.check_output([node, "--version"], text=True).strip() if node else "none",
        "websockets": importlib.metadata.version("websockets"),
        "system": f"{platform.system()} {platform.machine()}",
        "load average at the end": f"{os.getloadavg()[0]:.1f}",
    }
