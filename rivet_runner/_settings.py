"""The values of options: where each comes from, and what it may be. `rivet_runner.config` says what each is for."""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

import msgspec

from rivet_runner._session.dialects import VERSIONS
from rivet_runner.http import TOKEN, TOKEN_RULE

__all__ = [
    "NOT_GIVEN",
    "Setting",
    "actor_names",
    "find",
    "ip_address",
    "json_value",
    "protocol_version",
    "seconds",
    "shown",
    "split_endpoint",
    "text",
    "token",
    "whole_number",
]

# `Any` lets the fields of a config have the types that they have after the config was built.
NOT_GIVEN: Any = msgspec.UNSET

_ENVIRONMENT: Final[dict[str, tuple[str, ...]]] = {
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


class Setting(NamedTuple):
    """An unchecked value, and its source for an error message."""

    source: str
    value: Any
    # Environment variables are text, but an option in code must have the right type.
    from_environment: bool = False


class Endpoint(NamedTuple):
    url: str
    credentials: dict[str, Setting]


def find(name: str, given: Any, default: object, credentials: Mapping[str, Setting] | None = None) -> Setting:
    if given is not NOT_GIVEN:
        return Setting(name, given)
    if credentials and name in credentials:
        return credentials[name]
    for variable in _ENVIRONMENT[name]:
        if text := os.environ.get(variable):
            return Setting(variable, text, from_environment=True)
    return Setting(name, default)


def split_endpoint(setting: Setting) -> Endpoint:
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
    return Endpoint(url, _credentials(source, user_info))


def _refuse_endpoint(source: str, rule: str = "") -> NoReturn:
    # The value is left out, because the token cannot be found in a URL that cannot be parsed.
    raise ValueError(
        f"{source} must be an http:// or https:// URL with a host, such as http://127.0.0.1:6420 or "
        f"https://namespace:token@host{rule} (the value is not shown, because it may hold a token)"
    )


def _credentials(source: str, user_info: str) -> dict[str, Setting]:
    namespace, _, secret = user_info.partition(":")
    found: dict[str, Setting] = {}
    for name, encoded, check in (("namespace", namespace, text), ("token", secret, token)):
        if encoded:
            decoded = _percent_decoded(encoded)
            if decoded is None:
                raise ValueError(f"the {name} in {source} must be percent-encoded UTF-8")
            found[name] = Setting(f"the {name} in {source}", decoded)
            check(found[name])
    return found


def _percent_decoded(text: str) -> str | None:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None  # the exception holds the text, which may be the token, so it must not leave


def token(setting: Setting) -> str | None:
    if setting.value is None:
        return None
    if not isinstance(setting.value, str) or not TOKEN.fullmatch(setting.value):
        raise ValueError(
            f"{setting.source} must be {TOKEN_RULE}, as it is sent as a WebSocket subprotocol (the value is not shown)"
        )
    return setting.value


def text(setting: Setting) -> str:
    value = setting.value
    if isinstance(value, str) and value:
        try:
            value.encode()
        except UnicodeEncodeError:
            pass  # a lone surrogate, as in an environment variable that is not UTF-8
        else:
            return value
    raise ValueError(f"{setting.source} must be text of at least one character, not {shown(value)}")


def whole_number(setting: Setting, lowest: int, highest: int | None, reason: str = "") -> int:
    value = setting.value
    if setting.from_environment and re.fullmatch("[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value:
        number = int(value)
        if highest is None or number <= highest:
            return number
    allowed = f"of {lowest} or more" if highest is None else f"from {lowest} to {highest}"
    raise ValueError(f"{setting.source} must be a whole number {allowed}{reason}, not {shown(value)}")


def ip_address(name: str, value: object) -> str:
    """Return the address in its usual form."""
    import ipaddress  # few runners need it

    try:
        if isinstance(value, str):
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    raise ValueError(f"{name} must be an IP address, such as 127.0.0.1 or ::1, or None, not {shown(value)}")


def protocol_version(setting: Setting) -> int:
    value = setting.value
    for version in VERSIONS:
        if value == (str(version) if setting.from_environment else version) and not isinstance(value, float):
            return version
    allowed = " or ".join(map(str, VERSIONS))
    raise ValueError(f"{setting.source} must be {allowed}, a version of the runner protocol, not {shown(value)}")


def seconds(
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
    raise ValueError(f"{name} must be a finite number of {unit} {allowed}{alternative}, not {shown(value)}")


def json_value(source: str, value: object) -> Any:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # json.dumps accepts a lone surrogate
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{source} must be JSON (objects, arrays, text, finite numbers): {error}") from error


def actor_names(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"prepopulate_actor_names must map names to JSON metadata, not be {shown(value)}")
    return {
        text(Setting("each name in prepopulate_actor_names", name)): json_value(
            f"prepopulate_actor_names[{name!r}]", metadata
        )
        for name, metadata in value.items()
    }


def shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to print a very long int
        return f"a value of type {type(value).__name__}"
