"""The life of a typed actor: the order of its hooks, and what becomes of hooks that fail."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import cbor2
import msgspec
import pytest

from rivet_runner import StopReason
from rivet_runner.actors import Connection, DurableActor, UserError, action
from rivet_runner.testing import SimulatedActorHandle
from tests.actors.hosting.scene import connected, failure, hosted, value


class State(msgspec.Struct):
    notes: list[str] = []


class Noted(DurableActor[State]):
    """Notes what happens in a list that outlives its generations."""

    happened: ClassVar[list[str]] = []
    broken: ClassVar[set[str]] = set()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.happened, cls.broken = [], set()

    def note(self, what: str) -> None:
        self.happened.append(what)
        if what in self.broken:
            raise RuntimeError(f"{what} is broken")

    async def on_create(self, input: Any) -> None:
        self.note("on_create")

    async def on_start(self) -> None:
        self.note("on_start")

    async def on_sleep(self) -> None:
        assert self.stop_reason in (StopReason.SLEEP, StopReason.SHUTDOWN)
        self.note("on_sleep")

    async def on_destroy(self) -> None:
        assert self.stop_reason is StopReason.DESTROY
        self.note("on_destroy")

    async def on_connect(self, connection: Connection) -> None:
        self.note("on_connect")

    async def on_disconnect(self, connection: Connection) -> None:
        self.note("on_disconnect")

    async def run(self) -> None:
        self.note("run")
        try:
            await asyncio.Event().wait()
        finally:
            self.happened.append("run ends")

    async def on_error(self, error: Exception, where: str) -> None:
        self.happened.append(f"error in {where}: {error}")

    @action
    async def ping(self) -> str:
        return "pong"

    @action
    async def end(self) -> None:
        self.destroy()


class Ordered(Noted):
    pass


@pytest.fixture(autouse=True)
def forget() -> None:
    Ordered.happened.clear()
    Ordered.broken.clear()


async def asleep(actor: SimulatedActorHandle) -> None:
    await value(actor, "ping")
    await actor.sleep()


async def test_hooks_run_in_order() -> None:
    async with hosted(Ordered) as engine:
        actor = await engine.create("ordered")
        await asleep(actor)
        assert Ordered.happened == ["on_create", "on_start", "run", "run ends", "on_sleep"]
        Ordered.happened.clear()
        await value(actor, "ping")
        assert Ordered.happened == ["on_start", "run"], "it was created before"


async def test_a_destroyed_actor_ends_with_on_destroy() -> None:
    async with hosted(Ordered) as engine:
        actor = await engine.create("ordered")
        async with connected(actor) as client:
            await client.begin("end")
            await client.ws.wait_closed()
        await asyncio.sleep(1)
        assert Ordered.happened[-3:] == ["run ends", "on_disconnect", "on_destroy"]
        assert actor.status == "destroyed"


async def test_on_create_runs_until_a_start_succeeds() -> None:
    async with hosted(Ordered) as engine:
        Ordered.broken.add("on_start")
        actor = await engine.create("ordered")
        await asyncio.sleep(1)
        assert actor.status == "crashed"
        assert "on_start is broken" in str(actor.error)
        Ordered.broken.clear()
        assert await value(actor, "ping") == "pong"
        assert Ordered.happened == ["on_create", "on_start", "on_create", "on_start", "run"]
        await actor.sleep()
        await actor.wake()
        assert Ordered.happened.count("on_create") == 2


@pytest.mark.parametrize("hook", ["on_sleep", "on_disconnect", "run"])
async def test_a_hook_that_raises_is_told_of_and_stops_nothing(hook: str) -> None:
    async with hosted(Ordered) as engine:
        Ordered.broken.add(hook)
        actor = await engine.create("ordered")
        async with connected(actor) as client:
            await client.call("ping")
        await asyncio.sleep(0.1)
        await actor.sleep()
        assert f"error in {hook}: {hook} is broken" in Ordered.happened
        assert await value(actor, "ping") == "pong"


async def test_an_on_error_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Doubly(DurableActor[None]):
        @action
        async def fail(self) -> None:
            raise ValueError("the first")

        async def on_error(self, error: Exception, where: str) -> None:
            assert where == "action fail"
            raise ValueError("the second")

    async with hosted(Doubly) as engine:
        actor = await engine.create("doubly")
        assert await failure(actor, "fail") == (500, "core.internal_error")
        await asyncio.sleep(0.1)
        assert "the first" in caplog.text
        assert "the second" in caplog.text


async def test_errors_that_nothing_waits_for_do_not_pile_up() -> None:
    class Stuck(DurableActor[None]):
        reports = 0

        @action
        async def fail(self) -> None:
            raise ValueError

        async def on_error(self, error: Exception, where: str) -> None:
            Stuck.reports += 1
            await asyncio.Event().wait()

    async with hosted(Stuck) as engine:
        actor = await engine.create("stuck")
        for _ in range(70):
            await failure(actor, "fail")
        assert Stuck.reports == 64
        await actor.sleep()
        assert await failure(actor, "fail") == (500, "core.internal_error")
        assert Stuck.reports == 65


# Its input


class Settings(msgspec.Struct):
    size: int


class Sized(DurableActor[State]):
    def initial_state(self, input: Settings) -> State:
        return State([f"size {input.size}"])

    @action
    async def notes(self) -> list[str]:
        assert isinstance(self.input, Settings)
        return self.state.notes


async def test_the_input_is_converted_and_makes_the_state() -> None:
    async with hosted(Sized) as engine:
        actor = await engine.create("sized", input=cbor2.dumps({"size": 7}))
        assert await value(actor, "notes") == ["size 7"]
        await actor.sleep()
        assert await value(actor, "notes") == ["size 7"]


@pytest.mark.parametrize(
    ("input", "error"),
    [
        (b"\xff", "not CBOR"),
        (cbor2.dumps({"size": "large"}), "input.size: Expected `int`, got `str`"),
        (None, "input: Expected `object`, got `null`"),
    ],
)
async def test_an_input_that_does_not_fit_crashes_the_start(input: bytes | None, error: str) -> None:
    async with hosted(Sized) as engine:
        actor = await engine.create("sized", input=input)
        await asyncio.sleep(1)
        assert actor.status == "crashed"
        assert error in str(actor.error)


async def test_the_state_is_not_there_in_init() -> None:
    class Early(DurableActor[State]):
        def __init__(self) -> None:
            self.state.notes.append("too early")

    async with hosted(Early) as engine:
        actor = await engine.create("early")
        await asyncio.sleep(1)
        assert "the state is there from on_create on" in str(actor.error)


# How long it is awake


async def test_an_idle_actor_sleeps_after_the_time_of_its_class() -> None:
    class Brief(DurableActor[None]):
        sleep_after = 5.0

        @action
        async def ping(self) -> None: ...

        @action
        async def work(self, seconds: float) -> None:
            self.spawn(asyncio.sleep(seconds))

        @action
        async def hold(self, seconds: float) -> None:
            async with self.keep_awake():
                await asyncio.sleep(seconds)

    async with hosted(Brief) as engine:
        actor = await engine.create("brief")
        async with connected(actor) as client:
            await client.call("ping")
            await asyncio.sleep(4)
            assert actor.status == "running"
            await asyncio.sleep(7)
            assert actor.status == "sleeping"
        for name in ("work", "hold"):
            await value(actor, name, 10)
            if name == "work":
                await asyncio.sleep(12)
            assert actor.status == "running"
            await asyncio.sleep(6)
            assert actor.status == "sleeping"


@pytest.mark.parametrize("keeps", [True, False])
async def test_run_keeps_the_actor_awake_if_its_class_says_so(keeps: bool) -> None:
    class Running(DurableActor[None]):
        sleep_after = 5.0
        run_keeps_awake = keeps

        async def run(self) -> None:
            await asyncio.Event().wait()

    async with hosted(Running) as engine:
        actor = await engine.create("running")
        await actor.wake()
        await asyncio.sleep(60)
        assert actor.status == ("running" if keeps else "sleeping")


async def test_none_means_never_to_sleep() -> None:
    class Wakeful(DurableActor[None]):
        sleep_after = None

    async with hosted(Wakeful) as engine:
        actor = await engine.create("wakeful")
        await asyncio.sleep(3600)
        assert actor.status == "running"


# Stops


class Busy(DurableActor[State]):
    ended: ClassVar[list[str]] = []

    @action(timeout=1000)
    async def work(self, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.state.notes.append("cancelled")
            raise
        self.state.notes.append("done")
        return "done"

    @action
    async def notes(self) -> list[str]:
        return self.state.notes

    async def on_sleep(self) -> None:
        self.state.notes.append("on_sleep")


@pytest.mark.parametrize(("seconds", "noted"), [(1, ["done", "on_sleep"]), (100, ["cancelled", "on_sleep"])])
async def test_a_stop_waits_for_actions_for_a_while_and_keeps_what_they_changed(seconds: float, noted: list[str]) -> None:
    async with hosted(Busy) as engine:
        actor = await engine.create("busy")
        await value(actor, "notes")
        call = asyncio.create_task(failure(actor, "work", seconds) if seconds == 100 else value(actor, "work", seconds))
        await asyncio.sleep(0.1)
        await actor.sleep()
        assert await value(actor, "notes") == noted
        call.cancel()


async def test_a_stop_in_a_hurry_still_stores_the_state() -> None:
    async with hosted(Busy) as engine:
        actor = await engine.create("busy")
        await value(actor, "notes")
        async with connected(actor) as client:
            await client.begin("work", 100)
            await asyncio.sleep(0.1)
            (runner,) = engine._hosted
            await runner.shutdown(immediate=True)
        assert [*(await stored(engine, actor))] == ["cancelled", "on_sleep"]


async def stored(engine: Any, actor: SimulatedActorHandle) -> list[str]:
    """The notes in the store of an actor that does not run."""
    entries = engine._running.cluster.kv_stores.get(actor.id).as_dict()
    (state,) = [value for key, value in entries.items() if key.endswith(b"lib/state/\x00")]
    return list(msgspec.msgpack.decode(state[2:], type=State).notes)


async def test_a_user_error_in_a_start_is_a_crash_too() -> None:
    class Refusing(DurableActor[None]):
        async def on_start(self) -> None:
            raise UserError("not today")

    async with hosted(Refusing) as engine:
        actor = await engine.create("refusing")
        await asyncio.sleep(1)
        assert "not today" in str(actor.error)
