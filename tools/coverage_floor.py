"""Print the coverage of each package, and fail if one of them, or the whole, is below its floor.

Reads the report of ``coverage json`` from the file that is named, or from standard input. A package is a folder here,
without the folders in it, so that one well tested package does not hide another.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final, NamedTuple

WHOLE: Final = 93.0
PACKAGE: Final = 85.0
"""Percent of the statements and branches."""


class Count(NamedTuple):
    """How much there is to cover, and how much of it was covered."""

    things: int = 0
    covered: int = 0

    @property
    def percent(self) -> float:
        return 100.0 * self.covered / self.things if self.things else 100.0


def by_package(report: Mapping[str, Any]) -> dict[str, Count]:
    """The statements and branches of each folder that has any."""
    counts: dict[str, Count] = defaultdict(Count)
    for name, file in report["files"].items():
        summary = file["summary"]
        things = summary["num_statements"] + summary.get("num_branches", 0)
        covered = summary["covered_lines"] + summary.get("covered_branches", 0)
        if things:
            before = counts[PurePath(name).parent.as_posix()]
            counts[PurePath(name).parent.as_posix()] = Count(before.things + things, before.covered + covered)
    return dict(counts)


def total(counts: Iterable[Count]) -> Count:
    counts = list(counts)
    return Count(sum(count.things for count in counts), sum(count.covered for count in counts))


def main(arguments: list[str]) -> int:
    text = Path(arguments[0]).read_text(encoding="utf-8") if arguments else sys.stdin.read()
    packages = by_package(json.loads(text))
    rows = [(name, count, PACKAGE) for name, count in sorted(packages.items())]
    rows.append(("all", total(packages.values()), WHOLE))
    width = max(len(name) for name, _, _ in rows)
    for name, count, floor in rows:
        low = f"  below the floor of {floor:g}" if count.percent < floor else ""
        print(f"{name:{width}}  {count.covered:6d} of {count.things:6d}  {count.percent:6.1f} %{low}")
    return int(any(count.percent < floor for _, count, floor in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
