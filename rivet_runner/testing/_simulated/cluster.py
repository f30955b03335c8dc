"""The engine put together: actors, runners, their connections and the gateway, each informed of the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

import msgspec

from rivet_runner.protocol.messages import KvRequestData
from rivet_runner.protocol.v3 import (
    CommandStartActor,
    CommandStopActor,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    HibernatingRequest,
    KvErrorResponse,
    KvResponseData,
    ToServerTunnelMessage,
)
from rivet_runner.testing._simulated.actor_spec import ActorSignal, ActorSpec
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.allocation import AllocationIndex
from rivet_runner.testing._simulated.errors import close_reason
from rivet_runner.testing._simulated.gateway import Gateway
from rivet_runner.testing._simulated.guard import Guard
from rivet_runner.testing._simulated.hibernation import HibernationIndex
from rivet_runner.testing._simulated.ids import Ids, is_id
from rivet_runner.testing._simulated.in_flight import InFlightRequest
from rivet_runner.testing._simulated.kv_store import KvStore
from rivet_runner.testing._simulated.namespaces import DEFAULT, Namespace
from rivet_runner.testing._simulated.runner_socket import RunnerSocket, missing_parameter
from rivet_runner.testing._simulated.runner_state import SimulatedRunner
from rivet_runner.testing._simulated.runner_wire import WIRES, RunnerWire
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timers
from rivet_runner.testing._simulated.trace import Trace

__all__ = ["Cluster", "Journal"]

log = logging.getLogger("rivet_runner.testing")

TOKEN_PREFIX: Final = "rivet_token."


class Journal(Protocol):
    """A store of everything that a restart must keep. Its methods are called before a change is visible outside."""

    def actor_changed(self, actor: SimulatedActor) -> None: ...

    def runner_changed(self, runner: SimulatedRunner) -> None: ...

    def kv_changed(self, actor_id: str, store: KvStore, keys: list[bytes] | None) -> None: ...

    def namespace_added(self, namespace: Namespace) -> None: ...


class _NoJournal:
    def actor_changed(self, actor: SimulatedActor) -> None: ...

    def runner_changed(self, runner: SimulatedRunner) -> None: ...

    def kv_changed(self, actor_id: str, store: KvStore, keys: list[bytes] | None) -> None: ...

    def namespace_added(self, namespace: Namespace) -> None: ...


class Cluster:
    """One engine's state, through which actors, runners, connections and the gateway reach each other."""

    def __init__(self, *, timers: Timers, random: Random, settings: EngineSettings, journal: Journal | None = None) -> None:
        self.timers = timers
        self.random = random
        self.settings = settings
        self.journal: Journal = journal or _NoJournal()
        self.ids: Ids = Ids(random)
        self.trace: Trace = Trace(timers.now)
        self.actors: dict[str, SimulatedActor] = {}
        self.kv_stores: dict[str, KvStore] = {}
        self.runners: dict[str, SimulatedRunner] = {}
        self.namespaces: dict[str, Namespace] = {}
        self._sockets: dict[str, RunnerSocket] = {}
        self._subscribers: dict[str, dict[int, Callable[[ActorSignal], None]]] = {}
        self._subscriptions = 0
        self.hibernation: HibernationIndex = HibernationIndex()
        self.gateway: Gateway
        self.guard: Guard
        self.start_gateway()
        self.add_namespace(DEFAULT, "Default")

    def add_namespace(
        self, name: str, display_name: str, *, namespace_id: str | None = None, create_ts: int | None = None
    ) -> Namespace:
        """Make a namespace. It gets an id and the time of this moment if they are not given."""
        namespace = self.namespaces[name] = Namespace(
            namespace_id or self.ids.new(),
            name,
            display_name,
            self.timers.now() if create_ts is None else create_ts,
            lambda: AllocationIndex(self.timers.now, self.random, self.settings),
        )
        return namespace

    def start_gateway(self) -> None:
        """Make the gateway of an engine that starts, with a new id."""
        self.gateway = Gateway(
            ids=self.ids,
            cluster=self,
            index=self.hibernation,
            timers=self.timers,
            random=self.random,
            settings=self.settings,
        )
        self.guard = Guard(self.gateway, self.ids)

    # Actors

    def new_actor(self, spec: ActorSpec, *, has_key: bool = True) -> SimulatedActor:
        """Make an actor known, without allocating it yet: see `SimulatedActor.begin`. A destroyed actor has lost its key."""
        actor = SimulatedActor(spec, cluster=self, timers=self.timers, random=self.random, settings=self.settings)
        self.actors[spec.actor_id] = actor
        namespace = self.namespaces[spec.namespace]
        if spec.key is not None and has_key:
            namespace.actors_by_key[spec.name, spec.key] = actor
        namespace.actor_names.setdefault(spec.name, {})
        self.actor_decided(actor.id, "created", spec.name, spec.key)
        return actor

    def find_actor(self, actor_id: str) -> SimulatedActor | None:
        return self.actors.get(actor_id)

    def _allocation(self, spec: ActorSpec) -> AllocationIndex:
        return self.namespaces[spec.namespace].allocation(spec.runner_name)

    def take_slot(self, spec: ActorSpec, allocated: Callable[[str], None] | None) -> str | None:
        return self._allocation(spec).take_slot(spec.actor_id, allocated=allocated)

    def release_slot(self, spec: ActorSpec, runner_id: str, *, to_queue: bool) -> None:
        runner = self.runners.get(runner_id)
        if runner is not None:
            runner.release_slot(spec.actor_id)
        if to_queue:
            self._allocation(spec).allocate_pending()

    def leave_queue(self, spec: ActorSpec) -> None:
        self._allocation(spec).leave_queue(spec.actor_id)

    def send_command(self, runner_id: str, actor_id: str, command: CommandStartActor | CommandStopActor) -> None:
        self.runners[runner_id].command(actor_id, command)

    def signal(self, spec: ActorSpec, signal: ActorSignal) -> None:
        if signal is ActorSignal.DESTROYED:
            self._forget_destroyed(spec)
        for callback in list(self._subscribers.get(spec.actor_id, {}).values()):
            callback(signal)

    def _forget_destroyed(self, spec: ActorSpec) -> None:
        self.namespaces[spec.namespace].free_actor_key(spec.actor_id, spec.name, spec.key)
        store = self.kv_stores.pop(spec.actor_id, None)
        if store is not None:
            store.clear()
        self.hibernation.forget(spec.actor_id)

    def subscribe(self, actor_id: str, callback: Callable[[ActorSignal], None]) -> Callable[[], None]:
        self._subscriptions += 1
        number = self._subscriptions
        self._subscribers.setdefault(actor_id, {})[number] = callback

        def unsubscribe() -> None:
            subscribers = self._subscribers.get(actor_id)
            if subscribers is not None:
                subscribers.pop(number, None)
                if not subscribers:
                    del self._subscribers[actor_id]

        return unsubscribe

    def actor_decided(self, actor_id: str, what: str, *details: Any) -> None:
        self.trace.add("actor", actor_id, what, *details)
        self.journal.actor_changed(self.actors[actor_id])

    def decided(self, runner: SimulatedRunner, what: str, *details: Any) -> None:
        self.trace.add("runner", runner.runner_id, what, *details)
        self.journal.runner_changed(runner)

    # Runners

    def refusal(self, query: dict[str, str], subprotocols: list[str]) -> str | None:
        token = self.settings.admin_token
        if token is not None:
            given = [name.removeprefix(TOKEN_PREFIX) for name in subprotocols if name.startswith(TOKEN_PREFIX)]
            if not given:
                return "guard.missing_header"
            if given[0] != token:
                return "api.forbidden"
        if missing_parameter(query):
            return "ws.invalid_url"
        if query["namespace"] not in self.namespaces:
            return "namespace.not_found"
        return None if int(query["protocol_version"]) in WIRES else "ws.invalid_packet"

    def runner_connected(self, socket: RunnerSocket, key: str, init: Any) -> SimulatedRunner:
        namespace = self.namespaces[socket.namespace]
        runner = namespace.runners_by_key.get((init.name, key))
        if runner is None:
            runner = self._new_runner(namespace, key, init, socket.wire)
        former = self._sockets.get(runner.runner_id)
        self._sockets[runner.runner_id] = socket
        if former is not None:
            former.close("ws.eviction")
        for name, metadata in (init.prepopulate_actor_names or {}).items():
            namespace.actor_names[name] = _json_object(metadata.metadata)
        runner.connected_again()
        self.decided(runner, "connected", init.name, key)
        return runner

    def _new_runner(self, namespace: Namespace, key: str, init: Any, wire: RunnerWire) -> SimulatedRunner:
        if wire.drains_older:
            self._drain_older(namespace.name, init.name, init.version)
        runner = SimulatedRunner(
            self.ids.new(),
            key,
            init,
            wire.indexes(self.settings),
            namespace=namespace.name,
            cluster=self,
            timers=self.timers,
            settings=self.settings,
        )
        self.runners[runner.runner_id] = runner
        namespace.runners_by_key[init.name, key] = runner
        return runner

    def _drain_older(self, namespace: str, name: str, version: int) -> None:
        """The first init of a newer version drains the older runners that speak protocol 7."""
        for runner in list(self.runners.values()):
            is_older = runner.version < version and runner.indexes.survives_crashes
            if (runner.namespace, runner.name) == (namespace, name) and is_older:
                runner.stopping()

    def runner_disconnected(self, socket: RunnerSocket) -> None:
        runner = socket.runner
        assert runner is not None
        if self._sockets.get(runner.runner_id) is not socket:
            return  # evicted: its successor is there already
        del self._sockets[runner.runner_id]
        self.decided(runner, "disconnected")
        runner.disconnected()
        self.gateway.runner_disconnected(runner.runner_id)

    def is_connected(self, runner_id: str) -> bool:
        return runner_id in self._sockets

    @property
    def sockets(self) -> list[RunnerSocket]:
        """The connections of runners that the engine has accepted."""
        return list(self._sockets.values())

    def send_to_runner(self, runner_id: str, message: Any) -> None:
        socket = self._sockets.get(runner_id)
        if socket is None:
            self.trace.add("runner", runner_id, "is not connected, so it misses a", type(message).__name__)
        else:
            socket.send(message)

    def list_runner(self, runner: SimulatedRunner) -> None:
        index = self.namespaces[runner.namespace].allocation(runner.name)
        index.add(runner)
        index.allocate_pending()

    def unlist_runner(self, runner: SimulatedRunner) -> None:
        self.namespaces[runner.namespace].allocation(runner.name).remove(runner.runner_id)

    def runner_draining(self, runner: SimulatedRunner) -> None:
        self.namespaces[runner.namespace].free_runner_key(runner)
        for actor_id in list(runner.slots):
            actor = self.actors[actor_id]
            actor.going_away(runner.runner_id, actor.generation)

    def runner_ended(self, runner: SimulatedRunner, error: Any) -> None:
        self.namespaces[runner.namespace].free_runner_key(runner)
        for actor_id in list(runner.slots):
            actor = self.actors[actor_id]
            actor.lost(runner.runner_id, actor.generation, error=error)
        socket = self._sockets.get(runner.runner_id)
        if socket is not None:
            socket.close("ws.eviction")

    def actor_lost(self, runner_id: str, actor_id: str, generation: int, *, force_reschedule: bool) -> None:
        self.actors[actor_id].lost(runner_id, generation, force_reschedule=force_reschedule)

    def event(self, runner_id: str, event: Event) -> None:
        actor = self.actors.get(event.actor_id)
        if actor is None:
            return
        match event:
            case EventActorStateUpdate(generation=generation, state=state):
                actor.state_update(runner_id, generation, state)
            case EventActorIntent(generation=generation, intent=intent):
                actor.intent(runner_id, generation, intent)
            case EventActorSetAlarm(generation=generation, alarm_ts=alarm_ts):
                actor.set_alarm(runner_id, generation, alarm_ts)

    def hibernating(self, actor_id: str) -> list[HibernatingRequest]:
        threshold = self.settings.hibernating_request_eligible_threshold
        keys = self.hibernation.listed(actor_id, self.timers.now(), threshold)
        return [HibernatingRequest(key[:4], key[4:]) for key in keys]

    def kv(self, runner_id: str, actor_id: str, request: KvRequestData) -> KvResponseData:
        actor = self.actors.get(actor_id)
        if actor is None or actor.runner_id is None:
            return KvErrorResponse("actor does not exist" if is_id(actor_id) else "invalid id")
        if actor.runner_id != runner_id:
            return KvErrorResponse("actor does not belong to runner")
        return self.kv_store(actor_id).answer(request)

    def kv_store(self, actor_id: str) -> KvStore:
        """The store of an actor, made when it is first asked for."""
        store = self.kv_stores.get(actor_id)
        if store is None:
            new = KvStore(
                self.timers.now,
                strict=self.settings.strict_kv,
                changed=lambda keys: self.journal.kv_changed(actor_id, new, keys),
            )
            store = self.kv_stores[actor_id] = new
        return store

    def tunnel_received(self, message: ToServerTunnelMessage) -> None:
        self.gateway.receive(message)

    def close_reason(self, name: str) -> str:
        return close_reason(name, self.ids.new())

    def traced(self, runner_id: str, direction: str, frame: bytes, version: int) -> None:
        self.trace.add_frame(runner_id, direction, frame, version)

    def decided_on_request(self, record: InFlightRequest, what: str, *details: Any) -> None:
        self.trace.add("gateway", record.actor_id, what, record.key.hex(), *details)


def _json_object(text: str) -> Any:
    """Metadata that is no JSON object becomes an empty one."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
