"""Faults by chance: which one strikes, when and whom. `rivet_runner.testing.Faults` says how often."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

from rivet_runner.testing._simulated.timers import Timer, Timers
from rivet_runner.testing._simulated.trace import Trace
from rivet_runner.testing.faults import Faults

__all__ = ["NO_FAULTS", "FaultInjector"]

T = TypeVar("T")

NO_FAULTS: Final = Faults(
    every=0.0, late_events=0.0, lost_inits=0.0, failed_calls=0.0, slow_calls=0.0, delay=0.0, ring=None, limit=0
)

LATEST_EVENT_MS: Final = 50
"""The real engine reorders messages of events that are some milliseconds apart. A runner that leaves 100 ms is safe."""

SHORTEST: Final = 0.01
"""Seconds that a stall or an outage takes at least."""


class FaultInjector:
    """Draws every fault of one engine from one generator, in the order in which things happen.

    Faults that strike by themselves are functions under the names of their shares. Each returns whom it has struck, or
    `None` if there was nothing to strike.
    """

    def __init__(self, faults: Faults, random: Random, timers: Timers, trace: Trace) -> None:
        self.faults = faults
        self._random = random
        self._timers = timers
        self._trace = trace
        self._left = faults.limit
        self._ends_at = None if faults.until is None else timers.now() + round(faults.until * 1000)
        self._strikes: dict[str, Callable[[], str | None]] = {}
        self._shares: list[float] = []
        self._timer: Timer | None = None

    def begin(self, strikes: dict[str, Callable[[], str | None]]) -> None:
        """Let faults strike by themselves from now on."""
        self._strikes = strikes
        self._shares = [getattr(self.faults, kind) for kind in strikes]
        if self.faults.every > 0 and any(self._shares):
            self._arm()

    def end(self) -> None:
        """No more faults strike by themselves."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Draws

    def pick(self, choices: list[T]) -> T:
        return self._random.choice(choices)

    def seconds_up_to(self, longest: float) -> float:
        """A time between 0.01 s and ``longest``, the short ones as likely as the long ones."""
        if longest <= SHORTEST:
            return longest
        return float(SHORTEST * (longest / SHORTEST) ** self._random.random())

    def clock_error_ms(self) -> int:
        return round(self._random.uniform(-1, 1) * self.faults.longest_clock_step * 1000)

    def delay(self) -> float:
        """Seconds that the next messages are on their way."""
        longest = self.faults.delay
        return longest * self._random.random() if longest else 0.0

    def loses_init(self) -> bool:
        return self._happens(self.faults.lost_inits, "init without an answer")

    def fails_call(self) -> bool:
        return self._happens(self.faults.failed_calls, "failed key-value call")

    def event_delay_ms(self) -> int:
        """Milliseconds after which the engine takes a message of events."""
        if not self._happens(self.faults.late_events, "late events"):
            return 0
        return self._random.randrange(1, LATEST_EVENT_MS)

    def call_delay(self) -> float:
        """Seconds that a key-value call takes."""
        if not self._happens(self.faults.slow_calls, "slow key-value call"):
            return 0.0
        return self.seconds_up_to(self.faults.longest_call)

    def _happens(self, chance: float, what: str) -> bool:
        if not chance or self._is_over() or self._random.random() >= chance:
            return False
        self._struck(what)
        return True

    # Strikes

    def _is_over(self) -> bool:
        return self._left == 0 or (self._ends_at is not None and self._timers.now() >= self._ends_at)

    def _struck(self, what: str, whom: str = "") -> None:
        if self._left is not None:
            self._left -= 1
        self._trace.add("fault", whom, what)

    def _arm(self) -> None:
        wait = self._random.expovariate(1 / self.faults.every)
        self._timer = self._timers.call_later(max(1, round(wait * 1000)), self._strike)

    def _strike(self) -> None:
        self._timer = None
        if self._is_over():
            return
        [kind] = self._random.choices(list(self._strikes), self._shares)
        struck = self._strikes[kind]()
        if struck is not None:
            self._struck(kind, struck)
        self._arm()
