"""The cost of a message against the number of open WebSockets, log-log, as an SVG that needs nothing to be drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

__all__ = ["cost_plot"]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, WIDTH - 150, 48, HEIGHT - 52
"""The edges of the plot itself."""

COLOURS: Final = ("#2f6fde", "#0f9d8a", "#d9622b", "#8a8f98")
GRID, INK = "#8a8f9840", "#7a7f88"

Points = Sequence[tuple[float, float]]


def cost_plot(costs: Mapping[str, Points]) -> str:
    """Draw ``costs``: for each title, the microseconds of CPU a message at some numbers of open WebSockets."""
    across, counts = _scale([count for points in costs.values() for count, _ in points], LEFT, RIGHT)
    up, decades = _scale([cost for points in costs.values() for _, cost in points], BOTTOM, TOP)
    label_ys = _spread_labels({title: up(points[-1][1]) for title, points in costs.items() if points})
    parts = [
        _text(LEFT, 24, "CPU time a message, µs (100 messages of 64 bytes in flight)", "start"),
        _text((LEFT + RIGHT) / 2, HEIGHT - 12, "open WebSockets", "middle"),
        *(
            f'<path d="M{across(n):.1f} {TOP}V{BOTTOM}" stroke="{GRID}"/>{_text(across(n), BOTTOM + 18, f"{n:,}", "middle")}'
            for n in counts
        ),
        *(
            f'<path d="M{LEFT} {up(n):.1f}H{RIGHT}" stroke="{GRID}"/>{_text(LEFT - 8, up(n) + 4, f"{n:,}", "end")}'
            for n in decades
        ),
    ]
    for (title, points), colour in zip(costs.items(), COLOURS, strict=False):
        places = [(f"{across(count):.1f}", f"{up(cost):.1f}") for count, cost in points]
        if places:
            path = " ".join(",".join(place) for place in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(_text(RIGHT + 10, label_ys[title] + 4, f"{title}, {points[-1][1]:,.1f}", "start", colour))
        for (x, y), (count, cost) in zip(places, points, strict=True):
            hint = f"<title>{title}, {count:,}: {cost:.1f} µs</title>"
            parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}">{hint}</circle>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">\n'
        f"<title>CPU time a message against open WebSockets</title>\n{body}\n</svg>\n"
    )


def _scale(values: Sequence[float], start: float, end: float) -> tuple[Callable[[float], float], list[int]]:
    """A logarithmic axis of whole decades, drawn from ``start`` to ``end``: the place of a value, and the decades."""
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values)) - 1e-9))
    decades = [10**power for power in range(low, high + 1)]
    return lambda value: start + (end - start) * (math.log10(value) - low) / (high - low), decades


def _spread_labels(wanted: Mapping[str, float]) -> dict[str, float]:
    """Move labels down until none covers the one above it."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for title, y in sorted(wanted.items(), key=lambda item: item[1]):
        lowest = placed[title] = max(y, lowest + 16)
    return placed


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
