"""Without an engine there is one line for each try, never a traceback, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from rivet_runner import Runner
from rivet_runner._connection import engine_socket, reconnecting
from tests.support.waiting import eventually

LOOPS = pytest.mark.parametrize(
    "new_loop",
    [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop", marks=pytest.mark.slow),
    ],
)


@contextlib.asynccontextmanager
async def refused() -> AsyncIterator[str]:
    """A port at which nothing listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    yield f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def no_such_host() -> AsyncIterator[str]:
    """A name that no resolver knows (RFC 2606)."""
    yield "http://engine.invalid:6420"


@contextlib.asynccontextmanager
async def _answering(answer: bytes | None, scheme: str) -> AsyncIterator[str]:
    """A server that sends ``answer`` to each client and closes; with ``None`` it says nothing and closes nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is not None:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def tls_without_an_answer() -> contextlib.AbstractAsyncContextManager[str]:
    return _answering(None, "https")


def no_tls() -> contextlib.AbstractAsyncContextManager[str]:
    return _answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", "https")


def no_answer() -> contextlib.AbstractAsyncContextManager[str]:
    return _answering(None, "http")


def no_http() -> contextlib.AbstractAsyncContextManager[str]:
    return _answering(b"\x00\xff garbage\r\n\r\n", "http")


ABSENT = [refused, no_such_host, tls_without_an_answer, no_tls, no_answer, no_http]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dials that end, pings that are due, and retries that come within a test's time.

    Tasks that earlier tests have left behind complain before this one begins.
    """
    gc.collect()
    monkeypatch.setattr(engine_socket, "PING_INTERVAL", 0.02)
    monkeypatch.setattr(engine_socket, "DIAL_TIMEOUT", 0.1)
    monkeypatch.setattr(reconnecting, "FIRST_DELAY", 0.05)


def run(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, None]) -> list[dict[str, Any]]:
    """Run ``main`` and return the loop's own complaints: exceptions that no code has caught."""
    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, details: complaints.append(details))
        runner.run(main)
    gc.collect()
    return complaints


@LOOPS
@pytest.mark.parametrize("absent", ABSENT)
@pytest.mark.usefixtures("hasty")
def test_each_try_is_one_line_and_nothing_stays_when_there_is_no_engine(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    absent: Callable[[], contextlib.AbstractAsyncContextManager[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def tries() -> list[logging.LogRecord]:
        return [record for record in caplog.records if "cannot reach the engine" in record.getMessage()]

    async def main() -> None:
        async with absent() as endpoint:
            before = asyncio.all_tasks()
            # On a busy machine any loop is late in real time, and a warning of that is none of a try.
            starting = asyncio.create_task(Runner(endpoint=endpoint, block_warning=None).start())
            await eventually(lambda: len(tries()) >= 2, what="the second try")
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting

            def left() -> set[asyncio.Task[Any]]:
                return {task for task in asyncio.all_tasks() - before if "_answering" not in repr(task)}

            await eventually(lambda: not left(), what="no task is left")

    assert run(new_loop, main()) == []
    assert all(record.exc_info is None for record in caplog.records)
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []
    others = {record.getMessage() for record in caplog.records} - {record.getMessage() for record in tries()}
    assert others <= {"the runner is down"}, "one line for each try, and none besides"


@LOOPS
@pytest.mark.usefixtures("hasty")
def test_nothing_stays_when_start_is_cancelled_in_a_dial(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with tls_without_an_answer() as endpoint:
            starting = asyncio.create_task(Runner(endpoint=endpoint).start())
            await asyncio.sleep(0.1)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            await asyncio.sleep(0.1)

    assert run(new_loop, main()) == []
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []
