"""The settings of a runner: where they come from, what is refused, and the URL and subprotocols they make.

Each setting is looked for in this order, and the first that is found counts:

1. the option given in code,
2. for ``namespace`` and ``token``: the credentials in the endpoint's URL, wherever that endpoint came from,
3. the environment variable (an empty one counts as not set),
4. the default.

An endpoint given in code hides ``RIVET_ENDPOINT`` together with its credentials, so that no token is sent to
a host it was not meant for.
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self
from urllib.parse import quote, unquote, urlsplit

import msgspec

from rivet_runner.http import TOKEN, TOKEN_RULE

if TYPE_CHECKING:
    from rivet_runner.actor import Actor
    from rivet_runner.hibernation import HibernationStore

__all__ = ["RunnerConfig"]

_MIB = 1024 * 1024

# Over this much payload the engine cuts the runner's whole connection, and all its actors with it.
_ENGINE_PAYLOAD_LIMIT_BYTES = 20 * _MIB

# Someone who means microseconds or milliseconds gets an error, and not a processor that is always busy.
_LONGEST_BUSY_POLL = 0.01

UINT32_MAX: Final = 2**32 - 1
"""`version` and `total_slots` are unsigned 32-bit integers on the wire."""

# Typed Any so that the fields below keep the type they have once the config is built.
_NOT_GIVEN: Any = msgspec.UNSET

_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "endpoint": ("RIVET_ENDPOINT",),
    "token": ("RIVET_TOKEN",),
    "namespace": ("RIVET_NAMESPACE",),
    # The first of these that is set counts.
    "runner_name": ("RIVET_POOL", "RIVET_RUNNER_NAME"),
    "version": ("RIVET_RUNNER_VERSION",),
    "total_slots": ("RIVET_TOTAL_SLOTS",),
}

# Never part of a URL (RFC 3986). urlsplit drops some of these without a word, and may then name another host.
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}\ud800-\udfff]")

# A host, or an IPv6 address in brackets, and a port: urlsplit takes brackets in the oddest places.
_ADDRESS = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:]+)(?::[0-9]*)?")


class RunnerConfig(msgspec.Struct, kw_only=True, frozen=True):
    """What a runner needs to know, resolved and checked when it is built.

    A field that is not given comes from its environment variable, then its default. Times are in seconds and
    sizes in bytes.

    Raises ``ValueError`` for a value that cannot be used, naming the field or the environment variable, and
    ``TypeError`` for an option that does not exist. The token appears in no message and no ``repr``.

    To change a config use `replace`: ``msgspec.structs.replace`` checks its values just the same, but takes
    the old namespace and token as given, so they win over credentials in a new endpoint. ``metadata`` and the
    values of ``prepopulate_actor_names`` are kept as a JSON copy: changing the original later changes nothing
    here.
    """

    endpoint: str = _NOT_GIVEN
    """http(s) URL of the engine, kept without credentials and without a trailing slash.

    ``RIVET_ENDPOINT``, default ``http://127.0.0.1:6420``. ``https://namespace:token@host`` carries those two
    as well, percent-encoded.
    """
    token: str | None = _NOT_GIVEN
    """Sent as the ``rivet_token.`` subprotocol, so only characters of an RFC 7230 token.

    ``RIVET_TOKEN``, default none.
    """
    namespace: str = _NOT_GIVEN
    """``RIVET_NAMESPACE``, default ``default``."""
    runner_name: str = _NOT_GIVEN
    """What actors select. ``RIVET_POOL``, then ``RIVET_RUNNER_NAME``, default ``default``."""
    runner_key: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))
    """The engine keeps one live connection a key and evicts the older one. Default: a fresh UUID."""
    version: int = _NOT_GIVEN
    """The higher of two versions of one name takes all new actors. ``RIVET_RUNNER_VERSION``, default 1."""
    total_slots: int = _NOT_GIVEN
    """How many actors this runner takes at a time, at least 1. ``RIVET_TOTAL_SLOTS``, default 100,000."""
    metadata: Any = msgspec.field(default_factory=dict)
    """Any JSON value; the engine stores it with the runner."""
    prepopulate_actor_names: dict[str, Any] = msgspec.field(default_factory=dict)
    """Actor names to announce before any such actor exists, each with its JSON metadata."""
    start_timeout: float | None = None
    """How long ``start()`` waits for the engine's init; none waits for ever."""
    init_timeout: float = 60.0
    """How long a connected socket may stay without init before it is replaced.

    More than the 30 seconds that an engine which was killed and started again needs for its first init.
    """
    stop_timeout: float = 120.0
    """How long a graceful shutdown waits for actors; 0 does not wait."""
    actor_stop_timeout: float = 30.0
    """How long one actor's requests, sockets and tasks get to finish before they are cancelled.

    0 cancels them at once.
    """
    kv_timeout: float = 30.0
    """How long a KV call may take, connection loss included."""
    max_payload: int = _ENGINE_PAYLOAD_LIMIT_BYTES
    """Largest response body or WebSocket message that is sent.

    At most 20 MiB: over it the engine cuts the whole connection.
    """
    max_buffered: int = 16 * _MIB
    """Bytes of tunnel messages kept while disconnected; senders wait beyond it. 0 keeps none."""
    send_rate: float = 10_000.0
    """Messages a second that may leave for clients unasked; replies do not count.

    The engine drops what its gateway cannot forward in time, without a sign. 0 sends without regard to that.
    """
    busy_poll: float = 0.000_05
    """How long to look for the next message before the process goes to sleep, done only while it pays.

    It makes quick conversations quicker, for at most this much CPU time each message. 0 never does; at most 0.01.
    """
    hibernation_store: Callable[[Actor], HibernationStore] | None = None
    """Makes the store of an actor's hibernating WebSockets; none keeps them in the actor's own KV."""

    def __post_init__(self) -> None:
        self._resolve_connection()
        self._resolve_identity()
        self._check_limits()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Build a config from the environment; the same as calling the class, under a name that says so.

        ``options`` are fields of this class and win over the environment. Raises as the class does.
        """
        return cls(**options)

    def replace(self, **options: Any) -> Self:
        """Return a copy with some fields replaced, checked like a new config; the environment is not read.

        Credentials in an ``endpoint`` option replace ``namespace`` and ``token`` too, unless those are
        options themselves; an endpoint without credentials keeps both. Raises as the class does.
        """
        fields = msgspec.structs.asdict(self)
        if "endpoint" in options:
            endpoint = _split_endpoint(_Setting("endpoint", options["endpoint"]))
            fields.update({name: credential.value for name, credential in endpoint.credentials.items()})
        return type(self)(**{**fields, **options})

    @property
    def subprotocols(self) -> list[str]:
        """The WebSocket subprotocols to offer to the engine, in order. Holds the token: do not log it."""
        return ["rivet"] if self.token is None else ["rivet", f"rivet_token.{self.token}"]

    def connect_url(self, protocol_version: int) -> str:
        """Return the ws(s) URL for a runner that speaks ``protocol_version``. It holds no credentials."""
        scheme, _, rest = self.endpoint.partition("://")
        websocket_scheme = {"http": "ws", "https": "wss"}[scheme]
        return (
            f"{websocket_scheme}://{rest}/runners/connect?protocol_version={protocol_version}"
            f"&namespace={quote(self.namespace, safe='')}&runner_key={quote(self.runner_key, safe='')}"
        )

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields for ``rich`` and for our own repr, with the token hidden."""
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
        if self.start_timeout is not None:
            start_timeout = _seconds("start_timeout", self.start_timeout, alternative=", or none to wait for ever")
            msgspec.structs.force_setattr(self, "start_timeout", start_timeout)
        reason = " bytes (20 MiB: over a larger payload the engine cuts the whole connection)"
        max_payload = _Setting("max_payload", self.max_payload)
        msgspec.structs.force_setattr(
            self, "max_payload", _whole_number(max_payload, 1, _ENGINE_PAYLOAD_LIMIT_BYTES, reason)
        )
        if self.hibernation_store is not None and not callable(self.hibernation_store):
            raise ValueError(
                "hibernation_store must be a callable that takes an actor and returns a HibernationStore, or none"
            )
        msgspec.structs.force_setattr(
            self, "send_rate", _seconds("send_rate", self.send_rate, zero=True, unit="messages a second")
        )
        busy_poll = _seconds("busy_poll", self.busy_poll, zero=True, most=_LONGEST_BUSY_POLL)
        msgspec.structs.force_setattr(self, "busy_poll", busy_poll)
        max_buffered = _whole_number(_Setting("max_buffered", self.max_buffered), 0, None, " bytes")
        msgspec.structs.force_setattr(self, "max_buffered", max_buffered)


class _Setting(NamedTuple):
    """A value that is not checked yet, and where it came from, for the message if it turns out bad."""

    source: str
    value: Any
    # Environment variables are always text, while a number given in code has to be a number.
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
        # An unencoded ? or # in a token looks just like this, so the message covers that as well.
        _refuse_endpoint(source, " without a query or fragment; in credentials write ? as %3F and # as %23")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        port = 0  # refused below, outside this block: urlsplit's own message would quote the credentials
    if port == 0 or parts.scheme not in ("http", "https"):
        _refuse_endpoint(source)
    user_info, _, address = parts.netloc.rpartition("@")
    if not _ADDRESS.fullmatch(address):
        _refuse_endpoint(source)
    if "@" in parts.path:
        # A / in a token ends the host there and then: the rest of the token would become part of our URL.
        _refuse_endpoint(source, "; in credentials write / as %2F, in a path write @ as %40")
    url = f"{parts.scheme}://{address.lower().removesuffix(':')}{parts.path.rstrip('/')}"
    return _Endpoint(url, _credentials(source, user_info))


def _refuse_endpoint(source: str, rule: str = "") -> NoReturn:
    # The value is left out on purpose: in a URL that cannot be read there is no telling what is the token.
    raise ValueError(
        f"{source} must be an http:// or https:// URL with a host, such as http://127.0.0.1:6420 or "
        f"https://namespace:token@host{rule} (the value is not shown: it may hold a token)"
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
        return None  # no exception leaves here, as this one holds the text, which may be the token


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
            pass  # a lone surrogate: a broken environment variable reads like that
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
        text.encode()  # a lone surrogate passes json.dumps, and fails only here
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
    except ValueError:  # an int of so many digits that Python refuses to print it
        return f"a value of type {type(value).__name__}"
