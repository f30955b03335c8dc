"""The stored state: whole after every crash, written once, and never lost for being too large."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import KV, KvError, KvTimeout
from rivet_runner._kv.store import KvStore
from rivet_runner._session.dialect import KvAnswer
from rivet_runner.actors._state.store import MAX_STATE, StateStore
from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.state import StateType
from rivet_runner.actors.errors import StateTooLarge
from rivet_runner.protocol.messages import KvDeleteRequest, KvGetRequest, KvPutRequest, KvRequestData
from tests.kv.stores import ACTOR, MemoryCalls

LONGEST_NAME = "n" * 64
OVERHEAD = len(msgspec.msgpack.encode(bytes(MAX_STATE))) - MAX_STATE


class Notes(msgspec.Struct):
    text: str = ""
    raw: bytes = b""


class Engine(MemoryCalls):
    """Fails the next put before or after it has taken effect, or holds it until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: str | None = None
        self.gate: asyncio.Event | None = None

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
        if not isinstance(data, KvPutRequest):
            return await super().call(actor_id, data, ended)
        if self.gate is not None:
            await self.gate.wait()
        if self.fails == "before":
            raise KvError("refused")
        answer = await super().call(actor_id, data, ended)
        if self.fails == "after":
            raise KvTimeout("no answer")
        return answer

    @property
    def puts(self) -> list[KvPutRequest]:
        return [request for request in self.sent if isinstance(request, KvPutRequest)]


@pytest.fixture
def engine() -> Engine:
    return Engine()


def store_of(engine: Engine, annotation: Any = Notes, name: str = "state") -> StateStore[Any]:
    """The store of a generation that begins now."""
    return StateStore(KV(KvStore(ACTOR, engine)).area(name), StateType.of(annotation))


async def test_a_state_comes_back(engine: Engine) -> None:
    assert await store_of(engine).load() is None
    assert await store_of(engine).save(Notes("hi", b"\xff"))
    assert await store_of(engine).load() == Notes("hi", b"\xff")


@pytest.mark.parametrize("size", [0, 1, 131_000, 131_070, 131_080, 262_140, 500_000, MAX_STATE - OVERHEAD])
async def test_a_state_of_any_size_is_written_and_read_by_one_call(engine: Engine, size: int) -> None:
    state = bytes(index % 251 for index in range(997)) * (size // 997 + 1)
    state = state[:size]
    assert await store_of(engine, bytes, LONGEST_NAME).save(state)
    assert len(engine.sent) == 1
    assert await store_of(engine, bytes, LONGEST_NAME).load() == state
    assert len(engine.sent) == 2


async def test_a_state_over_the_limit_is_refused_with_its_size_and_the_old_one_stays(engine: Engine) -> None:
    store = store_of(engine, bytes)
    await store.save(b"old")
    with pytest.raises(StateTooLarge) as caught:
        await store.save(bytes(MAX_STATE - OVERHEAD + 1))
    assert (caught.value.size, caught.value.limit) == (MAX_STATE + 1, MAX_STATE)
    assert await store_of(engine, bytes).load() == b"old"
    assert not await store.save(b"old")


async def test_unchanged_bytes_are_not_written(engine: Engine) -> None:
    store = store_of(engine)
    assert await store.save(Notes("a"))
    assert not await store.save(Notes("a"))
    assert await store.save(Notes("b"))
    later = store_of(engine)
    state = await later.load()
    assert not await later.save(state)
    assert len(engine.puts) == 2


async def test_an_actor_without_state_has_nothing_stored(engine: Engine) -> None:
    store = store_of(engine, None)
    assert await store.load() is None
    assert await store.save(None) is False
    assert engine.sent == []


async def test_a_shorter_state_leaves_nothing_of_a_longer_one(engine: Engine) -> None:
    store = store_of(engine, bytes)
    await store.save(bytes(500_000))
    await store.save(b"short")
    assert sum(map(len, engine.entries.values())) < 20
    await store.save(b"other")
    assert len(engine.puts[-1].keys) == 1
    assert await store_of(engine, bytes).load() == b"other"


async def test_what_a_longer_state_left_is_not_read_again(engine: Engine) -> None:
    await store_of(engine, bytes).save(bytes(500_000))
    await store_of(engine, bytes).save(b"first save of a generation that loaded nothing")
    assert await store_of(engine, bytes).load() == b"first save of a generation that loaded nothing"


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_save_that_failed_is_made_again(engine: Engine, fails: str) -> None:
    store = store_of(engine)
    await store.save(Notes("old"))
    engine.fails = fails
    with pytest.raises(KvError):
        await store.save(Notes("new"))
    assert await store_of(engine).load() == Notes("old" if fails == "before" else "new")
    engine.fails = None
    # Nothing tells which of the two is stored, so even the old one is written.
    assert await store.save(Notes("old"))
    assert await store_of(engine).load() == Notes("old")


async def test_saves_are_carried_out_one_after_the_other_with_the_newest_state(engine: Engine) -> None:
    store, state = store_of(engine), Notes("a")
    engine.gate = asyncio.Event()
    first = asyncio.create_task(store.save(state))
    await asyncio.sleep(0)
    state.text = "b"
    rest = [asyncio.create_task(store.save(state)) for _ in range(3)]
    await asyncio.sleep(0)
    state.text = "c"
    engine.gate.set()
    assert [await first, *[await save for save in rest]] == [True, True, False, False]
    assert await store_of(engine).load() == Notes("c")


async def test_a_cancelled_save_does_not_block_the_next(engine: Engine) -> None:
    store = store_of(engine)
    engine.gate = asyncio.Event()
    first = asyncio.create_task(store.save(Notes("a")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    engine.gate.set()
    assert await store.save(Notes("a"))


async def test_a_state_that_does_not_fit_is_an_error_and_stays_stored(engine: Engine) -> None:
    await store_of(engine, dict).save({"text": 5})
    before = dict(engine.entries)
    with pytest.raises(ConversionError, match="text: Expected `str`, got `int`"):
        await store_of(engine).load()
    assert engine.entries == before
    stored = await store_of(engine).load_bytes()
    assert stored is not None
    assert StateType.of(Notes).decode_plain(stored) == {"text": 5}


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, b"", "damaged, or a newer version"),
        (0, b"\x09\x01x", "damaged, or a newer version"),
        (0, b"\x01\xffx", "of its 255 values are there"),
        (0, b"\x01\x01\xc1", "damaged"),
        (0, b"\x01\x01", "damaged"),
        (1, None, "3 of its 4 values are there"),
        (3, None, "3 of its 4 values are there"),
    ],
)
async def test_damaged_values_are_an_error(engine: Engine, index: int, value: bytes | None, message: str) -> None:
    await store_of(engine, bytes).save(bytes(500_000))
    key = sorted(engine.entries)[index]
    if value is None:
        del engine.entries[key]
    else:
        engine.entries[key] = value
    with pytest.raises(ConversionError, match=message):
        await store_of(engine, bytes).load()


async def test_nothing_is_deleted(engine: Engine) -> None:
    store = store_of(engine, bytes)
    for size in (500_000, 10, 300_000, 0):
        await store.save(bytes(size))
    assert not any(isinstance(request, KvDeleteRequest) for request in engine.sent)
    assert not any(isinstance(request, KvGetRequest) for request in engine.sent)


Step = tuple[int, str | None, bool]
SIZES = [0, 10, 131_069, 131_070, 200_000, 400_000]
steps = st.lists(st.tuples(st.sampled_from(SIZES), st.sampled_from([None, "before", "after"]), st.booleans()))


@given(steps)
def test_whatever_fails_the_stored_state_is_that_of_one_save(steps: list[Step]) -> None:
    async def run() -> None:
        engine = Engine()
        store = store_of(engine, bytes)
        stored: bytes | None = None
        for number, (size, fails, restart) in enumerate(steps):
            if restart:
                store = store_of(engine, bytes)
                assert await store.load() == stored
            state = bytes([number % 256]) * size
            engine.fails = fails
            with contextlib.suppress(KvError):
                await store.save(state)
            if fails != "before" or state == stored:
                stored = state
        engine.fails = None
        assert await store_of(engine, bytes).load() == stored

    asyncio.run(run())
