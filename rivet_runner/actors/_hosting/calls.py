"""The calls of an actor's actions: from plain arguments to plain output, within a time limit."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from types import CoroutineType
from typing import Any, Final, TypeVar

import msgspec

from rivet_runner._tasks import TaskGroup, is_being_cancelled
from rivet_runner.actor import Actor
from rivet_runner.actors._declaring.declaration import ActionSpec
from rivet_runner.actors._hosting.connections import HostedConnection
from rivet_runner.actors._hosting.refusals import Refusal, cut_off
from rivet_runner.actors._hosting.shared_tasks import SharedTasks, rest_of
from rivet_runner.actors._hosting.unprocessed import UnprocessedMessages
from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.plain import plain

__all__ = ["ACKNOWLEDGED_AFTER", "REPEATED_ACKNOWLEDGED_AFTER", "Call", "Calls", "caller"]

caller: Final[ContextVar[HostedConnection | None]] = ContextVar("caller", default=None)
"""Who called the action that is running."""

T = TypeVar("T")

MAX_CALLS: Final = 4096
"""Calls of one actor on its connections. Beyond it no more messages are received until one has ended."""

ACKNOWLEDGED_AFTER: Final = 20.0
"""Seconds after which a message counts as processed though its action still runs. The gateway closes a client whose oldest
message is not acknowledged for 30 s, which it looks at every 15 s."""

REPEATED_ACKNOWLEDGED_AFTER: Final = 5.0
"""The same for a message that is probably repeated. The engine takes 15 s to find that a runner has died."""


class Call(msgspec.Struct, eq=False):
    """One call. It is also the client's message that asked for it, if that came on a hibernatable connection.

    ``acknowledged_after`` is in seconds, and infinite if there is nothing to acknowledge. ``deadline`` and
    ``acknowledged_at`` are on the event loop's clock.
    """

    acknowledged_after: float = math.inf
    task: asyncio.Task[Any] | None = None
    """The one that runs it alone, once it has had to wait."""
    deadline: float = math.inf
    acknowledged_at: float = math.inf
    ended: bool = False
    messages: UnprocessedMessages | None = None
    """Those of its connection, if it is one of them."""
    timed_out: bool = False
    cut_off: bool = False
    """Whether it is cancelled because the actor stops."""

    def end(self) -> None:
        """It need not be repeated after a crash."""
        self.ended = True
        if self.messages is not None:
            self.messages.note_end()


class Calls:
    """The calls of one actor generation that are running.

    One timer watches all that have to wait, because nearly every call ends long before its time is over. ``released`` is
    called when a message counts as processed before its action has ended.
    """

    __slots__ = (
        "_actions",
        "_actor",
        "_instance",
        "_look_at",
        "_loop",
        "_released",
        "_running",
        "_shared",
        "_timer",
    )

    def __init__(self, actor: Actor, actions: Mapping[str, ActionSpec], instance: Any, released: Callable[[], None]) -> None:
        self._actor = actor
        self._actions = actions
        self._instance = instance
        self._released = released
        self._loop = asyncio.get_running_loop()
        self._running: dict[Call, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._shared: SharedTasks | None = None

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a call beside this task, for a connection on which further messages arrive meanwhile."""
        if self._shared is None:
            tasks = TaskGroup(f"actor {self._actor.id}: actions", self._actor.log)
            self._shared = SharedTasks(tasks, MAX_CALLS)
        self._shared.begin(coroutine)

    @property
    def full(self) -> bool:
        """Whether so many calls run that no more may begin."""
        return self._shared is not None and self._shared.full

    async def room(self) -> None:
        """Return once few enough calls run. Cancelling is safe."""
        if self._shared is not None:
            await self._shared.room()

    async def run(self, connection: HostedConnection, name: str, arguments: list[Any], call: Call | None = None) -> Any:
        """Run the action ``name`` and return its output as plain data.

        Raises a `Refusal`, or what the action raises. If the task is cancelled, so is the action. If a stop cancels it, that
        is a `Refusal` by HTTP, and a cancellation on a connection, whose message may come again.
        """
        spec, action = self._begun(connection, name, arguments)
        try:
            # Most actions end at their first step, and have no time limit to watch then.
            awaited = action.send(None)
        except StopIteration as ended:
            output = ended.value
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            raise _cancelled_itself(spec) from error
        else:
            output = await self._rest_of(action, awaited, spec, connection, call or Call())
        return plain(output)

    def _begun(
        self, connection: HostedConnection, name: str, arguments: list[Any]
    ) -> tuple[ActionSpec, Coroutine[Any, Any, Any]]:
        """An action with its arguments, before its first step. Raises a `Refusal`, or what a decorator of it raises."""
        spec = self._actions.get(name)
        if spec is None:
            raise Refusal("actor", "action_not_found", f"Action `{name}` was not found.")
        try:
            bound = spec.signature.bind(arguments)
        except ConversionError as error:
            raise Refusal("actor", "validation_error", f"{name}: {error}") from None
        caller.set(connection)
        action = getattr(self._instance, spec.attribute)(*bound)
        return spec, action if isinstance(action, CoroutineType) else _awaiting(action)

    async def _rest_of(
        self, action: Coroutine[Any, Any, Any], awaited: Any, spec: ActionSpec, connection: HostedConnection, call: Call
    ) -> Any:
        """Go on with an action that has come to await ``awaited``, within its time limit."""
        self._watch(call, spec.timeout)
        try:
            return await rest_of(action, awaited)
        except asyncio.CancelledError as error:
            if call.timed_out and call.task is not None and call.task.uncancel() == 0:
                text = f"Action `{spec.name}` took longer than {spec.timeout:g} s."
                raise Refusal("actor", "action_timed_out", text) from None
            if call.cut_off and connection.ws is None and call.task is not None and call.task.uncancel() == 0:
                raise cut_off("the action") from None
            if is_being_cancelled():
                raise
            raise _cancelled_itself(spec) from error
        finally:
            del self._running[call]

    async def run_hook(self, hook: Coroutine[Any, Any, T], what: str) -> T:
        """Run a hook that may change the state in this task. A stop waits for it as for an action.

        Raises what the hook raises, and a `Refusal` if a stop cancels it.
        """
        call = Call(task=asyncio.current_task())
        self._running[call] = None
        try:
            return await hook
        except asyncio.CancelledError:
            if call.cut_off and call.task is not None and call.task.uncancel() == 0:
                raise cut_off(what) from None
            raise
        finally:
            del self._running[call]

    def _watch(self, call: Call, timeout: float) -> None:
        """Cancel the action, which runs in this task, when its time is over."""
        now = self._loop.time()
        call.task = asyncio.current_task()
        call.deadline = now + timeout
        call.acknowledged_at = now + call.acknowledged_after
        first = min(call.deadline, call.acknowledged_at)
        self._running[call] = None
        if self._timer is None or first < self._look_at:
            self._look_in(first)

    def _look_in(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """Cancel the calls whose time is over, and look again when the next one's is."""
        self._timer = None
        now = self._loop.time()
        released = False
        for call in self._running:
            if call.deadline <= now:
                call.deadline, call.timed_out = math.inf, True
                assert call.task is not None
                call.task.cancel()
            if call.acknowledged_at <= now:
                call.acknowledged_at = math.inf
                call.end()
                released = True
                assert call.task is not None
                # The actor is awake for messages that are not processed, but from now on this one counts as such.
                self._actor.spawn(_end_of(call.task))
        first = min((min(call.deadline, call.acknowledged_at) for call in self._running), default=math.inf)
        if first < math.inf:
            self._look_in(first)
        if released:
            self._released()

    async def finish(self, seconds: float) -> bool:
        """Wait for the calls that are running, for at most ``seconds``. Return whether all have ended."""
        tasks = self.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return not self._running

    def cancel(self) -> None:
        """Cancel the calls that are running, because the actor stops."""
        for call in self._running:
            call.cut_off = True
            assert call.task is not None
            call.task.cancel()

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Those in which calls run."""
        return [call.task for call in self._running if call.task is not None]

    def close(self) -> None:
        """No timer goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _cancelled_itself(spec: ActionSpec) -> RuntimeError:
    """The error of an action that ends with a cancellation, although no one has cancelled its task."""
    return RuntimeError(f"the action {spec.name} has awaited something that was cancelled")


async def _awaiting(awaitable: Awaitable[T]) -> T:
    """What a decorated action returned may be awaitable without being a coroutine."""
    return await awaitable


async def _end_of(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])
