"""The loop on virtual time: its timers, and what ends it."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Coroutine
from typing import Any

import pytest

from rivet_runner.testing import VirtualLoop, virtual_loop
from rivet_runner.testing.virtual_clock import KEPT_TIMERS, JumpingSelector, NothingLeftToDo


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(main)


def test_timers_fire_in_the_order_in_which_they_were_set_when_their_time_is_the_same() -> None:
    fired: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_later(1.0, fired.append, number)
        await asyncio.sleep(2)

    run(main())
    assert fired == list(range(50))


def test_a_timer_whose_time_has_come_fires_in_the_next_turn_before_what_was_ready_then() -> None:
    order: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() - 5, order.append, "past")
        loop.call_later(0, order.append, "now")
        loop.call_soon(loop.call_soon, order.append, "later")
        before = loop.time()
        for _ in range(3):
            await asyncio.sleep(0)
        assert loop.time() == before

    run(main())
    assert order == ["past", "now", "later"]


def test_a_cancelled_timer_does_not_fire_and_is_no_reason_to_jump() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, pytest.fail, "it fired").cancel()
        before = loop.time()
        await asyncio.sleep(5)
        assert loop.time() == before + 5

    run(main())


def test_a_timer_may_be_cancelled_by_another_of_the_same_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        loop.call_later(1.0, lambda: timers[0].cancel())
        timers.append(loop.call_later(1.0, pytest.fail, "it fired"))
        await asyncio.sleep(2)

    run(main())


def test_cancelled_timers_do_not_pile_up() -> None:
    selector = JumpingSelector()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        kept = [loop.call_later(3600 + number, pytest.fail, "it fired") for number in range(10)]
        for _ in range(10 * KEPT_TIMERS):
            loop.call_later(60, pytest.fail, "it fired").cancel()
        assert len(selector.timers) <= 2 * KEPT_TIMERS
        assert isinstance(loop, VirtualLoop)
        assert sorted(loop.timers, key=asyncio.TimerHandle.when) == kept
        for timer in kept:
            timer.cancel()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(selector)) as runner:
        runner.run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_timer_that_is_never_due_is_nothing_to_wait_for(cancelled: bool) -> None:
    async def main() -> None:
        timer = asyncio.get_running_loop().call_later(60 if cancelled else math.inf, pytest.fail, "it fired")
        if cancelled:
            timer.cancel()
        await asyncio.Event().wait()

    with pytest.raises(NothingLeftToDo):
        run(main())


def test_a_closed_loop_has_no_timers_and_takes_none() -> None:
    loop = virtual_loop()
    loop.call_later(1.0, pytest.fail, "it fired")
    loop.close()
    assert loop.timers == []
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1.0, pytest.fail, "it fired")


def test_signals_are_seen_while_the_clock_jumps_on_and_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, seen.set)
        signal.raise_signal(signal.SIGUSR1)
        for _ in range(1_000):
            await asyncio.sleep(1)
            if seen.is_set():
                return
        pytest.fail("the signal was not seen")

    run(main())


def test_a_signal_is_seen_when_there_is_no_timer() -> None:
    async def main() -> None:
        seen = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, seen.set)
        signal.raise_signal(signal.SIGUSR1)
        await seen.wait()

    run(main())


def test_a_closed_loop_takes_no_more_calls() -> None:
    loop = virtual_loop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(pytest.fail, "it ran")


def test_in_debug_mode_a_call_from_another_thread_is_refused() -> None:
    refused: list[RuntimeError] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def call() -> None:
            try:
                loop.call_soon(pytest.fail, "it ran")
            except RuntimeError as error:
                refused.append(error)

        await asyncio.to_thread(call)
        await asyncio.sleep(5)

    with asyncio.Runner(loop_factory=virtual_loop, debug=True) as runner:
        runner.run(main())
    assert len(refused) == 1


def test_a_callback_that_raises_does_not_stop_the_next() -> None:
    called: list[int] = []
    told: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        loop.call_soon(divmod, 1, 0)
        loop.call_soon(called.append, 1)
        loop.call_soon(called.append, 2).cancel()
        await asyncio.sleep(0)

    run(main())
    assert called == [1]
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
