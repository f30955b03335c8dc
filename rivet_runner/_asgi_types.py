"""The types of ASGI 3, for the two rooms that speak it: one calls applications, the other is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

__all__ = ["AsgiApp", "Message", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]
"""An ASGI 3 application. The types of its parameters are open, because each framework has its own for them."""
