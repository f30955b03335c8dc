"""Listeners notice signals, and the server's own handlers still run."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from rivet_runner.serverless.stop_signals import Listener, StopSignals

TERM, INT = signal.SIGTERM, signal.SIGINT


class Server:
    """A program that handles both signals in Python, as ASGI servers do."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def handle(self, number: int, _: FrameType | None) -> None:
        self.seen.append(number)


@pytest.fixture
def server() -> Iterator[Server]:
    current = Server()
    before = {number: signal.signal(number, current.handle) for number in (TERM, INT)}
    yield current
    for number, handler in before.items():
        signal.signal(number, handler)


async def raise_signal(number: int) -> None:
    signal.raise_signal(number)
    await asyncio.sleep(0)


async def test_the_first_and_the_further_signals_are_told_apart_when_they_come(server: Server) -> None:
    signals, heard = StopSignals(), list[bool]()
    listener = signals.listen(heard.append)
    for number in (TERM, INT, INT):
        await raise_signal(number)
    assert heard == [False, True, True]
    assert server.seen == [TERM, INT, INT]
    signals.forget(listener)


async def test_the_server_has_its_handlers_back_when_the_last_listener_is_gone(server: Server) -> None:
    signals, heard = StopSignals(), list[bool]()
    first, second = signals.listen(heard.append), signals.listen(heard.append)
    signals.forget(first)
    assert signal.getsignal(TERM) != server.handle
    await raise_signal(TERM)
    assert heard == [False]
    signals.forget(second)
    assert signal.getsignal(TERM) == signal.getsignal(INT) == server.handle
    await raise_signal(TERM)
    assert heard == [False]
    assert server.seen == [TERM, TERM]


async def test_a_later_handler_stays_when_it_has_taken_our_place(server: Server) -> None:
    signals, heard = StopSignals(), list[bool]()
    listener = signals.listen(heard.append)
    ours = signal.getsignal(TERM)
    assert callable(ours)
    later: list[int] = []

    def chained(number: int, frame: FrameType | None) -> None:
        later.append(number)
        ours(number, frame)

    signal.signal(TERM, chained)
    signals.forget(listener)
    assert signal.getsignal(TERM) is chained
    await raise_signal(TERM)
    assert (later, server.seen, heard) == ([TERM], [TERM], [])


async def test_each_signal_is_heard_once_when_our_old_handler_is_still_in_the_chain(server: Server) -> None:
    signals, heard = StopSignals(), list[bool]()
    first = signals.listen(heard.append)
    ours = signal.getsignal(TERM)
    assert callable(ours)
    signal.signal(TERM, lambda number, frame: ours(number, frame))
    second = signals.listen(heard.append)
    await raise_signal(TERM)
    assert heard == [False, False]
    assert server.seen == [TERM]
    for listener in (first, second):
        signals.forget(listener)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
async def test_a_signal_is_left_alone_when_the_program_does_not_handle_it(handler: signal.Handlers) -> None:
    before = signal.signal(TERM, handler)
    try:
        signals = StopSignals()
        listener = signals.listen(lambda _: None)
        assert signal.getsignal(TERM) is handler
        signals.forget(listener)
        assert signal.getsignal(TERM) is handler
    finally:
        signal.signal(TERM, before)


async def test_nothing_is_raised_when_the_loop_of_a_listener_is_closed(server: Server) -> None:
    signals = StopSignals()
    other = asyncio.new_event_loop()
    listener = await asyncio.to_thread(lambda: other.run_until_complete(_listen(signals)))
    other.close()
    here: list[bool] = []
    mine = signals.listen(here.append)
    await raise_signal(TERM)
    assert here == [False]
    for one in (listener, mine):
        signals.forget(one)


async def _listen(signals: StopSignals) -> Listener:
    return signals.listen(lambda _: None)


async def test_no_handler_is_set_when_the_loop_is_not_in_the_main_thread(server: Server) -> None:
    signals = StopSignals()

    async def listen_and_forget() -> None:
        assert threading.current_thread() is not threading.main_thread()
        signals.forget(signals.listen(lambda _: None))

    await asyncio.to_thread(asyncio.run, listen_and_forget())
    assert signal.getsignal(TERM) == server.handle
