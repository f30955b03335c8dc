"""The versions of the protocol, for tests that hold for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import generate
import pytest
from bare.model import Model
from bare.schema import parse

__all__ = ["COMMON", "ROOTS", "SCHEMAS", "V3", "V7", "VERSIONS", "Version", "each_version"]

COMMON, SCHEMAS = generate.read_schemas(generate.SCHEMAS)

ROOTS = ["ToServer", "ToClient", "ToServerlessServer"]
"""The types that are whole messages, in every version."""


@dataclass(frozen=True, eq=False)
class Version:
    """One version: ``module`` has its messages and functions, ``model`` the shapes of its schema."""

    name: str
    module: Any
    model: Model

    def __str__(self) -> str:
        return self.name


def _version(name: str) -> Version:
    return Version(name, import_module(f"rivet_runner.protocol.{name}"), Model(parse(f"{COMMON}\n{SCHEMAS[name]}")))


VERSIONS = [_version(name) for name in SCHEMAS]
V3, V7 = VERSIONS

each_version = pytest.mark.parametrize("version", VERSIONS, ids=str)
