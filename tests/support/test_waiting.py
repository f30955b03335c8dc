"""`eventually`: when it returns, what it raises, and what it says then."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual_time import virtual_time
from tests.support.waiting import eventually


@virtual_time
async def test_the_value_is_returned_when_the_condition_becomes_true() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    found: list[int] = []
    loop.call_later(5, found.append, 1)
    assert await eventually(lambda: found) is found
    assert loop.time() - began == pytest.approx(5, abs=0.02)


@virtual_time
async def test_the_value_is_returned_when_the_condition_is_a_coroutine_function() -> None:
    answers = iter([None, [], ["found"]])

    async def ask() -> list[str] | None:
        await asyncio.sleep(1)
        return next(answers)

    assert await eventually(ask) == ["found"]


@virtual_time
async def test_the_error_says_what_did_not_hold_when_the_time_is_up() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(AssertionError, match=r"^not within 3 s: all have come \(last: \[\]\)$"):
        await eventually(list, seconds=3, what="all have come")
    assert loop.time() - began == pytest.approx(3, abs=0.02)


@virtual_time
async def test_the_error_has_the_condition_itself_when_nothing_says_what_it_is() -> None:
    there: list[int] = []
    with pytest.raises(AssertionError, match=r"not within 1 s: await eventually\(lambda: 7 in there, seconds=1\) \(last: F"):
        await eventually(lambda: 7 in there, seconds=1)
    with pytest.raises(AssertionError, match="not within 1 s: __len__ "):
        await eventually(there.__len__, seconds=1)


@virtual_time
async def test_a_call_that_hangs_is_cancelled_when_the_time_is_up() -> None:
    ended = asyncio.Event()

    async def hang() -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return True

    with pytest.raises(AssertionError, match="last: None"):
        await eventually(hang, seconds=2)
    assert ended.is_set()


@virtual_time
async def test_an_error_of_the_condition_is_passed_on_when_there_is_time_left() -> None:
    async def fail() -> bool:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await eventually(fail)
