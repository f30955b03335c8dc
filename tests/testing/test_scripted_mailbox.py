"""A mailbox gives out items that fit and keeps the others."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.testing._scripted.mailbox import Mailbox
from tests.support.virtual_time import virtual_time


def anything(_: int) -> bool:
    return True


def is_even(item: int) -> bool:
    return item % 2 == 0


@virtual_time
async def test_the_first_that_fits_is_taken_when_others_are_before_it() -> None:
    mailbox: Mailbox[int] = Mailbox("numbers")
    for item in (1, 3, 4, 6):
        mailbox.put(item)
    assert await mailbox.take(is_even, 1, "even number") == 4
    assert [await mailbox.take(anything, 1, "number") for _ in range(3)] == [1, 3, 6]
    assert len(mailbox) == 0


@virtual_time
async def test_a_waiting_take_ends_when_an_item_fits() -> None:
    mailbox: Mailbox[int] = Mailbox("numbers")
    even, odd = (asyncio.create_task(mailbox.take(fits, 9, "item")) for fits in (is_even, lambda item: item % 2 == 1))
    await asyncio.sleep(1)
    mailbox.put(5)
    assert await odd == 5
    assert not even.done()
    mailbox.put(2)
    assert await even == 2


@virtual_time
async def test_the_error_says_what_was_waited_for_and_what_is_there_when_time_runs_out() -> None:
    mailbox: Mailbox[int] = Mailbox("numbers")
    with pytest.raises(TimeoutError, match=r"numbers: no item .*nothing.* within 2 s"):
        await mailbox.take(anything, 2, "item")
    mailbox.put(7)
    with pytest.raises(TimeoutError, match=r"no even number .*7"):
        await mailbox.take(is_even, 2, "even number")
    assert len(mailbox) == 1


@virtual_time
async def test_the_rest_can_be_taken_when_the_mailbox_has_ended() -> None:
    mailbox: Mailbox[int] = Mailbox("numbers")
    waiting = asyncio.create_task(mailbox.take(is_even, 9, "even number"))
    mailbox.put(1)
    await asyncio.sleep(1)
    mailbox.end("the reason")
    with pytest.raises(EOFError, match=r"no even number .*: the reason"):
        await waiting
    assert await mailbox.take(anything, 1, "number") == 1
    with pytest.raises(EOFError):
        await mailbox.take(anything, 1, "number")


@virtual_time
async def test_nothing_is_lost_when_a_take_is_cancelled() -> None:
    mailbox: Mailbox[int] = Mailbox("numbers")
    taking = asyncio.create_task(mailbox.take(anything, 9, "number"))
    await asyncio.sleep(1)
    mailbox.put(1)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await mailbox.take(anything, 1, "number") == 1
