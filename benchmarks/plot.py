"""The cost of a message against the number of open WebSockets, log-log, as an SVG that needs nothing to be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

__all__ = ["cost_plot"]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 48, 52

COLOURS: Final = ("#2f6fde", "#0f9d8a", "#d9622b", "#8a8f98")
GRID, INK = "#8a8f9840", "#7a7f88"

Points = Sequence[tuple[float, float]]


class _Axis:
    """A logarithmic axis of whole decades, drawn between two places."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        known = list(values)
        self._low = math.floor(math.log10(min(known)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(known)) - 1e-9))
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    @property
    def decades(self) -> list[int]:
        return [10**power for power in range(self._low, self._high + 1)]


def cost_plot(costs: Mapping[str, Points]) -> str:
    """Draw ``costs``: for each title, the microseconds of CPU a message at some numbers of open WebSockets."""
    every = [point for points in costs.values() for point in points]
    across = _Axis((count for count, _ in every), LEFT, WIDTH - RIGHT)
    up = _Axis((cost for _, cost in every), HEIGHT - BOTTOM, TOP)
    labels = _spread_labels({title: up.at(points[-1][1]) for title, points in costs.items() if points})
    parts = [*_frame(across, up)]
    for (title, points), colour in zip(costs.items(), COLOURS, strict=False):
        if points:
            parts += _line(title, colour, points, labels[title], across, up)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">\n'
        f"<title>CPU time a message against open WebSockets</title>\n{body}\n</svg>\n"
    )


def _frame(across: _Axis, up: _Axis) -> Iterable[str]:
    yield _text(LEFT, 24, "CPU time a message, µs (100 messages of 64 bytes in flight)", "start")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "open WebSockets", "middle")
    for value in across.decades:
        x = across.at(value)
        yield f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>'
        yield _text(x, HEIGHT - BOTTOM + 18, f"{value:,}", "middle")
    for value in up.decades:
        y = up.at(value)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>'
        yield _text(LEFT - 8, y + 4, f"{value:,}", "end")


def _line(title: str, colour: str, points: Points, label_y: float, across: _Axis, up: _Axis) -> Iterable[str]:
    places = [(across.at(count), up.at(cost)) for count, cost in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (x, y), (count, cost) in zip(places, points, strict=True):
        hint = f"<title>{title}, {count:,}: {cost:.1f} µs</title>"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">{hint}</circle>'
    yield _text(WIDTH - RIGHT + 10, label_y + 4, f"{title}, {points[-1][1]:,.1f}", "start", colour)


def _spread_labels(wanted: Mapping[str, float]) -> dict[str, float]:
    """Move labels down until none covers the one above it."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for title, y in sorted(wanted.items(), key=lambda item: item[1]):
        lowest = placed[title] = max(y, lowest + 16)
    return placed


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
