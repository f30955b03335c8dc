"""What happened when, as a page with one drawing for each restart; it needs nothing to be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from benchmarks.race.samples import Sample
from benchmarks.race.trial import Trial

__all__ = ["page"]

WIDTH, LANE, LEFT, RIGHT, TOP = 1100, 26, 240, 20, 30
BAR: Final = 14

GOOD, BAD, DOWN, LIFE, START = "#2e9d62", "#d9483b", "#8a8f98", "#2f6fde", "#9c6ade"

STYLE: Final = """
body { font: 14px system-ui, sans-serif; margin: 2rem auto; max-width: 1140px; padding: 0 1rem }
body { color: #26292e; background: #fff }
svg { width: 100%; height: auto } text { font-size: 12px; fill: currentColor }
.key span { display: inline-block; width: 12px; height: 12px; margin: 0 4px 0 16px; border-radius: 2px }
@media (prefers-color-scheme: dark) { body { color: #d9dce1; background: #17191d } }
"""


def page(trials: Sequence[Trial]) -> str:
    """The whole HTML page."""
    key = "".join(
        f'<span style="background:{colour}"></span>{what}'
        for colour, what in (
            (GOOD, "an answer"), (BAD, "a failure"), (DOWN, "the engine is down"), (LIFE, "a generation of the actor"),
            (START, "a /start request, until its runner is down"),
        )
    )  # fmt: skip
    drawings = "\n".join(_drawing(trial) for trial in trials)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Engine restarts</title><style>{STYLE}</style>\n'
        f"<h1>What an engine restart does to an actor on a serverless runner</h1>\n"
        f'<p class="key">Seconds after the signal. Point at a bar for its code.{key}</p>\n{drawings}\n</html>\n'
    )


class _Scale:
    """Seconds to places; what began before the signal is cut off there."""

    def __init__(self, last: float) -> None:
        self.last = last

    def x(self, seconds: float) -> float:
        return LEFT + min(max(seconds, 0.0), self.last) / self.last * (WIDTH - LEFT - RIGHT)


def _drawing(trial: Trial) -> str:
    last = max(sample.at + sample.took for samples in trial.samples.values() for sample in samples)
    scale = _Scale(max(last, trial.ready))
    lanes: list[tuple[str, Iterable[str]]] = [
        ("engine", [_bar(scale, 0, trial.ready, DOWN, f"down from {trial.exited:.1f} s, back at {trial.ready:.1f} s")])
    ]
    lanes += [(name, _samples(scale, samples)) for name, samples in trial.samples.items()]
    lanes.append(("generations", _lives(scale, trial)))
    lanes.append(("/start requests", _starts(scale, trial)))
    height = TOP + LANE * len(lanes) + 10
    parts = [*_axis(scale, height)]
    for index, (name, marks) in enumerate(lanes):
        y = TOP + LANE * index
        parts.append(f'<text x="{LEFT - 10}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<g transform="translate(0 {y})">{"".join(marks)}</g>')
    plan = trial.plan
    title = f"{plan.signal}, {plan.offset * 1000:.0f} ms after a beat, crash policy {plan.crash_policy}"
    return f'<h2>{escape(title)}</h2>\n<svg viewBox="0 0 {WIDTH} {height}" role="img">\n' + "\n".join(parts) + "\n</svg>"


def _axis(scale: _Scale, height: float) -> Iterable[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 1000) if scale.last / step <= 12)
    for seconds in range(0, int(scale.last) + 1, step):
        x = scale.x(seconds)
        yield f'<path d="M{x:.1f} {TOP - 6}V{height}" stroke="#8a8f9840"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{seconds}</text>'


def _samples(scale: _Scale, samples: Sequence[Sample]) -> Iterable[str]:
    """One bar for attempts in a row with the same end."""
    for failure, group in itertools.groupby(samples, lambda sample: sample.failure):
        attempts = list(group)
        begin, end = attempts[0].at, attempts[-1].at + attempts[-1].took
        hint = f"{begin:.2f} to {end:.2f} s: {len(attempts)} × {failure or 'an answer'}"
        yield _bar(scale, begin, end, GOOD if failure is None else BAD, hint)


def _lives(scale: _Scale, trial: Trial) -> Iterable[str]:
    for life in trial.lives:
        end = scale.last if life.ended is None else life.ended
        yield _bar(scale, life.began, end, LIFE, f"generation {life.generation}, from count {life.found}")


def _starts(scale: _Scale, trial: Trial) -> Iterable[str]:
    share = BAR / max(1, len(trial.starts))
    for index, start in enumerate(trial.starts):
        end = scale.last if start.ended is None else start.ended
        hint = f"/start at {start.began:.1f} s, status {start.status or 'none'}"
        yield _bar(scale, start.began, end, START, hint, index * share, share)


def _bar(scale: _Scale, begin: float, end: float, colour: str, hint: str, y: float = 0.0, height: float = BAR) -> str:
    x = scale.x(begin)
    width = max(scale.x(end) - x, 1.5)
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" fill-opacity="0.85">'
        f"<title>{escape(hint)}</title></rect>"
    )
