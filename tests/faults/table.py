"""The faults that the connection is promised to survive: each with its promise and the tests that show it.

The same table, without the tests, is in ``docs/connection.md``. `tests.faults.test_table` compares the two.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["FAULTS", "Fault"]

CONNECTIONS: Final = "tests/faults/test_connections.py::test_"
ENDINGS: Final = "tests/faults/test_endings.py::test_"
PRESSURE: Final = "tests/faults/test_pressure.py::test_"
CLOCK_STEPS: Final = "tests/faults/test_clock_steps.py::test_"
RESTARTS: Final = "tests/engine/test_engine_restarts.py::test_"
ENGINE: Final = "tests/engine/test_fault_table.py::test_"


class Fault(NamedTuple):
    """One row."""

    name: str
    promise: str
    shown_by: tuple[str, ...]
    """Node ids of pytest, without parameters."""


FAULTS: Final = (
    Fault(
        "cut",
        "The runner is back within about 1.3 s. Actors, calls, requests and handlers go on.",
        (
            CONNECTIONS + "everything_goes_on_within_seconds_when_the_connection_is_cut",
            "tests/engine/test_cuts.py::test_nothing_is_lost_or_reordered_when_the_connection_is_cut_fifteen_times",
        ),
    ),
    Fault(
        "half-open",
        "The dead connection is found within 24 s, and is then as good as cut.",
        (CONNECTIONS + "a_dead_connection_is_found_within_24_seconds_when_it_is_half_open",),
    ),
    Fault(
        "stalled",
        "An engine that goes on within 12 s is waited for, and nothing is lost. One that takes longer counts as "
        "half-open, and the runner dials until it is answered.",
        (
            CONNECTIONS + "nothing_is_lost_and_nothing_is_logged_when_the_engine_stalls_for_a_while",
            CONNECTIONS + "the_runner_dials_until_it_is_answered_when_the_engine_stalls_for_longer",
        ),
    ),
    Fault(
        "refused",
        "The runner dials again after growing delays, and each dial is one line in the log. Actors go on for as "
        "long as they are not lost.",
        (CONNECTIONS + "each_dial_is_one_line_and_everything_goes_on_when_dials_were_refused",),
    ),
    Fault(
        "evicted",
        "Everything ends within 2 s, and `on_actor_stop` is called once for each actor. `RunnerEvicted` says what to do.",
        (ENDINGS + "everything_ends_within_two_seconds_when_the_runner_is_evicted",),
    ),
    Fault(
        "lost",
        "After 15 s without the engine, actors stop once and key-value calls raise `KvError`. The runner comes "
        "back and takes new actors.",
        (ENDINGS + "actors_end_once_and_the_runner_returns_when_it_was_lost",),
    ),
    Fault(
        "drained",
        "Each actor finishes its requests before it stops, and hibernatable clients stay. `RunnerEvicted.drained` "
        "is `True`.",
        (
            ENDINGS + "work_is_finished_and_clients_stay_when_the_engine_drains_the_runner",
            "tests/engine/test_drains.py::test_generations_do_not_overlap_when_a_drain_takes_longer_than_the_engine_waits",
        ),
    ),
    Fault(
        "engine killed",
        "The runner is accepted again within about 30 s of the engine's return on the same data. What was stored "
        "is there, and each generation starts and stops once.",
        (
            ENGINE + "each_line_of_the_log_says_what_to_do_when_the_engine_ends_and_returns",
            RESTARTS + "actors_go_on_when_the_engine_comes_back_on_the_same_data",
        ),
    ),
    Fault(
        "engine stopped",
        "The same, mostly after 1 to 5 s.",
        (
            ENGINE + "each_line_of_the_log_says_what_to_do_when_the_engine_ends_and_returns",
            RESTARTS + "actors_go_on_when_the_engine_comes_back_on_the_same_data",
        ),
    ),
    Fault(
        "init unanswered",
        "The runner sends init again after 4 and 8 s, and replaces the connection after `init_timeout`. Nothing "
        "else is sent before the answer, and nothing is lost.",
        (
            CONNECTIONS + "init_is_sent_again_and_everything_goes_on_when_it_was_not_answered",
            CONNECTIONS + "the_connection_is_replaced_when_init_is_never_answered",
        ),
    ),
    Fault(
        "token revoked",
        "After a reconnect, the runner tries again every 30 to 38 s, and each error in the log names `RIVET_TOKEN`.",
        (
            ENDINGS + "the_runner_says_what_to_do_and_tries_on_when_its_token_is_revoked",
            ENGINE + "the_error_names_the_token_and_the_runner_tries_on_when_the_token_is_revoked",
        ),
    ),
    Fault(
        "slow reader",
        "If the engine does not read, senders wait from `max_buffered` on, and other work goes on. Nothing is lost"
        " once it reads again.",
        (PRESSURE + "senders_wait_and_nothing_is_lost_when_the_engine_does_not_read",),
    ),
    Fault(
        "full outbox",
        "Senders wait in the order of their calls. A cancelled one is sent whole or not at all, and a shutdown "
        "ends them all.",
        (
            PRESSURE + "senders_wait_in_order_when_the_outbox_is_full",
            ENDINGS + "everything_ends_within_two_seconds_when_the_runner_is_evicted",
            "tests/connection/test_full_outbox.py::"
            "test_a_message_is_sent_or_not_and_the_others_keep_their_order_when_a_send_is_cancelled",
        ),
    ),
    Fault(
        "giant message",
        "A message over 20 MiB raises `PayloadTooLarge` and is not sent. Such a response becomes a 500. A client's"
        " message of 32 MiB arrives.",
        (PRESSURE + "a_giant_message_is_refused_before_it_is_sent_and_a_clients_arrives",),
    ),
    Fault(
        "clock step",
        "No timeout fires early or late. Only alarms and the times in pings follow the wall clock.",
        (
            CLOCK_STEPS + "no_timeout_is_early_or_late_when_the_clock_steps",
            CLOCK_STEPS + "pings_and_alarms_have_the_time_of_the_clock_when_it_steps",
        ),
    ),
)
