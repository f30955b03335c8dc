"""Which engines may start runners here.

Whoever can reach ``/start`` could otherwise attach this process, with the code and the secrets in it, to an engine of
their own. So the endpoint of a request must be one that the user has named, or on this machine.
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
    """An engine's URL in the form in which two of them can be compared: no credentials, no trailing slash."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Raises `ValueError` for what is not an http(s) URL with a host; the message does not hold the URL."""
        checked = RunnerConfig(endpoint=url, namespace="default", token=None).endpoint
        parts = urlsplit(checked)
        host = _same_address((parts.hostname or "").removesuffix("."))
        return cls(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether it names this machine. A name that merely resolves to it does not: who answers for it may change."""
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
    """One spelling for each address of IPv6; other hosts as they are."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


class AllowedEndpoints:
    """The user's list; else the configured endpoint, if there is one; else loopback only."""

    def __init__(self, named: Iterable[str] | None, options: Mapping[str, Any], configured: str) -> None:
        if isinstance(named, str):
            raise TypeError("allowed_endpoints must be a collection of URLs, not one URL")
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
        raise TypeError(f"allowed_endpoints must be a collection of URLs as text, not of {type(url).__name__}")
    try:
        return Endpoint.parse(url)
    except ValueError as error:
        raise ValueError(f"allowed_endpoints: {error}") from None
