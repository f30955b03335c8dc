"""The delaying proxy: late, whole, in order, and as much as comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from benchmarks.distance import MAX_UNDER_WAY, DelayingProxy
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.slow

ROUND_TRIP = 0.1


@asynccontextmanager
async def echo_port() -> AsyncIterator[int]:
    """A server that returns what it gets, and ends when its client does."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def far_echo() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with echo_port() as port, DelayingProxy(port, ROUND_TRIP) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.endpoint.rsplit(":", 1)[1]))
        yield reader, writer
        writer.close()


@virtual_time
async def test_an_echo_takes_one_round_trip_when_nothing_else_is_under_way() -> None:
    loop = asyncio.get_running_loop()
    async with far_echo() as (reader, writer):
        for _ in range(3):
            began = loop.time()
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert loop.time() - began == pytest.approx(ROUND_TRIP, abs=0.002)


@virtual_time
async def test_throughput_is_not_limited_when_much_is_under_way() -> None:
    """One message each millisecond: a hundred of them are under way at any time, and none waits for another."""
    loop = asyncio.get_running_loop()
    async with far_echo() as (reader, writer):
        arrivals = []

        async def receive() -> None:
            for number in range(150):
                assert int(await reader.readexactly(4)) == number
                arrivals.append(loop.time())

        receiving = asyncio.create_task(receive())
        for number in range(150):
            writer.write(b"%04d" % number)
            await asyncio.sleep(0.001)
        await receiving
        assert max(after - before for before, after in pairwise(arrivals)) < 0.005


async def test_everything_arrives_in_order_when_more_is_sent_than_may_be_under_way() -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(MAX_UNDER_WAY // 3))
    async with far_echo() as (reader, writer), asyncio.timeout(60):
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent


@virtual_time
async def test_the_end_arrives_behind_the_last_byte_when_a_side_closes() -> None:
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[tuple[bytes, float]] = loop.create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result((await reader.read(), loop.time()))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, DelayingProxy(server.sockets[0].getsockname()[1], ROUND_TRIP) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", int(proxy.endpoint.rsplit(":", 1)[1]))
        writer.write(b"last words")
        writer.close()
        closed_at = loop.time()
        last_words, ended_at = await heard
    assert last_words == b"last words"
    assert ended_at - closed_at == pytest.approx(ROUND_TRIP / 2, abs=0.002)


async def test_the_client_is_closed_when_the_target_does_not_listen() -> None:
    async with echo_port() as port:
        pass
    async with DelayingProxy(port, ROUND_TRIP) as proxy, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.endpoint.rsplit(":", 1)[1]))
        assert await reader.read() == b""
        writer.close()
