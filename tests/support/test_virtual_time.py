"""The loop that jumps: timers, sockets, threads, and what never ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from rivet_runner.testing import virtual_loop
from tests.support import virtual_time as module
from tests.support.virtual_time import Stuck, VirtualTimeLoop, virtual_time


@virtual_time
async def test_an_hour_passes_at_once_when_nothing_else_is_to_do() -> None:
    loop = asyncio.get_running_loop()
    before, real_before = loop.time(), time.monotonic()
    await asyncio.sleep(3600)
    assert loop.time() - before == pytest.approx(3600, abs=1e-6)
    assert time.monotonic() - real_before < 2


@virtual_time
async def test_timers_fire_in_order_and_at_their_time_when_many_are_set() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    fired: list[tuple[float, float]] = []

    def fire(seconds: float) -> None:
        fired.append((seconds, loop.time() - start))

    for seconds in (50.0, 0.5, 7200.0, 3.0, 3.0, 100_000.0):
        loop.call_later(seconds, fire, seconds)
    await asyncio.sleep(200_000)
    assert [seconds for seconds, _ in fired] == [0.5, 3.0, 3.0, 50.0, 7200.0, 100_000.0]
    assert all(when == pytest.approx(seconds, abs=1e-6) for seconds, when in fired)


@virtual_time
async def test_the_clock_stands_when_only_callbacks_run() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    time.sleep(0.02)  # noqa: ASYNC251 - real time is what must not count
    for _ in range(100):
        await asyncio.sleep(0)
    assert loop.time() == before


@virtual_time
async def test_a_timeout_fires_at_its_time_when_its_body_never_ends() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(120):
            await asyncio.Event().wait()
    assert loop.time() - before == pytest.approx(120, abs=1e-6)


@virtual_time
async def test_bytes_arrive_before_a_timer_when_both_ends_are_in_this_process() -> None:
    """A thousand exchanges, each with a timer of a millisecond beside it: none may be overtaken."""
    loop = asyncio.get_running_loop()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    before = loop.time()
    for number in range(1000):
        message = number.to_bytes(4, "big")
        async with asyncio.timeout(0.001):
            writer.write(message)
            assert await reader.readexactly(4) == message
    assert loop.time() == before
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@virtual_time
async def test_a_farewell_arrives_before_a_timer_when_both_ends_are_in_this_process() -> None:
    loop = asyncio.get_running_loop()

    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    before = loop.time()
    for _ in range(100):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(1.001):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert loop.time() - before == pytest.approx(100, abs=1e-6)
    server.close()
    await server.wait_closed()


@virtual_time
async def test_a_large_transfer_takes_no_time_when_it_needs_many_writes() -> None:
    loop = asyncio.get_running_loop()
    received = bytearray()
    done = asyncio.Event()

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            received.extend(data)
        writer.close()
        done.set()

    server = await asyncio.start_server(collect, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    before = loop.time()
    writer.write(bytes(20_000_000))
    writer.close()
    async with asyncio.timeout(0.001):
        await done.wait()
    assert len(received) == 20_000_000
    assert loop.time() == before
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@virtual_time
async def test_time_goes_on_when_a_peer_has_stopped_reading() -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[asyncio.StreamWriter] = loop.create_future()

    async def stall(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        accepted.set_result(writer)

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    peer = await accepted
    writer.write(bytes(20_000_000))
    before = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await writer.drain()
    assert loop.time() - before == pytest.approx(60, abs=1e-6)
    for end in (writer, peer):
        end.transport.abort()
    server.close()
    await server.wait_closed()


@virtual_time
async def test_the_clock_stands_when_a_thread_works() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    release = threading.Timer(0.1, lambda: gate.set())
    gate = threading.Event()
    release.start()
    async with asyncio.timeout(0.01):
        assert await asyncio.to_thread(gate.wait, 5)
    assert loop.time() == before
    await asyncio.sleep(10)
    assert loop.time() - before == pytest.approx(10, abs=1e-6)


@virtual_time
async def test_the_clock_stands_when_a_name_is_resolved() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with asyncio.timeout(0.001):
        assert await loop.getaddrinfo("localhost", 80)
    assert loop.time() == before


@virtual_time
async def test_time_goes_on_when_a_call_in_a_thread_has_raised() -> None:
    loop = asyncio.get_running_loop()

    def fail() -> None:
        raise ValueError("in the thread")

    with pytest.raises(ValueError, match="in the thread"):
        await asyncio.to_thread(fail)
    before = loop.time()
    await asyncio.sleep(100)
    assert loop.time() - before == pytest.approx(100, abs=1e-6)


@virtual_time
async def test_a_result_arrives_when_a_thread_calls_back() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    thread = threading.Timer(0.05, loop.call_soon_threadsafe, [future.set_result, 7])
    thread.start()
    assert await future == 7
    thread.join()


def test_a_wait_ends_when_nothing_can_ever_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_AFTER", 0.1)
    with (
        asyncio.Runner(loop_factory=VirtualTimeLoop) as runner,
        pytest.raises(Stuck, match="would wait for ever"),
    ):
        runner.run(asyncio.Event().wait())


def test_a_loop_ends_when_it_is_busy_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REAL_LIMIT", 0.2)

    async def tick_for_ever() -> None:
        while True:
            await asyncio.sleep(3)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, pytest.raises(Stuck, match="of virtual time"):
        runner.run(tick_for_ever())


def test_arguments_and_errors_pass_when_a_test_is_decorated() -> None:
    seen: list[int] = []

    @virtual_time
    async def sample(number: int, *, more: int) -> None:
        seen.extend((number, more))
        raise LookupError("from inside")

    with pytest.raises(LookupError, match="from inside"):
        sample(1, more=2)
    assert seen == [1, 2]
    assert sample.__name__ == "sample"


@virtual_time
async def test_timer_without_end_is_set_and_never_fires() -> None:
    loop = asyncio.get_running_loop()
    endless = loop.call_later(float("inf"), lambda: None)
    await asyncio.sleep(1_000_000)
    assert endless.when() == float("inf")
    endless.cancel()


def test_the_loop_ends_with_the_threads_of_its_calls() -> None:
    gate = threading.Event()

    async def leave_a_call_behind() -> None:
        call = asyncio.ensure_future(asyncio.to_thread(gate.wait, 5))
        await asyncio.sleep(0)
        call.cancel()
        threading.Timer(0.1, gate.set).start()

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(leave_a_call_behind())
    assert gate.is_set()
