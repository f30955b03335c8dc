"""Arguments of a scheduled call, as CBOR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cbor2

from rivet_runner.actors._types.plain import plain
from rivet_runner.errors import RecordError

__all__ = ["LARGEST_ARGUMENTS", "decode_arguments", "encode_arguments"]

LARGEST_ARGUMENTS: Final = 64 * 1024
"""Bytes of the arguments of one call, so that an entry fits into a value of the store."""


def encode_arguments(method: str, arguments: Sequence[Any]) -> bytes:
    """Return ``arguments`` as CBOR. Raises `TypeError` for a type without a form in CBOR, and `ValueError` if large."""
    try:
        encoded = cbor2.dumps(plain(list(arguments)))
    except (cbor2.CBOREncodeError, TypeError, RecursionError) as error:
        raise TypeError(f"the arguments of {method} cannot be scheduled: {error}") from None
    if len(encoded) > LARGEST_ARGUMENTS:
        text = f"the arguments of {method} have {len(encoded):,} bytes as CBOR, and a schedule keeps at most"
        raise ValueError(f"{text} {LARGEST_ARGUMENTS:,}; keep what is large in kv")
    return encoded


def decode_arguments(encoded: bytes) -> list[Any]:
    """Return the arguments. Raises `RecordError` if they are damaged."""
    try:
        arguments = cbor2.loads(encoded)
    except (cbor2.CBORDecodeError, ValueError, RecursionError) as error:
        raise RecordError(f"the stored arguments are damaged: {error}") from None
    if not isinstance(arguments, list):
        raise RecordError(f"the stored arguments are damaged: they are {type(arguments).__name__}, not a list")
    return arguments
