"""`KvCalls`: a call ends once, here and in the session, for any reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from rivet_runner import KvError, KvTimeout
from rivet_runner._connection.uplink import Uplink
from rivet_runner._kv.calls import CALLS_AT_ONCE, KvCalls
from rivet_runner._observing.observer import Observer
from rivet_runner._session.dialect import KvAnswer
from rivet_runner._session.kv_ledger import KvLedger
from rivet_runner._session.session import Session
from rivet_runner.protocol.messages import KvErrorResponse, KvGetRequest, KvPutResponse, KvRequestData
from rivet_runner.protocol.v3 import encode_to_server
from tests.support.virtual_time import virtual_time

GET = KvGetRequest([b"a"])
DONE = KvPutResponse()


class LedgerOnly(Session):
    """The session's half of a call, and nothing else of it."""

    has_delete_range = False

    def __init__(self) -> None:
        self.ledger = KvLedger(encode_to_server)

    def call_kv(self, actor_id: str, data: KvRequestData) -> int:
        return self.ledger.add(actor_id, data)

    def end_call(self, request_id: int) -> bool:
        return self.ledger.end(request_id)


class NoSocket(Uplink):
    """Counts flushes. ``lost_connection`` stands for a connection that is gone."""

    def __init__(self) -> None:
        self.connection_number = 1
        self.flushes = 0
        self.lost_connection = False

    def flush_soon(self) -> None:
        self.flushes += 1

    def is_on(self, connection_number: int) -> bool:
        return not self.lost_connection and connection_number == self.connection_number


class UnansweredCalls:
    """Calls under way, answered by the test alone."""

    def __init__(self, timeout: float = 30.0) -> None:
        self.session = LedgerOnly()
        self.uplink = NoSocket()
        self.observer = Observer()
        self.calls = KvCalls(self.session, self.uplink, timeout, self.observer)
        self.why: str | None = None

    def begin(self, actor_id: str = "a1") -> asyncio.Task[KvAnswer]:
        return asyncio.create_task(self.calls.call(actor_id, GET, lambda: self.why))

    @property
    def under_way(self) -> tuple[int, int]:
        """How many calls there are here, and frames in the session."""
        return len(self.calls), len(self.session.ledger)


@pytest.fixture
def unanswered() -> Iterator[UnansweredCalls]:
    current = UnansweredCalls()
    yield current
    assert current.under_way == (0, 0)


async def turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_each_caller_gets_its_own_answer_when_they_come_in_another_order(unanswered: UnansweredCalls) -> None:
    tasks = [unanswered.begin(f"a{number}") for number in range(3)]
    await turn()
    assert unanswered.under_way == (3, 3)
    assert unanswered.uplink.flushes == 3
    answers: list[KvAnswer] = [KvErrorResponse(f"answer {number}") for number in range(3)]
    for request_id in (2, 0, 1):
        unanswered.calls.answered(request_id, answers[request_id])
    assert unanswered.under_way == (0, 0)
    for number, task in enumerate(tasks):
        with pytest.raises(KvError, match=f"^actor a{number}: .*: answer {number}$"):
            await task


async def test_nothing_happens_when_an_answer_is_for_no_call(unanswered: UnansweredCalls) -> None:
    task = unanswered.begin()
    await turn()
    unanswered.calls.answered(7, DONE)
    unanswered.calls.answered(0, DONE)
    unanswered.calls.answered(0, KvErrorResponse("again"))
    assert await task is DONE
    unanswered.calls.answered(0, DONE)
    unanswered.calls.fail([0], "late")


async def test_calls_fail_with_the_reason_when_they_are_dropped(unanswered: UnansweredCalls) -> None:
    dropped, kept = unanswered.begin(), unanswered.begin()
    await turn()
    unanswered.calls.fail([0, 5], "the reason")
    with pytest.raises(KvError, match=r"^actor a1: the reason$"):
        await dropped
    assert unanswered.under_way == (1, 1)
    unanswered.calls.answered(1, DONE)
    assert await kept is DONE


async def test_only_its_own_calls_fail_when_an_actor_ends(unanswered: UnansweredCalls) -> None:
    first, other, second = unanswered.begin("a1"), unanswered.begin("a2"), unanswered.begin("a1")
    await turn()
    unanswered.calls.fail_actor("a1", "over")
    for task in (first, second):
        with pytest.raises(KvError, match="actor a1: over"):
            await task
    unanswered.calls.answered(1, DONE)
    assert await other is DONE


async def test_a_call_is_not_made_when_its_generation_has_ended(unanswered: UnansweredCalls) -> None:
    unanswered.why = "stopped"
    with pytest.raises(KvError, match=r"^actor a1: stopped$"):
        await unanswered.begin()
    assert unanswered.uplink.flushes == 0


@pytest.mark.parametrize("then", ["answer", "fail"])
async def test_the_frame_is_given_up_when_the_caller_is_cancelled(unanswered: UnansweredCalls, then: str) -> None:
    task = unanswered.begin()
    await turn()
    task.cancel()
    if then == "answer":
        unanswered.calls.answered(0, DONE)
    else:
        unanswered.calls.fail([0], "meanwhile")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert unanswered.under_way == (0, 0)


@virtual_time
async def test_a_call_is_a_timeout_when_no_answer_comes() -> None:
    unanswered = UnansweredCalls(timeout=5)
    before = asyncio.get_running_loop().time()
    with pytest.raises(KvTimeout, match=r"actor a1: .* within 5 s"):
        await unanswered.begin()
    assert asyncio.get_running_loop().time() - before == pytest.approx(5)
    assert unanswered.under_way == (0, 0)


@pytest.mark.slow
@virtual_time
async def test_further_calls_wait_within_their_own_timeout_when_too_many_are_under_way() -> None:
    unanswered = UnansweredCalls(timeout=5)
    tasks = [unanswered.begin() for _ in range(CALLS_AT_ONCE)]
    await turn()
    waiting = unanswered.begin()
    await turn()
    assert unanswered.under_way == (CALLS_AT_ONCE, CALLS_AT_ONCE)
    unanswered.calls.answered(0, DONE)
    await asyncio.sleep(0.01)
    assert unanswered.under_way == (CALLS_AT_ONCE, CALLS_AT_ONCE)
    late = unanswered.begin()
    with pytest.raises(KvTimeout):
        await waiting
    with pytest.raises(KvTimeout):
        await late
    assert await tasks[0] is DONE
    await asyncio.wait(tasks)
    assert all(isinstance(task.exception(), KvTimeout) for task in tasks[1:])
    assert unanswered.under_way == (0, 0)


@virtual_time
async def test_round_trip_is_measured_only_when_the_connection_stayed() -> None:
    unanswered = UnansweredCalls()
    task = unanswered.begin()
    await asyncio.sleep(0.25)
    unanswered.calls.answered(0, DONE)
    await task
    assert unanswered.calls.round_trip == pytest.approx(0.25)
    task = unanswered.begin()
    await asyncio.sleep(9)
    unanswered.uplink.connection_number += 1
    unanswered.calls.answered(1, DONE)
    await task
    assert unanswered.calls.round_trip == pytest.approx(0.25)
