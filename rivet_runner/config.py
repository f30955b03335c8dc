"""The options of a runner: their sources, their checks, and the URL and subprotocols to connect with.

A setting comes from the first of these sources that has it:

1. an option in code,
2. for ``namespace`` and ``token``: the credentials in the endpoint's URL, from any source,
3. an environment variable that is not empty,
4. the default.

An endpoint in code hides ``RIVET_ENDPOINT`` together with its credentials, so that no token reaches a host it was not
meant for.
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, Self
from urllib.parse import quote, unquote, urlsplit

import msgspec

from rivet_runner._connection.subprotocols import offered_subprotocols
from rivet_runner._session.dialects import DEFAULT_VERSION, VERSIONS
from rivet_runner.http import TOKEN, TOKEN_RULE

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from rivet_runner.actor import Actor
    from rivet_runner.hibernation import HibernationStore

__all__ = ["RunnerConfig"]

_MIB = 1024 * 1024

# A larger payload makes the engine cut the whole connection of the runner, with all its actors.
_ENGINE_PAYLOAD_LIMIT_BYTES = 20 * _MIB

# A value meant in microseconds or milliseconds is an error, instead of a processor that is always busy.
_LONGEST_BUSY_POLL = 0.01

UINT32_MAX: Final = 2**32 - 1
"""The maximum of ``version`` and ``total_slots``, which are unsigned 32-bit integers on the wire."""

_UINT16_MAX: Final = 2**16 - 1

# `Any` lets the fields below have the types that they have after the config was built.
_NOT_GIVEN: Any = msgspec.UNSET

_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "endpoint": ("RIVET_ENDPOINT",),
    "token": ("RIVET_TOKEN",),
    "namespace": ("RIVET_NAMESPACE",),
    # The first of these that is set is used.
    "runner_name": ("RIVET_POOL", "RIVET_RUNNER_NAME"),
    "version": ("RIVET_RUNNER_VERSION",),
    "total_slots": ("RIVET_TOTAL_SLOTS",),
    "protocol": ("RIVET_RUNNER_PROTOCOL",),
}

# RFC 3986 allows none of these in a URL. urlsplit drops some of them silently, and may then find another host.
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}\ud800-\udfff]")

# A host or an IPv6 address in brackets, then an optional port. urlsplit accepts brackets in other places too.
_ADDRESS = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:]+)(?::[0-9]*)?")


class RunnerConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The options of a runner. They are resolved and checked when you make a config.

    A field that you do not give comes from its environment variable, or else from its default. Times are in seconds,
    sizes in bytes.

    Raises `ValueError` if a value cannot be used, and names the field or the environment variable. Raises `TypeError`
    for an unknown option. Error messages and ``repr`` never show the token.

    Use `replace` to change a config. ``msgspec.structs.replace`` makes the same checks, but passes the old namespace
    and token as options, so they win over credentials in a new endpoint. A config keeps JSON copies of ``metadata``
    and of the values of ``prepopulate_actor_names``, so you may change your originals.
    """

    endpoint: str = _NOT_GIVEN
    """The http or https URL of the engine. The config keeps it without credentials and without a trailing slash.

    Environment: ``RIVET_ENDPOINT``. Default: ``http://127.0.0.1:6420``. The form ``https://namespace:token@host``
    carries the namespace and the token, percent-encoded.
    """
    token: str | None = _NOT_GIVEN
    """The token, which is sent as the subprotocol ``rivet_token.…``. So it must be a token by RFC 9110 as well.

    Environment: ``RIVET_TOKEN``. Default: `None`.
    """
    namespace: str = _NOT_GIVEN
    """The namespace. Environment: ``RIVET_NAMESPACE``. Default: ``default``."""
    runner_name: str = _NOT_GIVEN
    """The name by which actors select their runner.

    Environment: ``RIVET_POOL``, or else ``RIVET_RUNNER_NAME``. Default: ``default``.
    """
    runner_key: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))
    """The key, by default a new UUID. The engine evicts the older one of two runners with the same key."""
    version: int = _NOT_GIVEN
    """The version of your code. Of the runners with one name, those with the highest version get all new actors.

    Environment: ``RIVET_RUNNER_VERSION``. Default: 1.
    """
    total_slots: int = _NOT_GIVEN
    """Maximum actors on this runner at a time, at least 1. Environment: ``RIVET_TOTAL_SLOTS``. Default: 100,000."""
    protocol: Literal[3, 7] = _NOT_GIVEN
    """The version of the runner protocol. Environment: ``RIVET_RUNNER_PROTOCOL``. Default: 3.

    With 7, actors start, sleep and wake faster, and the engine notices a runner that hangs. Open clients cannot move
    between runners of different protocols.
    """
    metadata: Any = msgspec.field(default_factory=dict)
    """Any JSON value. The engine stores it with the runner."""
    prepopulate_actor_names: dict[str, Any] = msgspec.field(default_factory=dict)
    """Actor names to announce before such actors exist, with JSON metadata for each."""
    start_timeout: float | None = None
    """Seconds that ``start()`` waits for the engine to accept the runner. `None` waits forever."""
    init_timeout: float = 60.0
    """Seconds that a connection may stay without an answer to init before the runner replaces it.

    The default is more than the 30 seconds that a killed and restarted engine needs for its first init.
    """
    stop_timeout: float = 120.0
    """Seconds that a graceful shutdown waits for the actors. 0 does not wait."""
    actor_start_timeout: float | None = 120.0
    """Seconds that ``on_actor_start`` may take before it is cancelled and the actor is reported as crashed.

    `None` sets no limit: the engine never gives up an actor whose start hangs.
    """
    actor_stop_timeout: float = 30.0
    """Seconds that the requests, WebSockets and tasks of a stopping actor have before they are cancelled.

    0 cancels them at once.
    """
    kv_timeout: float = 30.0
    """Seconds that a KV call may take, including reconnects."""
    max_payload: int = _ENGINE_PAYLOAD_LIMIT_BYTES
    """Maximum bytes of a response body or message, at most 20 MiB. For more the engine cuts the whole connection."""
    max_buffered: int = 16 * _MIB
    """Maximum bytes of tunnel messages that wait to leave, while the engine is away or slow.

    Senders wait at the maximum. One message always fits.
    """
    send_rate: float = 10_000.0
    """Maximum messages per second to clients, not counting replies. 0 sets no maximum.

    The engine silently drops messages that its gateway cannot forward in time.
    """
    busy_poll: float = 0.000_05
    """Seconds to poll the connection for the next message before the process sleeps, as long as polling pays off.

    Polling makes quick conversations quicker and costs at most this much CPU time per message. 0 never polls. The
    maximum is 0.01.
    """
    hibernation_store: Callable[[Actor], HibernationStore] | None = None
    """Makes the store for the records of an actor's hibernating WebSockets. With `None` they are in the actor's KV."""
    health_port: int | None = None
    """The TCP port of ``/healthz``, ``/readyz`` and ``/metrics``. `None` is none, and 0 is any free one."""
    health_host: str | None = None
    """The IP address to serve them on. `None` is all addresses of this machine."""
    health_timeout: float = 5.0
    """Seconds that the event loop may be blocked before ``/healthz`` says so, with 503."""
    metrics: CollectorRegistry | None = None
    """The registry of ``prometheus_client`` for the metrics. With `None` and a ``health_port``, it is the default registry.

    Several runners may have one registry. Needs the extra ``metrics``.
    """

    def __post_init__(self) -> None:
        self._resolve_connection()
        self._resolve_identity()
        self._check_limits()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a config from the environment. This is the same as calling the class, under a clearer name.

        ``options`` are fields of this class and win over the environment. Raises as the class does.
        """
        return cls(**options)

    def replace(self, **options: Any) -> Self:
        """Return a copy with some fields replaced. The copy is checked, but the environment is not read again.

        Credentials in an ``endpoint`` option also replace ``namespace`` and ``token``, unless these are options too.
        An endpoint without credentials keeps both. Raises as the class does.
        """
        fields = msgspec.structs.asdict(self)
        if "endpoint" in options:
            endpoint = _split_endpoint(_Setting("endpoint", options["endpoint"]))
            fields.update({name: credential.value for name, credential in endpoint.credentials.items()})
        return type(self)(**{**fields, **options})

    @property
    def subprotocols(self) -> list[str]:
        """The WebSocket subprotocols to offer to the engine, in order. They hold the token, so do not log them."""
        return offered_subprotocols(self.token)

    def connect_url(self, protocol_version: int | None = None) -> str:
        """Return the ws or wss URL for this runner, without credentials. ``protocol_version`` is ``protocol`` if omitted."""
        version = self.protocol if protocol_version is None else protocol_version
        scheme, _, rest = self.endpoint.partition("://")
        websocket_scheme = {"http": "ws", "https": "wss"}[scheme]
        return (
            f"{websocket_scheme}://{rest}/runners/connect?protocol_version={version}"
            f"&namespace={quote(self.namespace, safe='')}&runner_key={quote(self.runner_key, safe='')}"
        )

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields with the token hidden, for ``rich`` and for ``repr``."""
        fields = msgspec.structs.asdict(self)
        if self.token is not None:
            fields["token"] = "***"
        return list(fields.items())

    def _resolve_connection(self) -> None:
        endpoint = _split_endpoint(_find("endpoint", self.endpoint, "http://127.0.0.1:6420"))
        namespace = _find("namespace", self.namespace, "default", endpoint.credentials)
        token = _find("token", self.token, None, endpoint.credentials)
        msgspec.structs.force_setattr(self, "endpoint", endpoint.url)
        msgspec.structs.force_setattr(self, "namespace", _text(namespace))
        msgspec.structs.force_setattr(self, "token", _token(token))

    def _resolve_identity(self) -> None:
        version = _whole_number(_find("version", self.version, 1), 0, UINT32_MAX)
        total_slots = _whole_number(_find("total_slots", self.total_slots, 100_000), 1, UINT32_MAX)
        runner_name = _text(_find("runner_name", self.runner_name, "default"))
        msgspec.structs.force_setattr(self, "version", version)
        msgspec.structs.force_setattr(self, "total_slots", total_slots)
        msgspec.structs.force_setattr(self, "protocol", _protocol(_find("protocol", self.protocol, DEFAULT_VERSION)))
        msgspec.structs.force_setattr(self, "runner_name", runner_name)
        msgspec.structs.force_setattr(self, "runner_key", _text(_Setting("runner_key", self.runner_key)))
        msgspec.structs.force_setattr(self, "metadata", _json("metadata", self.metadata))
        actor_names = _actor_names(self.prepopulate_actor_names)
        msgspec.structs.force_setattr(self, "prepopulate_actor_names", actor_names)

    def _check_limits(self) -> None:
        for name in ("init_timeout", "kv_timeout"):
            msgspec.structs.force_setattr(self, name, _seconds(name, getattr(self, name)))
        for name in ("stop_timeout", "actor_stop_timeout"):
            msgspec.structs.force_setattr(self, name, _seconds(name, getattr(self, name), zero=True))
        for name in ("start_timeout", "actor_start_timeout"):
            if (value := getattr(self, name)) is not None:
                seconds = _seconds(name, value, alternative=", or None to wait forever")
                msgspec.structs.force_setattr(self, name, seconds)
        reason = " bytes (20 MiB; for a larger payload the engine cuts the whole connection)"
        max_payload = _Setting("max_payload", self.max_payload)
        msgspec.structs.force_setattr(
            self, "max_payload", _whole_number(max_payload, 1, _ENGINE_PAYLOAD_LIMIT_BYTES, reason)
        )
        if self.hibernation_store is not None and not callable(self.hibernation_store):
            raise ValueError(
                "hibernation_store must be a callable that takes an actor and returns a HibernationStore, or None"
            )
        msgspec.structs.force_setattr(
            self, "send_rate", _seconds("send_rate", self.send_rate, zero=True, unit="messages a second")
        )
        busy_poll = _seconds("busy_poll", self.busy_poll, zero=True, most=_LONGEST_BUSY_POLL)
        msgspec.structs.force_setattr(self, "busy_poll", busy_poll)
        max_buffered = _whole_number(_Setting("max_buffered", self.max_buffered), 0, None, " bytes")
        msgspec.structs.force_setattr(self, "max_buffered", max_buffered)
        self._check_health()

    def _check_health(self) -> None:
        if self.health_port is not None:
            port = _whole_number(_Setting("health_port", self.health_port), 0, _UINT16_MAX, ", or None")
            msgspec.structs.force_setattr(self, "health_port", port)
        if self.health_host is not None:
            msgspec.structs.force_setattr(self, "health_host", _ip_address("health_host", self.health_host))
        msgspec.structs.force_setattr(self, "health_timeout", _seconds("health_timeout", self.health_timeout))
        if self.metrics is not None and not (hasattr(self.metrics, "register") and hasattr(self.metrics, "collect")):
            raise ValueError(
                f"metrics must be a CollectorRegistry of prometheus_client, or None, not {_shown(self.metrics)}"
            )


class _Setting(NamedTuple):
    """An unchecked value, and its source for an error message."""

    source: str
    value: Any
    # Environment variables are text, but an option in code must have the right type.
    from_environment: bool = False


class _Endpoint(NamedTuple):
    url: str
    credentials: dict[str, _Setting]


def _find(name: str, given: Any, default: object, credentials: Mapping[str, _Setting] | None = None) -> _Setting:
    if given is not _NOT_GIVEN:
        return _Setting(name, given)
    if credentials and name in credentials:
        return credentials[name]
    for variable in _ENVIRONMENT[name]:
        if text := os.environ.get(variable):
            return _Setting(variable, text, from_environment=True)
    return _Setting(name, default)


def _split_endpoint(setting: _Setting) -> _Endpoint:
    source, value = setting.source, setting.value
    if not isinstance(value, str) or _NOT_IN_A_URL.search(value):
        _refuse_endpoint(source)
    if "?" in value or "#" in value:
        # An unencoded ? or # in a token looks the same, so the message covers it as well.
        _refuse_endpoint(source, " without a query or fragment; in credentials write ? as %3F and # as %23")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        port = 0  # refused below, outside this block, because the message of urlsplit quotes the credentials
    if port == 0 or parts.scheme not in ("http", "https"):
        _refuse_endpoint(source)
    user_info, _, address = parts.netloc.rpartition("@")
    if not _ADDRESS.fullmatch(address):
        _refuse_endpoint(source)
    if "@" in parts.path:
        # An unencoded / in a token ends the host, and the rest of the token would become part of the path.
        _refuse_endpoint(source, "; in credentials write / as %2F, in a path write @ as %40")
    url = f"{parts.scheme}://{address.lower().removesuffix(':')}{parts.path.rstrip('/')}"
    return _Endpoint(url, _credentials(source, user_info))


def _refuse_endpoint(source: str, rule: str = "") -> NoReturn:
    # The value is left out, because the token cannot be found in a URL that cannot be parsed.
    raise ValueError(
        f"{source} must be an http:// or https:// URL with a host, such as http://127.0.0.1:6420 or "
        f"https://namespace:token@host{rule} (the value is not shown, because it may hold a token)"
    )


def _credentials(source: str, user_info: str) -> dict[str, _Setting]:
    namespace, _, token = user_info.partition(":")
    found: dict[str, _Setting] = {}
    for name, encoded, check in (("namespace", namespace, _text), ("token", token, _token)):
        if encoded:
            decoded = _percent_decoded(encoded)
            if decoded is None:
                raise ValueError(f"the {name} in {source} must be percent-encoded UTF-8")
            found[name] = _Setting(f"the {name} in {source}", decoded)
            check(found[name])
    return found


def _percent_decoded(text: str) -> str | None:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None  # the exception holds the text, which may be the token, so it must not leave


def _token(setting: _Setting) -> str | None:
    if setting.value is None:
        return None
    if not isinstance(setting.value, str) or not TOKEN.fullmatch(setting.value):
        raise ValueError(
            f"{setting.source} must be {TOKEN_RULE}, as it is sent as a WebSocket subprotocol (the value is not shown)"
        )
    return setting.value


def _text(setting: _Setting) -> str:
    value = setting.value
    if isinstance(value, str) and value:
        try:
            value.encode()
        except UnicodeEncodeError:
            pass  # a lone surrogate, as in an environment variable that is not UTF-8
        else:
            return value
    raise ValueError(f"{setting.source} must be text of at least one character, not {_shown(value)}")


def _whole_number(setting: _Setting, lowest: int, highest: int | None, reason: str = "") -> int:
    value = setting.value
    if setting.from_environment and re.fullmatch("[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value:
        number = int(value)
        if highest is None or number <= highest:
            return number
    allowed = f"of {lowest} or more" if highest is None else f"from {lowest} to {highest}"
    raise ValueError(f"{setting.source} must be a whole number {allowed}{reason}, not {_shown(value)}")


def _ip_address(name: str, value: object) -> str:
    import ipaddress  # few runners need it

    try:
        if isinstance(value, str):
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    raise ValueError(f"{name} must be an IP address, such as 127.0.0.1 or ::1, or None, not {_shown(value)}")


def _protocol(setting: _Setting) -> int:
    value = setting.value
    for version in VERSIONS:
        if value == (str(version) if setting.from_environment else version) and not isinstance(value, float):
            return version
    allowed = " or ".join(map(str, VERSIONS))
    raise ValueError(f"{setting.source} must be {allowed}, a version of the runner protocol, not {_shown(value)}")


def _seconds(
    name: str,
    value: object,
    *,
    zero: bool = False,
    most: float = math.inf,
    alternative: str = "",
    unit: str = "seconds",
) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
        if math.isfinite(seconds) and (seconds > 0 or (zero and seconds == 0)) and seconds <= most:
            return seconds
    allowed = ("of 0 or more" if zero else "above 0") + ("" if math.isinf(most) else f", at most {most:g}")
    raise ValueError(f"{name} must be a finite number of {unit} {allowed}{alternative}, not {_shown(value)}")


def _json(source: str, value: object) -> Any:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # json.dumps accepts a lone surrogate
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{source} must be JSON (objects, arrays, text, finite numbers): {error}") from error


def _actor_names(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"prepopulate_actor_names must map names to JSON metadata, not be {_shown(value)}")
    return {
        _text(_Setting("each name in prepopulate_actor_names", name)): _json(f"prepopulate_actor_names[{name!r}]", metadata)
        for name, metadata in value.items()
    }


def _shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to print a very long int
        return f"a value of type {type(value).__name__}"
