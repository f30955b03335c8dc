"""The calls of the management API, in the shapes of its JSON, without HTTP."""

from __future__ import annotations

import base64
from typing import Any, Final

from rivet_runner.testing._simulated.actor_spec import ActorSpec, CrashPolicy
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.namespaces import DEFAULT, Namespace, check_new_namespace
from rivet_runner.testing._simulated.runner_state import SimulatedRunner

__all__ = ["ManagementApi"]

DATACENTER: Final = "default"
MAX_IDS: Final = 32
LIST_LIMIT: Final = 100
KEY_PREVIEW: Final = 64


class ManagementApi:
    """The management API for one namespace of an engine.

    Each call raises `EngineError` for an error that the real API answers with.
    """

    def __init__(self, cluster: Cluster, namespace: str = DEFAULT) -> None:
        self._cluster = cluster
        self._namespace = cluster.namespaces[namespace]
        self.admin_token = cluster.settings.admin_token

    # Namespaces

    def of(self, namespace: str) -> ManagementApi:
        """The API for another namespace of this engine."""
        if namespace not in self._cluster.namespaces:
            raise EngineError("namespace.not_found")
        return self if namespace == self._namespace.name else ManagementApi(self._cluster, namespace)

    def create_namespace(self, name: str, display_name: str) -> dict[str, Any]:
        """POST /namespaces."""
        check_new_namespace(name, display_name)
        if name in self._cluster.namespaces:
            raise EngineError("namespace.name_not_unique")
        namespace = self._cluster.add_namespace(name, display_name)
        self._cluster.journal.namespace_added(namespace)
        return _describe_namespace(namespace)

    def list_namespaces(self) -> list[dict[str, Any]]:
        """GET /namespaces, newest first."""
        return [_describe_namespace(namespace) for namespace in reversed(self._cluster.namespaces.values())]

    # Actors

    def create_actor(
        self,
        name: str,
        *,
        runner_name: str,
        key: str | None = None,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
    ) -> dict[str, Any]:
        """POST /actors. It answers before the actor is allocated."""
        cluster = self._cluster
        self._check(runner_name, key, input)
        taken = self._namespace.actors_by_key
        if key is not None and (name, key) in taken:
            existing = taken[name, key].id
            raise EngineError("actor.duplicate_key", metadata={"key": key, "existing_actor_id": existing})
        now, namespace = cluster.timers.now(), self._namespace.name
        spec = ActorSpec(cluster.ids.new(), name, key, input, runner_name, crash_policy, now, namespace)
        actor = cluster.new_actor(spec)
        answer = self.describe(actor)
        answer.pop("error", None)
        cluster.timers.call_later(0, _begin, actor)
        return answer

    def get_or_create_actor(
        self,
        name: str,
        *,
        runner_name: str,
        key: str,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
    ) -> tuple[dict[str, Any], bool]:
        """PUT /actors: the actor, and whether it was created."""
        existing = self._namespace.actors_by_key.get((name, key))
        if existing is not None:
            return self.describe(existing), False
        created = self.create_actor(name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy)
        return created, True

    def _check(self, runner_name: str, key: str | None, input: bytes | None) -> None:
        settings = self._cluster.settings
        if runner_name not in self._namespace.runner_names:
            wanted = {"namespace": self._namespace.name, "pool_name": runner_name}
            message = f"No runner config with name {runner_name!r} is configured in any datacenter."
            raise EngineError("actor.no_runner_config_configured", message, wanted)
        if key == "":
            raise EngineError("actor.empty_key")
        if key is not None and len(key.encode()) > settings.max_key_size:
            preview = {"max_size": settings.max_key_size, "key_preview": key[:KEY_PREVIEW]}
            raise EngineError("actor.key_too_large", metadata=preview)
        if input is not None and (len(input) + 2) // 3 * 4 > settings.max_input_size:
            raise EngineError("actor.input_too_large", metadata={"max_size": settings.max_input_size})

    def get_actors(self, actor_ids: list[str]) -> list[dict[str, Any]]:
        """GET /actors with ids. The list has destroyed actors, and leaves out unknown ones."""
        if len(actor_ids) > MAX_IDS:
            raise EngineError("validation.too_many_actor_ids")
        actors = map(self._cluster.find_actor, actor_ids)
        return [self.describe(actor) for actor in actors if actor is not None and self._has(actor)]

    def list_actors(
        self, name: str, *, key: str | None = None, include_destroyed: bool = False, limit: int = LIST_LIMIT
    ) -> list[dict[str, Any]]:
        """GET /actors with a name, newest first."""
        found = [
            actor
            for actor in reversed(self._cluster.actors.values())
            if self._has(actor)
            and actor.spec.name == name
            and (key is None or actor.spec.key == key)
            and (include_destroyed or actor.destroy_ts is None)
        ]
        return [self.describe(actor) for actor in found[:limit]]

    def find_by_key(self, name: str, key: str) -> str:
        """The id of the actor with this name and key."""
        actor = self._namespace.actors_by_key.get((name, key))
        if actor is None:
            raise EngineError("actor.not_found")
        return actor.id

    def _has(self, item: SimulatedActor | SimulatedRunner) -> bool:
        """Whether an actor or a runner is in this namespace."""
        namespace = item.spec.namespace if isinstance(item, SimulatedActor) else item.namespace
        return namespace == self._namespace.name

    def find_actor(self, actor_id: str) -> SimulatedActor:
        """The actor with this id, if it is in this namespace."""
        actor = self._cluster.find_actor(actor_id)
        if actor is None or not self._has(actor):
            raise EngineError("actor.not_found")
        return actor

    def destroy_actor(self, actor_id: str) -> None:
        """DELETE /actors/{id}. A destroyed actor stays as it is."""
        self.find_actor(actor_id).destroy()

    def kv_entry(self, actor_id: str, key: bytes) -> dict[str, Any]:
        """GET /actors/{id}/kv/keys/{base64}."""
        store = self._cluster.kv_stores.get(self.find_actor(actor_id).id)
        entry = None if store is None else store.entry(key)
        if entry is None:
            raise EngineError("actor.kv_key_not_found")
        return {"value": base64.b64encode(entry[0]).decode(), "update_ts": entry[1]}

    def actor_names(self) -> dict[str, Any]:
        """GET /actors/names."""
        return {name: {"metadata": metadata} for name, metadata in sorted(self._namespace.actor_names.items())}

    def describe(self, actor: SimulatedActor) -> dict[str, Any]:
        """An actor as the API shows it. The field ``error`` is left out if there is no error."""
        spec = actor.spec
        described = {
            "actor_id": spec.actor_id,
            "name": spec.name,
            "key": spec.key,
            "namespace_id": self._cluster.namespaces[spec.namespace].namespace_id,
            "datacenter": DATACENTER,
            "runner_name_selector": spec.runner_name,
            "crash_policy": spec.crash_policy,
            "create_ts": spec.create_ts,
            "start_ts": actor.start_ts,
            "pending_allocation_ts": actor.pending_allocation_ts,
            "connectable_ts": actor.connectable_ts,
            "sleep_ts": actor.sleep_ts,
            "reschedule_ts": actor.backoff.reschedule_ts,
            "destroy_ts": actor.destroy_ts,
        }
        if actor.error is not None:
            described["error"] = actor.error
        return described

    # Runners

    def upsert_runner_config(self, runner_name: str) -> None:
        """PUT /runner-configs/{name}, for runners that connect by themselves."""
        self._namespace.runner_names[runner_name] = None

    def runner_names(self) -> list[str]:
        """GET /runner-configs: the names."""
        return list(self._namespace.runner_names)

    def delete_runner_config(self, runner_name: str) -> None:
        """DELETE /runner-configs/{name}. One that is not there stays away."""
        self._namespace.runner_names.pop(runner_name, None)

    def list_runners(self, name: str | None = None, *, include_stopped: bool = False) -> list[dict[str, Any]]:
        """GET /runners. The list has draining runners too."""
        return [
            self._describe_runner(runner)
            for runner in self._cluster.runners.values()
            if self._has(runner) and (name is None or runner.name == name) and (include_stopped or runner.stop_ts is None)
        ]

    def _describe_runner(self, runner: SimulatedRunner) -> dict[str, Any]:
        return {
            "runner_id": runner.runner_id,
            "namespace_id": self._namespace.namespace_id,
            "datacenter": DATACENTER,
            "name": runner.name,
            "key": runner.key,
            "version": runner.version,
            "total_slots": runner.total_slots,
            "remaining_slots": runner.remaining_slots,
            "create_ts": runner.create_ts,
            "drain_ts": runner.drain_ts,
            "stop_ts": runner.stop_ts,
            "last_ping_ts": runner.last_ping_ts,
            "last_connected_ts": runner.last_connected_ts,
            "last_rtt": runner.last_rtt,
            "metadata": runner.metadata,
        }


def _describe_namespace(namespace: Namespace) -> dict[str, Any]:
    return {
        "namespace_id": namespace.namespace_id,
        "name": namespace.name,
        "display_name": namespace.display_name,
        "create_ts": namespace.create_ts,
    }


def _begin(actor: SimulatedActor) -> None:
    if actor.destroy_ts is None:
        actor.begin()
