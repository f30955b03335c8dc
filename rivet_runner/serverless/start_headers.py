"""The headers of the engine's ``/start`` request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from rivet_runner.config import UINT32_MAX, RunnerConfig
from rivet_runner.serverless.endpoints import Endpoint

__all__ = ["HeaderError", "StartHeaders"]

ENDPOINT: Final = "x-rivet-endpoint"
TOKEN: Final = "x-rivet-token"
TOTAL_SLOTS: Final = "x-rivet-total-slots"
RUNNER_NAME: Final = "x-rivet-runner-name"
NAMESPACE: Final = "x-rivet-namespace-name"

NAMES: Final = frozenset((ENDPOINT, TOKEN, TOTAL_SLOTS, RUNNER_NAME, NAMESPACE))


class HeaderError(Exception):
    """A header is missing or unusable. The message has its name, but never its value, which may be a token."""


class StartHeaders(NamedTuple):
    """The checked settings of the runner to start."""

    url: str
    endpoint: Endpoint
    token: str | None
    total_slots: int
    runner_name: str
    namespace: str

    def __repr__(self) -> str:
        return f"StartHeaders(endpoint={str(self.endpoint)!r}, runner_name={self.runner_name!r})"

    @classmethod
    def parse(cls, headers: Iterable[tuple[bytes, bytes]]) -> StartHeaders:
        """Read the settings from raw headers. Raises `HeaderError`."""
        values = _values(headers)
        url = _required(values, ENDPOINT)
        return cls(
            url=url,
            endpoint=_endpoint(url),
            token=_token(values.get(TOKEN)),
            total_slots=_slots(_required(values, TOTAL_SLOTS)),
            runner_name=_required(values, RUNNER_NAME),
            namespace=_required(values, NAMESPACE),
        )

    def options(self, configured: RunnerConfig) -> dict[str, Any]:
        """Return these settings as options of a runner.

        A configured token goes only to the configured engine, so that no other engine learns it.
        """
        token = self.token
        if token is None and Endpoint.parse(configured.endpoint) == self.endpoint:
            token = configured.token
        return {
            "endpoint": self.url,
            "token": token,
            "total_slots": self.total_slots,
            "runner_name": self.runner_name,
            "namespace": self.namespace,
        }


def _values(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if name not in NAMES:
            continue
        if name in values:
            raise HeaderError(f"the header {name} is there twice")
        try:
            values[name] = raw_value.decode().strip()
        except UnicodeDecodeError:
            raise HeaderError(f"the header {name} is not UTF-8") from None
    return values


def _required(values: dict[str, str], name: str) -> str:
    value = values.get(name)
    if not value:
        raise HeaderError(f"the header {name} is {'missing' if value is None else 'empty'}")
    return value


def _endpoint(url: str) -> Endpoint:
    try:
        endpoint = Endpoint.parse(url)
    except ValueError:
        raise HeaderError(f"the header {ENDPOINT} is not an http:// or https:// URL with a host") from None
    if "@" in urlsplit(url).netloc:
        raise HeaderError(f"the header {ENDPOINT} has credentials; send a token in the header {TOKEN}")
    return endpoint


def _token(value: str | None) -> str | None:
    if not value:
        return None
    try:
        return RunnerConfig(endpoint="http://localhost", token=value).token
    except ValueError:
        raise HeaderError(f"the header {TOKEN} has characters that a token cannot have") from None


def _slots(value: str) -> int:
    if value.isascii() and value.isdecimal() and len(value) <= 10 and 1 <= int(value) <= UINT32_MAX:
        return int(value)
    raise HeaderError(f"the header {TOTAL_SLOTS} is not a whole number from 1 to {UINT32_MAX}")
