"""Gateway paths that name an actor by a query: ``/gateway/{name}/{path}?rvt-namespace=…&rvt-method=…&rvt-key=…``.

The parameters whose names begin with ``rvt-`` are for the gateway. The actor gets the rest of the query as it came. The
checks come in the order of the real engine, so that a query with several faults gets the same error.
"""

from __future__ import annotations

import base64
from typing import Any, Final, cast, get_args
from urllib.parse import unquote_to_bytes

import msgspec

from rivet_runner.testing._simulated.actor_spec import CrashPolicy
from rivet_runner.testing._simulated.api import DATACENTER, ManagementApi
from rivet_runner.testing._simulated.cbor_check import begins_with_item
from rivet_runner.testing._simulated.errors import EngineError

__all__ = ["PREFIX", "ActorQuery", "names_actor", "split_query"]

PREFIX: Final = "rvt-"

FIELDS: Final = (
    "namespace",
    "method",
    "runner",
    "pool",
    "key",
    "input",
    "region",
    "crash-policy",
    "token",
    "skip-ready-wait",
)
ONLY_TO_CREATE: Final = frozenset({"input", "region", "crash-policy", "runner"})
"""Parameters that ``get`` does not allow. It allows ``pool``, although the engine's message says otherwise."""

BOOLEANS: Final = frozenset({"true", "false", "1", "0"})


class ActorQuery(msgspec.Struct, frozen=True):
    """The actor that a query names."""

    namespace: str
    name: str
    key: str
    pool: str | None
    """The runner name if the actor is to be created. `None` if it must exist."""
    input: bytes | None
    region: str
    crash_policy: CrashPolicy
    waits: bool
    """Whether the client waits until the actor is ready."""

    def resolve(self, api: ManagementApi) -> str:
        """Find or create the actor and return its id. Raises `EngineError`."""
        api = api.of(self.namespace)
        if self.pool is None:
            return api.find_by_key(self.name, self.key)
        if self.region != DATACENTER:
            raise EngineError("datacenter.not_found")
        actor, _ = api.get_or_create_actor(
            self.name, runner_name=self.pool, key=self.key, input=self.input, crash_policy=self.crash_policy
        )
        return str(actor["actor_id"])


def names_actor(query: str) -> bool:
    """Whether a query has parameters for the gateway."""
    return any(pair.startswith(PREFIX) for pair in query.split("&"))


def split_query(name: str, query: str) -> tuple[ActorQuery, str]:
    """The actor that the path and the query name, and the query as the actor gets it. ``name`` is percent-encoded.

    Raises `EngineError`.
    """
    if "@" in name:
        raise EngineError("guard.query_path_token_syntax")
    decoded_name = _decoded(name, "name")
    pairs = [pair for pair in query.split("&") if pair]
    fields = _fields([pair for pair in pairs if pair.startswith(PREFIX)])
    rest = "&".join(pair for pair in pairs if not pair.startswith(PREFIX))
    _check(fields)
    creates = fields["method"] == "getOrCreate"
    policy = cast(CrashPolicy, fields.get("crash-policy", "sleep"))
    return ActorQuery(
        namespace=fields["namespace"],
        name=decoded_name,
        key=_key(fields.get("key", "")),
        pool=fields.get("pool", fields.get("runner")) if creates else None,
        input=_input(fields["input"]) if "input" in fields else None,
        region=fields.get("region", DATACENTER),
        crash_policy=policy,
        waits=fields.get("skip-ready-wait") != "true",  # the engine takes 1 too, and waits all the same
    ), rest


def _fields(pairs: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name.removeprefix(PREFIX) in fields:
            raise EngineError("guard.query_duplicate_param", metadata={"name": name})
        fields[name.removeprefix(PREFIX)] = _decoded(value.replace("+", " "), name)
    return fields


def _check(fields: dict[str, str]) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            known = ", ".join(f"`{field}`" for field in FIELDS)
            raise _invalid(f"unknown field `{name}`, expected one of {known}")
        if name == "skip-ready-wait" and value not in BOOLEANS:
            raise _invalid(f'invalid type: string "{value}", expected a boolean')
    for name in ("namespace", "method"):
        if name not in fields:
            raise _invalid(f"missing field `{name}`")
    method, policies = fields["method"], get_args(CrashPolicy)
    if method not in ("get", "getOrCreate"):
        raise _invalid(f"unknown method: {method}, expected get or getOrCreate")
    if method == "get" and ONLY_TO_CREATE & fields.keys():
        raise EngineError("guard.query_get_disallowed_params")
    if method == "getOrCreate" and not {"pool", "runner"} & fields.keys():
        raise EngineError("guard.query_missing_pool")
    policy = fields.get("crash-policy", "sleep")
    if policy not in policies:
        raise _invalid(f"unknown crash policy: {policy}, expected restart, sleep, or destroy")


def _invalid(detail: str) -> EngineError:
    return EngineError("guard.query_invalid_params", f"invalid query gateway params: {detail}", _detail(detail))


def _detail(text: str) -> Any:
    return {"detail": text}


def _decoded(value: str, name: str) -> str:
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise EngineError("guard.query_invalid_percent_encoding", metadata={"name": name}) from None


def _key(text: str) -> str:
    """The parts of a key, which commas separate, as one string."""
    if not text:
        return "/"
    return "/".join(_part(part) for part in text.split(","))


def _part(part: str) -> str:
    return part.replace("\\", "\\\\").replace("/", "\\/") or "\\0"


def _input(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:  # the decoder skips what it does not know
        raise EngineError("guard.query_invalid_base64_input")
    if not begins_with_item(raw):
        raise EngineError("guard.query_invalid_cbor_input", metadata=_detail("invalid cbor"))
    return raw
