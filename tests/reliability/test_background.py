"""Coroutines beside a block: they end with it, and it ends with their errors."""

from __future__ import annotations

import asyncio

import pytest

from reliability.background import in_background
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_coroutine_is_cancelled_when_the_block_ends() -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with in_background(endless()):
        await asyncio.sleep(1)
        assert ended == []
    assert ended == [True]


@virtual_time
async def test_block_ends_when_a_coroutine_raises() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError("the load is broken")

    with pytest.raises(ExceptionGroup) as raised:
        async with in_background(fail()):
            await asyncio.Event().wait()
    assert raised.group_contains(ValueError, match="the load is broken")
