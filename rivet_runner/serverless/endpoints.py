"""The engines that may start runners in this process.

Without this check, anyone who can reach ``/start`` could attach this process, with its code and secrets, to an engine
of their own. So a request must name an endpoint that you have configured, or one on this machine.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rivet_runner.config import RunnerConfig

__all__ = ["AllowedEndpoints", "Endpoint"]

DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """An engine's URL in a form that can be compared: without credentials and without a trailing slash."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Parse an http or https URL. Raises `ValueError` if it has another form, without the URL in the message."""
        checked = RunnerConfig(endpoint=url, namespace="default", token=None).endpoint
        parts = urlsplit(checked)
        host = _same_address((parts.hostname or "").removesuffix("."))
        return cls(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine.

        Apart from ``localhost``, a host name does not count, because it may resolve to another address later.
        """
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def _same_address(host: str) -> str:
    """Return one spelling for each IP address, and other hosts unchanged."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


class AllowedEndpoints:
    """The user's list, or else the configured endpoint if there is one, or else loopback addresses."""

    def __init__(self, named: Iterable[str] | None, options: Mapping[str, Any], configured: str) -> None:
        if isinstance(named, str):
            raise TypeError("allowed_endpoints must be a collection of URLs, not a single URL")
        self._loopback = False
        if named is not None:
            self._endpoints = frozenset(_parse_listed(url) for url in named)
        elif "endpoint" in options or os.environ.get("RIVET_ENDPOINT"):
            self._endpoints = frozenset({Endpoint.parse(configured)})
        else:
            self._endpoints = frozenset()
            self._loopback = True

    def __contains__(self, endpoint: Endpoint) -> bool:
        return endpoint in self._endpoints or (self._loopback and endpoint.is_loopback)

    def __str__(self) -> str:
        if self._loopback:
            return "loopback addresses"
        return ", ".join(sorted(map(str, self._endpoints))) or "none"


def _parse_listed(url: object) -> Endpoint:
    if not isinstance(url, str):
        raise TypeError(f"allowed_endpoints must be a collection of str, not of {type(url).__name__}")
    try:
        return Endpoint.parse(url)
    except ValueError as error:
        raise ValueError(f"allowed_endpoints: {error}") from None
