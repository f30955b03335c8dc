"""The table as Markdown, and the files in ``results``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.plot import cost_plot
from benchmarks.records import Records, Spread
from benchmarks.settings import Settings
from benchmarks.summary import COLUMNS, PYTHON, Row

__all__ = ["machine", "markdown", "write"]

RESULTS = Path(__file__).parent / "results"
HEAD = (
    *("load", "", "Python", "Python + uvloop", "TypeScript", "floor"),
    *("Python / TypeScript", "uvloop / TypeScript", "target"),
)
EXPLANATION = """\
Medians; what is in brackets is the lowest and the highest turn. CPU is the runner process's, in microseconds a message or a
piece. Ratios are taken turn by turn and then their median; targets are ratios too, but for memory, and decide nothing here.
The *floor* is the `websockets` sans-I/O core on a bare `asyncio.Protocol`, slicing bytes: nothing of the SDK.
TypeScript is `@rivetkit/engine-runner` 2.2.1. The plot is the CPU time a message costs, against the open WebSockets.
"""


def machine() -> dict[str, str]:
    """What it was measured on."""
    return {
        "processors": str(os.cpu_count()),
        "python": platform.python_version(),
        "node": _output("node", "--version"),
        "websockets": importlib.metadata.version("websockets"),
        "system": f"{platform.system()} {platform.machine()}",
        "load average at the end": f"{os.getloadavg()[0]:.1f}",
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table, its columns aligned so that it reads well as it is, too."""
    lines = [list(HEAD)]
    before = ""
    for row in rows:
        lines.append([row.load if row.load != before else "", f"{row.metric}{_unit(row.unit)}", *_cells(row), row.target])
        before = row.load
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def as_json(records: Records, rows: Sequence[Row], settings: Settings, facts: dict[str, str]) -> dict[str, Any]:
    """Everything: the rows, and each turn that they are made of."""
    return {
        "machine": facts,
        "settings": settings._asdict(),
        "rows": [_row_as_json(row) for row in rows],
        "turns": records.as_json(),
    }


def write(records: Records, rows: Sequence[Row], settings: Settings, result: dict[str, Any]) -> None:
    """Write ``latest.json``, ``latest.md`` and the plot, where it has something to show."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    costs = {runner: _costs(records, settings, runner) for runner in COLUMNS}
    facts = ", ".join(f"{name}: {value}" for name, value in result["machine"].items())
    text = "\n\n".join([EXPLANATION.strip(), markdown(rows), f"Measured on: {facts}."])
    if any(costs.values()):
        (RESULTS / "cost.svg").write_text(cost_plot(costs))
        text += "\n\n![CPU time a message against open WebSockets](cost.svg)"
    (RESULTS / "latest.md").write_text(f"# Benchmark results\n\n{text}\n")


def _costs(records: Records, settings: Settings, runner: str) -> list[tuple[float, float]]:
    """The points of one line of the plot."""
    spreads = [(count, records.spread(f"{count:,} open", runner, "cpu")) for count in settings.sockets]
    return [(count, spread.median) for count, spread in spreads if spread is not None]


def _cells(row: Row) -> list[str]:
    values = [_shown(row.values.get(runner)) for runner in COLUMNS]
    return values + [_shown(row.ratios.get(runner), " x") for runner in PYTHON]


def _unit(unit: str) -> str:
    return f", {unit}" if unit not in ("", "x") else ""


def _shown(spread: Spread | None, suffix: str = "") -> str:
    if spread is None:
        return ""
    middle, low, high = (_number(value) for value in spread)
    return f"{middle}{suffix}" if low == high else f"{middle}{suffix} ({low}-{high})"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _row_as_json(row: Row) -> dict[str, Any]:
    def spreads(of: dict[str, Spread | None]) -> dict[str, Any]:
        return {name: spread._asdict() for name, spread in of.items() if spread is not None}

    return {**row._asdict(), "values": spreads(row.values), "ratios": spreads(row.ratios)}


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"
