"""The management API over HTTP: routes, queries and bodies of the real engine, answered by `api.ManagementApi`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from rivet_runner.testing._simulated.actor_spec import CrashPolicy
from rivet_runner.testing._simulated.api import DATACENTER, ManagementApi
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.ids import is_id

__all__ = ["PortApi", "status_of"]

VERSION: Final = "2.3.19"
"""The engine whose behaviour is simulated."""

OPEN_PATHS: Final = frozenset({"/health", "/metadata"})
"""The calls that need no token."""

T = TypeVar("T")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Namespaced(_Strict, frozen=True):
    namespace: str


class _NewActor(_Strict, frozen=True):
    name: str
    runner_name_selector: str
    crash_policy: CrashPolicy
    key: str | None = None
    input: str | None = None
    datacenter: str | None = None


class _ActorsQuery(_Namespaced, frozen=True):
    actor_ids: str | None = None
    actor_id: list[str] | None = None
    name: str | None = None
    key: str | None = None
    include_destroyed: bool = False
    limit: int = 100
    cursor: str | None = None


class _RunnersQuery(_Namespaced, frozen=True):
    name: str | None = None
    include_stopped: bool = False
    runner_id: list[str] | None = None
    limit: int = 100
    cursor: str | None = None


class _RunnerConfig(_Strict, frozen=True):
    datacenters: dict[str, dict[str, Any]]


class _Listing(_Namespaced, frozen=True):
    limit: int = 100
    cursor: str | None = None


class _NamespacesQuery(_Strict, frozen=True):
    name: str | None = None
    limit: int = 100
    cursor: str | None = None


class _NewNamespace(_Strict, frozen=True):
    name: str
    display_name: str


NamespacedT = TypeVar("NamespacedT", bound=_Namespaced)

Query = Mapping[str, str | list[str]]


class PortApi:
    """Answers calls. ``endpoint`` is the URL of the port."""

    def __init__(self, api: ManagementApi, endpoint: str) -> None:
        self.management = api
        self._endpoint = endpoint
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            (method, re.compile(path), answer)
            for method, path, answer in (
                ("GET", "/health", self._health),
                ("GET", "/metadata", self._metadata),
                ("GET", "/datacenters", self._datacenters),
                ("GET", "/namespaces", self._namespaces),
                ("POST", "/namespaces", self._create_namespace),
                ("GET", "/runner-configs", self._runner_configs),
                ("PUT", "/runner-configs/([^/]+)", self._put_runner_config),
                ("DELETE", "/runner-configs/([^/]+)", self._delete_runner_config),
                ("GET", "/runners", self._runners),
                ("GET", "/runners/names", self._runner_names),
                ("GET", "/envoys", self._envoys),
                ("POST", "/actors", self._create_actor),
                ("PUT", "/actors", self._get_or_create_actor),
                ("GET", "/actors", self._actors),
                ("GET", "/actors/names", self._actor_names),
                ("DELETE", "/actors/([^/]+)", self._destroy_actor),
                ("GET", "/actors/([^/]+)/kv/keys/([^/]+)", self._kv_entry),
            )
        ]

    def answer(self, method: str, path: str, query: str, body: bytes, authorization: str | None = None) -> Any:
        """The JSON of the answer. Raises `EngineError`, with the status of the API: see `status_of`.

        ``authorization`` is the header of that name.
        """
        for its_method, pattern, answer in self._routes:
            match = pattern.fullmatch(path)
            if match is not None and its_method == method:
                if path not in OPEN_PATHS:
                    self._check_token(authorization)
                return answer(_query(query), body, *map(unquote, match.groups()))
        raise EngineError("api.not_found", "The requested resource does not exist.")

    def _check_token(self, authorization: str | None) -> None:
        token = self.management.admin_token
        if token is not None and authorization != f"Bearer {token}":
            raise EngineError("api.forbidden")

    # The engine

    def _health(self, query: Query, _: bytes) -> Any:
        return {"runtime": "engine", "status": "ok", "version": VERSION}

    def _metadata(self, query: Query, _: bytes) -> Any:
        return {"runtime": "engine", "version": VERSION, "envoy_protocol_version": 8}

    def _datacenters(self, query: Query, _: bytes) -> Any:
        return _page("datacenters", [{"label": 1, "name": DATACENTER, "url": self._endpoint}], None)

    def _namespaces(self, query: Query, _: bytes) -> Any:
        wanted = _checked(query, _NamespacesQuery)
        namespaces = self.management.list_namespaces()
        if wanted.name is not None:
            return _page("namespaces", [one for one in namespaces if one["name"] == wanted.name], None)
        shown = namespaces[: wanted.limit]
        return _page("namespaces", shown, shown[-1]["create_ts"] if shown else None)

    def _create_namespace(self, query: Query, body: bytes) -> Any:
        wanted = _body(body, _NewNamespace)
        return {"namespace": self.management.create_namespace(wanted.name, wanted.display_name)}

    def _of(self, query: Query, kind: type[NamespacedT]) -> tuple[NamespacedT, ManagementApi]:
        """The query, and the API for the namespace that it names."""
        wanted = _checked(query, kind)
        return wanted, self.management.of(wanted.namespace)

    # Runners

    def _runner_configs(self, query: Query, _: bytes) -> Any:
        api = self._of(query, _Listing)[1]
        normal = {
            "drain_on_version_upgrade": True,
            "actor_eviction_delay": 0,
            "actor_eviction_period": 0,
            "actor_eviction_rate": 1.0,
        }
        config = {"datacenters": {DATACENTER: {"normal": normal, "protocol_version": None}}}
        return {"runner_configs": dict.fromkeys(api.runner_names(), config), "pagination": {"cursor": None}}

    def _put_runner_config(self, query: Query, body: bytes, name: str) -> Any:
        api = self._of(query, _Namespaced)[1]
        for datacenter, config in _body(body, _RunnerConfig).datacenters.items():
            if datacenter != DATACENTER:
                raise EngineError("datacenter.not_found")
            if "normal" not in config:
                raise EngineError("api.bad_request", metadata={"reason": "the simulated engine starts no runners"})
            api.upsert_runner_config(name)
        return {"endpoint_config_changed": True}

    def _delete_runner_config(self, query: Query, _: bytes, name: str) -> Any:
        api = self._of(query, _Namespaced)[1]
        api.delete_runner_config(name)
        return {}

    def _runners(self, query: Query, _: bytes) -> Any:
        wanted, api = self._of(query, _RunnersQuery)
        runners = api.list_runners(wanted.name, include_stopped=wanted.include_stopped)
        if wanted.runner_id is not None:
            runners = [runner for runner in runners if runner["runner_id"] in wanted.runner_id]
        return _page("runners", runners[: wanted.limit], runners[-1]["create_ts"] if runners else None)

    def _runner_names(self, query: Query, _: bytes) -> Any:
        api = self._of(query, _Listing)[1]
        names = sorted({runner["name"] for runner in api.list_runners()})
        return _page("names", names, names[-1] if names else None)

    def _envoys(self, query: Query, _: bytes) -> Any:
        return _page("envoys", [], None)

    # Actors

    def _create_actor(self, query: Query, body: bytes) -> Any:
        api = self._of(query, _Namespaced)[1]
        wanted = _body(body, _NewActor)
        created = api.create_actor(
            wanted.name,
            runner_name=wanted.runner_name_selector,
            key=wanted.key,
            input=_decoded(wanted.input),
            crash_policy=wanted.crash_policy,
        )
        return {"actor": created}

    def _get_or_create_actor(self, query: Query, body: bytes) -> Any:
        api = self._of(query, _Namespaced)[1]
        wanted = _body(body, _NewActor)
        if wanted.key is None:
            raise EngineError("api.bad_request", metadata={"reason": "missing field `key`"})
        actor, created = api.get_or_create_actor(
            wanted.name,
            runner_name=wanted.runner_name_selector,
            key=wanted.key,
            input=_decoded(wanted.input),
            crash_policy=wanted.crash_policy,
        )
        return {"actor": actor, "created": created}

    def _actors(self, query: Query, _: bytes) -> Any:
        wanted, api = self._of(query, _ActorsQuery)
        ids = [*(wanted.actor_id or []), *(wanted.actor_ids.split(",") if wanted.actor_ids else [])]
        if ids:
            if not any(map(is_id, ids)):
                raise EngineError("validation.invalid_input", metadata={"message": "no valid actor id"})
            actors = api.get_actors(ids)
        elif wanted.name is None:
            raise EngineError("validation.invalid_input", metadata={"message": "a name or ids are required"})
        else:
            actors = api.list_actors(
                wanted.name, key=wanted.key, include_destroyed=wanted.include_destroyed, limit=wanted.limit
            )
        return _page("actors", actors, actors[-1]["create_ts"] if actors else None)

    def _actor_names(self, query: Query, _: bytes) -> Any:
        api = self._of(query, _Listing)[1]
        names = api.actor_names()
        return {"names": names, "pagination": {"cursor": max(names, default=None)}}

    def _destroy_actor(self, query: Query, _: bytes, actor_id: str) -> Any:
        api = self._of(query, _Namespaced)[1]
        if not is_id(actor_id):
            raise EngineError("api.bad_request", metadata={"reason": "invalid id"})
        api.destroy_actor(actor_id)
        return {}

    def _kv_entry(self, query: Query, _: bytes, actor_id: str, key: str) -> Any:
        api = self._of(query, _Namespaced)[1]
        api.find_actor(actor_id)
        try:
            raw = base64.b64decode(key, validate=True)
        except binascii.Error:
            raise EngineError("core.internal_error") from None
        return api.kv_entry(actor_id, raw)


def status_of(error: EngineError) -> int:
    """The API's statuses differ from the gateway's: an actor that is not found is a bad request."""
    return 400 if error.name == "actor.not_found" else error.status


def _query(text: str) -> dict[str, str | list[str]]:
    """The query. Of a name that may be repeated, all values; of another, the last."""
    query: dict[str, str | list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in ("actor_id", "runner_id"):
            former = query.setdefault(name, [])
            assert isinstance(former, list)
            former.append(value)
        else:
            query[name] = value
    return query


def _checked(query: Query, kind: type[T]) -> T:
    try:
        return msgspec.convert(query, kind, strict=False)
    except msgspec.ValidationError as error:
        raise EngineError("api.bad_request", metadata={"reason": str(error)}) from None


def _body(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError("api.bad_request", metadata={"reason": str(error)}) from None


def _decoded(text: str | None) -> bytes | None:
    """The input. The real engine accepts text that is no base64, and drops what does not belong to it."""
    return None if text is None else base64.b64decode(text + "=" * (-len(text) % 4))


def _page(name: str, items: list[Any], cursor: Any) -> dict[str, Any]:
    return {name: items, "pagination": {"cursor": None if cursor is None else str(cursor)}}
