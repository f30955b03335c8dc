"""The known differences between the simulated engine and the real one, with their reasons.

The suite reads this list. A difference is shown by a test, which names it and finds the value of each engine, or it says why
no test can show it. A difference that is not listed here is a fault of the simulated engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """``simulated`` and ``real`` are the values that `shown_by` finds, or descriptions if no test shows the difference."""

    simulated: Any
    real: Any
    reason: str
    shown_by: str | None = None
    not_shown_because: str | None = None


DIFFERENCES: Final = {
    "protocol versions": Difference(
        simulated=(1011, "ws.invalid_packet"),
        real=(1011, "ws.timed_out_waiting_for_init"),
        reason="The simulated engine speaks versions 3 and 7. The real one takes each version up to 7, and waits for init.",
        shown_by="test_differences.test_connection_of_another_protocol_version_is_refused_by_the_simulated_engine",
    ),
    "answer to an upgrade": Difference(
        simulated="at once",
        real="when the actor is ready",
        reason="A client may send at once, and its messages wait for the actor either way.",
        not_shown_because="The clients of the tests do not tell when the upgrade was answered.",
    ),
    "statuses": Difference(
        simulated="a status above 599 becomes a 500 at the port",
        real="passed up to 999",
        reason="The server of the port knows no others. In memory, they pass.",
        not_shown_because="The suite asks for the statuses that HTTP has.",
    ),
    "checks of a token": Difference(
        simulated="a call without its token is forbidden before its query is read",
        real="a query that lacks a field is refused first",
        reason="A call that is wrong in both ways is refused either way.",
        not_shown_because="The engines of the suite have no token.",
    ),
    "a client that does not read": Difference(
        simulated="keeps 256 MiB for it at the port, and breaks its connection beyond that",
        real="has kept 150 MB, and its bound is not known",
        reason="Nothing may grow without a bound.",
        not_shown_because="A test of the bound would take a quarter of a gigabyte.",
    ),
    "reordered events": Difference(
        simulated="in their order, unless `Faults.late_events` says otherwise",
        real="event messages of one runner may overtake each other, and one that comes late is dropped",
        reason="The tests of a user must not fail by chance.",
        not_shown_because="The order of the real engine depends on the load of the machine.",
    ),
    "bursts": Difference(
        simulated="each message arrives, unless `Faults.ring` says otherwise or the receiver at the port does not read",
        real="messages beyond a ring of 1,024 are dropped",
        reason="The tests of a user must not fail by chance.",
        not_shown_because="The loss depends on the speed of the machine.",
    ),
    "unanswered init": Difference(
        simulated="each init is answered, unless `Faults.lost_inits` says otherwise",
        real="about one first init in 1,000 gets no answer",
        reason="The tests of a user must not fail by chance.",
        not_shown_because="It is too rare for a test.",
    ),
    "speed": Difference(
        simulated="decisions take no time",
        real="most decisions take 50 to 100 ms, and much longer on a busy machine",
        reason="Delays are not part of the protocol, and tests are to be fast.",
        not_shown_because="A test of a duration fails on a busy machine.",
    ),
    "error messages": Difference(
        simulated="texts of its own, with the same group and code",
        real="texts that change between versions",
        reason="Programs read the group and the code.",
        not_shown_because="The suite compares groups and codes in each test of an error.",
    ),
}
