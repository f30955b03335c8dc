"""``doctor``: checks, one line each, with what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from rivet_runner.cli.actors import calls
from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import output
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.probe import PROBE_NAME, Accepted, Refused, probe
from rivet_runner.config import RunnerConfig
from rivet_runner.testing import HttpExchangeFailed
from rivet_runner.testing.engine_binary import ENGINE_VERSION
from rivet_runner.testing.http_client import exchange

__all__ = ["Check", "examine"]

FAILED: Final = 1

KUBERNETES_GRACE_SECONDS: Final = 30.0
KEEP_DRAINING_SECONDS: Final = 5.0
"""A draining runner asks the engine so often to wait on."""

CLOCK_SECONDS: Final = 2.0
LISTED_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1
SERVERLESS_SECONDS: Final = 10.0

STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


class Check(NamedTuple):
    """One line. ``fail`` keeps a runner from working, ``warn`` does so only in some situations."""

    level: Literal["ok", "warn", "fail"]
    name: str
    text: str


async def examine(config: RunnerConfig, connection: Connection) -> int:
    """Print the checks as they come, and return the exit status: 0, 1 if one failed, or 2 if there is no engine."""
    worst = 0
    try:
        async for check in _checks(config, connection):
            _print(check)
            worst = max(worst, FAILED if check.level == "fail" else 0)
    except CommandError as error:
        # Without an engine, or without its word, there is nothing more to check.
        _print(Check("fail", "engine", str(error)))
        return error.status
    return worst


def _print(check: Check) -> None:
    output.print(f"{check.level:5} {check.name:15} {check.text}", style=None if check.level == "ok" else STYLES[check.level])


async def _checks(config: RunnerConfig, connection: Connection) -> AsyncIterator[Check]:
    async with calls(connection, "Asking the engine for its version") as api:
        await api.health()
        yield _version((await api.metadata()).version, config.endpoint)
    try:
        before = time.time()
        async with probe(config) as accepted:
            after = time.time()
            yield Check("ok", "protocol", f"version {config.protocol} is spoken")
            yield Check("ok", "namespace", f"{config.namespace!r} is there")
            yield Check("ok", "token", "none is needed" if config.token is None else "it is accepted")
            yield await _clock(connection, accepted, before, after)
            yield _threshold(accepted.lost_threshold)
    except Refused as error:
        yield _refused(error.reason, config)
    yield _stop_timeout(config)
    async with calls(connection, "Asking the engine for its runner configs") as api:
        configs = await api.list_runner_configs()
    yield _runner_config(config, configs)
    for url, headers in _serverless(configs.get(config.runner_name)):
        yield await _serverless_url(url, headers)


def _version(version: str, endpoint: str) -> Check:
    if version == ENGINE_VERSION:
        return Check("ok", "engine", f"{endpoint} answers, version {version}")
    return Check(
        "warn", "engine", f"{endpoint} has version {version}; this package is tested with {ENGINE_VERSION}: test your actors"
    )


def _refused(reason: str, config: RunnerConfig) -> Check:
    if reason == "namespace.not_found":
        text = f"there is no {config.namespace!r}: create it, or correct --namespace (RIVET_NAMESPACE)"
        return Check("fail", "namespace", text)
    if reason == "guard.missing_header":
        return Check("fail", "token", "the engine requires one: set --token (RIVET_TOKEN)")
    if reason == "api.forbidden":
        return Check("fail", "token", "the engine refused it: correct --token (RIVET_TOKEN)")
    return Check(
        "fail",
        "protocol",
        f"the engine accepts no runner with version {config.protocol} ({reason}): let WebSockets through to it, or set "
        "RIVET_RUNNER_PROTOCOL to a version that it speaks",
    )


async def _clock(connection: Connection, accepted: Accepted, before: float, after: float) -> Check:
    """Compare the clocks: the engine notes when the probe came."""
    created = await _created(connection, accepted)
    if created is None:
        return Check("warn", "clock", "the engine does not list the probe, so its clock is unknown: try again")
    apart = max(0.0, before - created, created - after)
    if apart <= CLOCK_SECONDS:
        return Check("ok", "clock", "this machine and the engine agree")
    return Check(
        "warn", "clock", f"this machine and the engine are {apart:.0f} s apart, so alarms are too: set the clock (NTP)"
    )


async def _created(connection: Connection, accepted: Accepted) -> float | None:
    async with calls(connection, "Asking the engine for the time") as api:
        deadline = time.monotonic() + LISTED_SECONDS
        while time.monotonic() < deadline:
            for runner in await api.list_runners(PROBE_NAME):
                if runner.runner_id == accepted.runner_id:
                    return runner.create_ts / 1000
            await asyncio.sleep(POLL_SECONDS)
    return None


def _threshold(seconds: float) -> Check:
    text = f"the engine gives up a runner after {seconds:g} s without it (runner_lost_threshold)"
    if seconds > KEEP_DRAINING_SECONDS + 1:
        return Check("ok", "lost runners", text)
    return Check(
        "warn",
        "lost runners",
        f"{text}, but a draining runner reports every {KEEP_DRAINING_SECONDS:g} s: raise the threshold to 10 s or more",
    )


def _stop_timeout(config: RunnerConfig) -> Check:
    seconds = config.stop_timeout + config.actor_stop_timeout
    if seconds <= KUBERNETES_GRACE_SECONDS:
        return Check("ok", "stop_timeout", f"a drain takes at most {seconds:g} s, within the 30 s of Kubernetes")
    return Check(
        "warn",
        "stop_timeout",
        f"a drain may take {seconds:g} s (stop_timeout {config.stop_timeout:g} s and actor_stop_timeout "
        f"{config.actor_stop_timeout:g} s), but Kubernetes kills a pod after 30 s: set terminationGracePeriodSeconds to "
        f"{seconds + 10:.0f}, or lower them",
    )


def _runner_config(config: RunnerConfig, configs: dict[str, Any]) -> Check:
    name = config.runner_name
    if name in configs:
        return Check("ok", "runner config", f"there is one for {name!r}")
    others = (
        f"There are {', '.join(map(repr, sorted(configs)))}: correct runner_name (RIVET_RUNNER_NAME), or"
        if configs
        else "Now"
    )
    return Check(
        "fail",
        "runner config",
        f"there is none for {name!r}, so no actor can select its runners. {others} run: curl -X PUT "
        f"'{config.endpoint}/runner-configs/{name}?namespace={config.namespace}' -H 'content-type: application/json' "
        """-d '{"datacenters": {"default": {"normal": {}}}}'""",
    )


def _serverless(config: Any) -> list[tuple[str, dict[str, str]]]:
    """The URL and the headers of each datacenter in which the engine starts the runners by requests."""
    found = [] if config is None else [one.get("serverless") for one in config["datacenters"].values()]
    return [(one["url"], one.get("headers") or {}) for one in found if one]


async def _serverless_url(url: str, headers: dict[str, str]) -> Check:
    """Ask for what the engine asks for first. A proxy, a login page or a wrong path answers otherwise."""
    try:
        response = await exchange("GET", f"{url.rstrip('/')}/metadata", headers=headers, timeout=SERVERLESS_SECONDS)
    except (HttpExchangeFailed, TimeoutError, ValueError):
        return Check("fail", "serverless", f"{url} does not answer from here: is your site up, and the URL right?")
    try:
        runtime = response.json().get("runtime") if response.status == 200 else None
    except (msgspec.DecodeError, AttributeError):
        runtime = None
    if runtime == "rivetkit":
        return Check("ok", "serverless", f"{url} answers")
    return Check(
        "fail",
        "serverless",
        f"{url}/metadata is blocked or wrong (HTTP {response.status}): let the engine's requests through to serverless_app, "
        "with the headers of the runner config",
    )
