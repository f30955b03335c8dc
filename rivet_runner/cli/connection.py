"""The engine that a command talks to: its options, the environment and the file ``.env``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dotenv import dotenv_values, load_dotenv

from rivet_runner.cli.errors import CommandError
from rivet_runner.config import RunnerConfig
from rivet_runner.testing import EngineApi

__all__ = ["Connection", "environment_with_dotenv"]

DOTENV: Final = Path(".env")

VARIABLES: Final = {"endpoint": "RIVET_ENDPOINT", "namespace": "RIVET_NAMESPACE", "token": "RIVET_TOKEN"}

CALL_SECONDS: Final = 30.0
"""For one call of the engine's API, which was seen to stall for 25 s on a busy machine."""


class Connection(NamedTuple):
    """Where the engine is. ``given`` names the options that were given on the command line."""

    endpoint: str
    namespace: str
    token: str | None
    runner_name: str
    given: frozenset[str] = frozenset()

    @classmethod
    def resolve(cls, endpoint: str | None, namespace: str | None, token: str | None) -> Connection:
        """Fill in what was not given, from the environment and ``.env``, which becomes a part of the environment.

        Raises `CommandError` if a value cannot be used.
        """
        _load_dotenv()
        options = {"endpoint": endpoint, "namespace": namespace, "token": token}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        try:
            config = RunnerConfig.from_env(**given)
        except ValueError as error:
            raise CommandError(_about_option(str(error), given)) from None
        return cls.of(config, frozenset(given))

    @classmethod
    def of(cls, config: RunnerConfig, given: frozenset[str] = frozenset()) -> Connection:
        """The connection of a runner."""
        return cls(config.endpoint, config.namespace, config.token, config.runner_name, given)

    def options(self) -> dict[str, Any]:
        """The options with which a `rivet_runner.RunnerConfig` has this connection."""
        return {name: getattr(self, name) for name in VARIABLES}

    def api(self) -> EngineApi:
        """A client for the engine's HTTP API."""
        return EngineApi(self.endpoint, token=self.token, namespace=self.namespace, timeout=CALL_SECONDS)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with the variables from which a runner takes this connection."""
        return {**{name: base[name] for name in base if name not in VARIABLES.values()}, **_variables(self)}


def _variables(connection: Connection) -> dict[str, str]:
    """The variables with which a `rivet_runner.RunnerConfig` has this connection."""
    values = connection.options()
    return {variable: values[name] for name, variable in VARIABLES.items() if values[name] is not None}


def _load_dotenv() -> None:
    try:
        load_dotenv(DOTENV)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {DOTENV}: {error}") from None


def environment_with_dotenv() -> dict[str, str]:
    """Return this process's environment on top of the file ``.env``, as it is now. Raises `CommandError`."""
    try:
        stored = dotenv_values(DOTENV)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {DOTENV}: {error}") from None
    return {**{name: value for name, value in stored.items() if value is not None}, **os.environ}


def _about_option(message: str, given: Mapping[str, Any]) -> str:
    """The message of the config, with the name of an option as it is on the command line."""
    name = message.partition(" ")[0]
    return f"--{message}" if name in given else message
