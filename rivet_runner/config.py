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

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

import msgspec

from rivet_runner import _settings
from rivet_runner._connection.subprotocols import offered_subprotocols
from rivet_runner._session.dialects import DEFAULT_VERSION
from rivet_runner._settings import NOT_GIVEN, Setting

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from rivet_runner.actor import Actor
    from rivet_runner.hibernation import HibernationStore

__all__ = ["RunnerConfig", "RunnerOptions"]

_MIB = 1024 * 1024

# A larger payload makes the engine cut the whole connection of the runner, with all its actors.
_ENGINE_PAYLOAD_LIMIT_BYTES = 20 * _MIB

# A value meant in microseconds or milliseconds is an error, instead of a processor that is always busy.
_LONGEST_BUSY_POLL = 0.01

_OPTIONAL_TIMES: Final = {
    "start_timeout": "to wait forever",
    "actor_start_timeout": "to wait forever",
    "sleep_after": "to stay awake",
    "block_warning": "for no warnings",
}

UINT32_MAX: Final = 2**32 - 1
"""The maximum of ``version`` and ``total_slots``, which are unsigned 32-bit integers on the wire."""

_UINT16_MAX: Final = 2**16 - 1


class RunnerOptions(TypedDict, total=False):
    """The options of a runner, for type checkers. Each is a field of `RunnerConfig`, and has its meaning there."""

    endpoint: str
    token: str | None
    namespace: str
    runner_name: str
    runner_key: str
    version: int
    total_slots: int
    protocol: Literal[3, 7]
    metadata: Any
    prepopulate_actor_names: dict[str, Any]
    start_timeout: float | None
    init_timeout: float
    stop_timeout: float
    actor_start_timeout: float | None
    actor_stop_timeout: float
    sleep_after: float | None
    block_warning: float | None
    kv_timeout: float
    alarm_retries: int
    max_payload: int
    max_buffered: int
    send_rate: float
    busy_poll: float
    health_port: int | None
    health_host: str | None
    health_timeout: float
    metrics: CollectorRegistry | None
    hibernation_store: Callable[[Actor], HibernationStore] | None


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

    endpoint: str = NOT_GIVEN
    """The http or https URL of the engine. The config keeps it without credentials and without a trailing slash.

    Environment: ``RIVET_ENDPOINT``. Default: ``http://127.0.0.1:6420``. The form ``https://namespace:token@host``
    carries the namespace and the token, percent-encoded.
    """
    token: str | None = NOT_GIVEN
    """The token, which is sent as the subprotocol ``rivet_token.…``. So it must be a token by RFC 9110 as well.

    Environment: ``RIVET_TOKEN``. Default: `None`.
    """
    namespace: str = NOT_GIVEN
    """The namespace. Environment: ``RIVET_NAMESPACE``. Default: ``default``."""
    runner_name: str = NOT_GIVEN
    """The name by which actors select their runner.

    Environment: ``RIVET_POOL``, or else ``RIVET_RUNNER_NAME``. Default: ``default``.
    """
    runner_key: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))
    """The key, by default a new UUID. The engine evicts the older one of two runners with the same key."""
    version: int = NOT_GIVEN
    """The version of your code. Of the runners with one name, those with the highest version get all new actors.

    Environment: ``RIVET_RUNNER_VERSION``. Default: 1.
    """
    total_slots: int = NOT_GIVEN
    """Maximum actors on this runner at a time, at least 1. Environment: ``RIVET_TOTAL_SLOTS``. Default: 100,000."""
    protocol: Literal[3, 7] = NOT_GIVEN
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
    sleep_after: float | None = None
    """Seconds without any work after which an actor is asked to sleep. `None` never asks.

    Requests, plain WebSockets, tasks of ``actor.spawn``, ``actor.keep_awake()`` and ``on_alarm`` are work. Hibernating
    WebSockets are not, but a message of one begins the time anew.
    """
    block_warning: float | None = 1.0
    """Seconds that the event loop may be blocked before a warning with the stack is logged. `None` never warns."""
    kv_timeout: float = 30.0
    """Seconds that a KV call may take, including reconnects."""
    alarm_retries: int = 6
    """How often ``on_alarm`` is called again if it raises: after 2, 4, 8 … s, at most an hour."""
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
        self._check_times()
        self._check_limits()

    @classmethod
    def from_env(cls, **options: Unpack[RunnerOptions]) -> Self:
        """Make a config from the environment. This is the same as calling the class, under a clearer name.

        ``options`` are fields of this class and win over the environment. Raises as the class does.
        """
        return cls(**options)

    def replace(self, **options: Unpack[RunnerOptions]) -> Self:
        """Return a copy with some fields replaced. The copy is checked, but the environment is not read again.

        Credentials in an ``endpoint`` option also replace ``namespace`` and ``token``, unless these are options too.
        An endpoint without credentials keeps both. Raises as the class does.
        """
        fields = msgspec.structs.asdict(self)
        if "endpoint" in options:
            endpoint = _settings.split_endpoint(Setting("endpoint", options["endpoint"]))
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
        endpoint = _settings.split_endpoint(_settings.find("endpoint", self.endpoint, "http://127.0.0.1:6420"))
        namespace = _settings.find("namespace", self.namespace, "default", endpoint.credentials)
        token = _settings.find("token", self.token, None, endpoint.credentials)
        self._set("endpoint", endpoint.url)
        self._set("namespace", _settings.text(namespace))
        self._set("token", _settings.token(token))

    def _resolve_identity(self) -> None:
        find, whole_number, text = _settings.find, _settings.whole_number, _settings.text
        self._set("version", whole_number(find("version", self.version, 1), 0, UINT32_MAX))
        self._set("total_slots", whole_number(find("total_slots", self.total_slots, 100_000), 1, UINT32_MAX))
        self._set("protocol", _settings.protocol_version(find("protocol", self.protocol, DEFAULT_VERSION)))
        self._set("runner_name", text(find("runner_name", self.runner_name, "default")))
        self._set("runner_key", text(Setting("runner_key", self.runner_key)))
        self._set("metadata", _settings.json_value("metadata", self.metadata))
        self._set("prepopulate_actor_names", _settings.actor_names(self.prepopulate_actor_names))

    def _check_times(self) -> None:
        seconds = _settings.seconds
        for name in ("init_timeout", "kv_timeout"):
            self._set(name, seconds(name, getattr(self, name)))
        for name in ("stop_timeout", "actor_stop_timeout"):
            self._set(name, seconds(name, getattr(self, name), zero=True))
        for name, alternative in _OPTIONAL_TIMES.items():
            if (value := getattr(self, name)) is not None:
                self._set(name, seconds(name, value, alternative=f", or None {alternative}"))
        self._set("busy_poll", seconds("busy_poll", self.busy_poll, zero=True, most=_LONGEST_BUSY_POLL))

    def _check_limits(self) -> None:
        whole_number = _settings.whole_number
        reason = " bytes (20 MiB; for a larger payload the engine cuts the whole connection)"
        max_payload = Setting("max_payload", self.max_payload)
        self._set("max_payload", whole_number(max_payload, 1, _ENGINE_PAYLOAD_LIMIT_BYTES, reason))
        self._set("max_buffered", whole_number(Setting("max_buffered", self.max_buffered), 0, None, " bytes"))
        self._set("alarm_retries", whole_number(Setting("alarm_retries", self.alarm_retries), 0, 1000))
        self._set("send_rate", _settings.seconds("send_rate", self.send_rate, zero=True, unit="messages a second"))
        if self.hibernation_store is not None and not callable(self.hibernation_store):
            raise ValueError(
                "hibernation_store must be a callable that takes an actor and returns a HibernationStore, or None"
            )
        self._check_health()

    def _check_health(self) -> None:
        if self.health_port is not None:
            port = _settings.whole_number(Setting("health_port", self.health_port), 0, _UINT16_MAX, ", or None")
            self._set("health_port", port)
        if self.health_host is not None:
            self._set("health_host", _settings.ip_address("health_host", self.health_host))
        self._set("health_timeout", _settings.seconds("health_timeout", self.health_timeout))
        if self.metrics is not None and not (hasattr(self.metrics, "register") and hasattr(self.metrics, "collect")):
            found = _settings.shown(self.metrics)
            raise ValueError(f"metrics must be a CollectorRegistry of prometheus_client, or None, not {found}")

    def _set(self, name: str, value: object) -> None:
        msgspec.structs.force_setattr(self, name, value)
