"""The type of an actor's state: how it is made, stored and read."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, cast

import msgspec

from rivet_runner.actors._types.convert import ConversionError, convert, unsupported_reason
from rivet_runner.actors._types.models import convert_model, is_model, plain_of_fields

__all__ = ["StateType"]

StateT = TypeVar("StateT")


class StateType(Generic[StateT]):
    """A state's annotation: a Struct, dataclass, pydantic model, dict, list or scalar, or `None` for no state.

    The stored form is msgpack.
    """

    __slots__ = ("_decoder", "_make", "annotation", "is_none", "unmakeable")

    def __init__(self, annotation: Any) -> None:
        self.annotation: Any = annotation
        self.is_none: bool = annotation is None or annotation is type(None)
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(
            None if self.is_none else annotation, dec_hook=_decode_custom
        )
        self.unmakeable: str | None = None
        """Why `make` cannot make one, or `None` if it can."""
        self._make: Callable[[], Any] = type(None)
        if not self.is_none:
            try:
                self._make = _factory(annotation)
            except TypeError as error:
                self.unmakeable = str(error)

    @classmethod
    def of(cls, annotation: Any) -> Self:
        """The type of states that ``annotation`` describes. Raises `TypeError` with the reason if there can be none."""
        if annotation is not None and annotation is not type(None):
            if _allows_none(annotation):
                raise TypeError(f"{_shown(annotation)} has `None` as a value: use a Struct with an optional field")
            reason = unsupported_reason(annotation)
            if reason is not None:
                raise TypeError(reason)
        return cls(annotation)

    def make(self) -> StateT:
        """A state without arguments, ``State()``. Raises `TypeError` if it needs some."""
        if self.unmakeable is not None:
            raise TypeError(self.unmakeable)
        return cast(StateT, self._make())

    def encode(self, state: StateT) -> bytes:
        """The stored form. Raises `TypeError` if a value in ``state`` has none."""
        try:
            return _ENCODER.encode(state)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(f"the state cannot be stored: {error}") from error

    def decode(self, data: bytes) -> StateT:
        """The state whose stored form is ``data``. Raises `ConversionError`."""
        try:
            return cast(StateT, self._decoder.decode(data))
        except (msgspec.ValidationError, ConversionError):
            # Once more, for the place of the error and for floats that are good for ints.
            try:
                return self._convert(self.decode_plain(data))
            except ConversionError as error:
                text = f"the stored state does not fit {_shown(self.annotation)}: {error}; migrate_state may change it"
                raise ConversionError("", text) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise ConversionError("", f"the stored state is damaged ({error})") from None

    def decode_plain(self, data: bytes) -> Any:
        """The plain data in ``data``, of any type of state. Raises `ConversionError` if it is damaged."""
        try:
            return msgspec.msgpack.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ConversionError("", f"the stored state is damaged ({error})") from None

    def from_plain(self, value: Any) -> StateT:
        """The state that the plain data of a migration describes. Raises `ConversionError`."""
        try:
            return self._convert(value)
        except ConversionError as error:
            text = f"the result of migrate_state does not fit {_shown(self.annotation)}: {error}"
            raise ConversionError("", text) from None

    def _convert(self, value: Any) -> StateT:
        if is_model(self.annotation):
            return cast(StateT, _stored_model(self.annotation, value))
        return cast(StateT, convert(value, self.annotation))


def _encode_custom(value: Any) -> Any:
    if is_model(type(value)):
        # `round_trip` leaves out computed fields, which a model that forbids extra ones would not take back.
        return plain_of_fields(value.model_dump(round_trip=True, by_alias=False))
    raise TypeError(f"a value of type {type(value).__module__}.{type(value).__qualname__} has no stored form")


def _decode_custom(kind: Any, value: Any) -> Any:
    if is_model(kind):
        return _stored_model(kind, value)
    return value


def _stored_model(kind: Any, value: Any) -> Any:
    # What was stored was valid. A strict model would refuse UUIDs and dates in their stored form, which is text.
    return convert_model(kind, value, strict=False, by_name=True)


_ENCODER: msgspec.msgpack.Encoder = msgspec.msgpack.Encoder(enc_hook=_encode_custom)


def _factory(annotation: Any) -> Callable[[], Any]:
    """What makes a state without arguments. Raises `TypeError` if it needs some."""
    kind = _bare(annotation)
    name = _shown(annotation)
    if not isinstance(kind, type) or kind is types.UnionType:
        raise TypeError(f"{name} cannot be made")
    if typing.is_typeddict(kind):
        required = [*typing.cast(Any, kind).__required_keys__]
        if required:
            raise TypeError(f"{name} has required keys: {', '.join(sorted(required))}")
    elif kind.__module__ != "builtins":
        try:
            inspect.signature(kind).bind()
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}() needs arguments ({error})") from None
    return kind


def _bare(annotation: Any) -> Any:
    """The class behind an annotation, as far as there is one."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    if origin is None and not isinstance(annotation, type):
        # A `NewType`, or the statement ``type``.
        named = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
        return annotation if named is None else _bare(named)
    return annotation if origin is None else origin


def _allows_none(annotation: Any) -> bool:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return type(None) in typing.get_args(annotation)
    return annotation is Any or annotation is object


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
