"""Writes the functions that decode.

Neighbouring fields of a fixed size form a *run*: one bounds check, one ``unpack_from``. The first byte of
every tag, length and optional belongs to the run before it, since a message whose first byte is missing is
too short either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bare.model import Model
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type
from bare.shapes import EnumShape, Shape, StructShape, UnionShape, snake_case
from bare.source import (
    NUMBER_FORMATS,
    ONE_BYTE_MAX,
    Function,
    Scope,
    annotation,
    is_one_byte,
    quoted,
    table_name,
)


@dataclass
class Slot:
    """One value of a run; ``check`` emits what checks it once it is read, given the source of its offset."""

    format: str
    size: int
    variable: str
    label: str
    check: Callable[[str], None] | None = None


class DecodeFunction(Function):
    """Every method emits what reads a value, and returns the expression that holds it after :meth:`flush`."""

    def __init__(self, model: Model, scope: Scope) -> None:
        super().__init__(model, scope)
        self._run: list[Slot] = []

    def struct(self, shape: StructShape) -> None:
        """The body of a ``_read_`` function."""
        if not shape.fields:
            self.emit(f"return {self._table('VALUE', shape.name)}, at")
            return
        arguments = [self.read(field.type, field.label, field.name) for field in shape.fields]
        self.flush()
        self.emit_call(f"return {shape.name}", arguments, "), at")

    def read(self, type_: Type, label: str, hint: str) -> str:
        type_ = self.model.resolve(type_)
        match type_:
            case Primitive():
                return self._primitive(type_.name, label, hint)
            case Data(length=int(length)):
                return self._slot(f"{length}s", length, label, hint)
            case Data():
                return self._data(label, hint)
            case Optional():
                return self._optional(type_, label, hint)
            case List():
                return self._list(type_, label, hint)
            case Map():
                return self._map(type_, label, hint)
            case Named():
                return self._named(self.model.shape(type_.name), label, hint)
        raise AssertionError(f"{type_} has no shape")

    def flush(self) -> None:
        """Emit the pending run."""
        run, self._run = self._run, []
        if not run:
            return
        total = sum(slot.size for slot in run)
        self.emit("if at >= size:" if total == 1 else f"if at + {total} > size:")
        with self.indented():
            layout = [f"({quoted(slot.label)}, {slot.size})" for slot in run]
            self.emit_call("raise _bare.ends_early", ["at", "size", *layout])
        self._unpack(run)
        self.emit(f"at += {total}")
        behind = total
        for slot in run:
            if slot.check is not None:
                slot.check(f"at - {behind}")
            behind -= slot.size

    def _unpack(self, run: list[Slot]) -> None:
        first = run[0]
        if len(run) == 1 and first.format == "B":
            self.emit(f"{first.variable} = buf[at]")
        elif len(run) == 1 and first.format.endswith("s"):
            self.emit(f"{first.variable} = buf[at : at + {first.size}]")
        else:
            unpack = self.scope.packer("unpack_from", "".join(slot.format for slot in run))
            variables = ", ".join(slot.variable for slot in run)
            self.emit(f"{variables if len(run) > 1 else f'({variables},)'} = {unpack}(buf, at)")

    def _slot(self, format_: str, size: int, label: str, hint: str, check: Callable[[str], None] | None = None) -> str:
        variable = self.local(hint)
        self._run.append(Slot(format_, size, variable, label, check))
        return variable

    def _uint(self, label: str, hint: str) -> str:
        variable = self._slot("B", 1, label, hint)
        self.flush()
        self.emit(f"if {variable} > {ONE_BYTE_MAX}:")
        with self.indented():
            self.emit_call(f"{variable}, at = _bare.read_long_uint", ["buf", "at - 1", "size", quoted(label)])
        return variable

    def _primitive(self, name: str, label: str, hint: str) -> str:
        match name:
            case "bool":
                return self._bool(label, hint)
            case "str":
                return self._text(label, hint)
            case "uint":
                return self._uint(label, hint)
            case "int":
                raw = self._uint(label, f"{hint}_zigzag")
                return f"{raw} >> 1 ^ -({raw} & 1)"
        format_ = NUMBER_FORMATS[name]
        return self._slot(format_, int(name[1:]) // 8, label, hint)

    def _bool(self, label: str, hint: str) -> str:
        variable = self.local(hint)

        def check(offset: str) -> None:
            self.emit(f"if {variable} > 1:")
            with self.indented():
                self.emit(f"raise _bare.bad_bool({quoted(label)}, {variable}, {offset})")

        self._run.append(Slot("B", 1, variable, label, check))
        return f"{variable} == 1"

    def _length(self, label: str, hint: str) -> None:
        """Emit what leaves the end of the bytes that follow in ``end``."""
        length = self._uint(label, f"{hint}_size")
        self.emit(f"end = at + {length}", "if end > size:")
        with self.indented():
            self.emit(f"raise _bare.runs_past_end({quoted(label)}, {length}, at, size)")

    def _data(self, label: str, hint: str) -> str:
        self._length(label, hint)
        variable = self.local(hint)
        self.emit(f"{variable} = buf[at:end]", "at = end")
        return variable

    def _text(self, label: str, hint: str) -> str:
        self._length(label, hint)
        variable = self.local(hint)
        self.emit("try:", f"    {variable} = buf[at:end].decode()", "except UnicodeDecodeError as error:")
        with self.indented():
            self.emit(f"raise _bare.bad_text({quoted(label)}, at, error) from None")
        self.emit("at = end")
        return variable

    def _optional(self, type_: Optional, label: str, hint: str) -> str:
        given = self._slot("B", 1, label, f"{hint}_given")
        self.flush()
        variable = self.local(hint)
        self.emit(f"{variable}: {annotation(type_)} = None", f"if {given} == 1:")
        with self.indented():
            value = self.read(type_.item, label, f"{hint}_value")
            self.flush()
            self.emit(f"{variable} = {value}")
        self.emit(f"elif {given}:", f"    raise _bare.bad_bool({quoted(label)}, {given}, at - 1)")
        return variable

    def _count(self, least: int, label: str, hint: str) -> str:
        count = self._uint(label, f"{hint}_count")
        needed = count if least == 1 else f"{count} * {least}"
        self.emit(f"if {needed} > size - at:")
        with self.indented():
            self.emit(f"raise _bare.list_runs_past_end({quoted(label)}, {count}, {least}, at, size)")
        return count

    def _list(self, type_: List, label: str, hint: str) -> str:
        if type_.length is None:
            count = self._count(self.model.least_size(type_.item), label, hint)
        else:
            count = str(type_.length)
            self.flush()
        items = self.local(hint)
        self.emit(f"{items}: list[{annotation(type_.item)}] = []", f"for _ in range({count}):")
        with self.indented():
            item = self.read(type_.item, f"{label}[{{len({items})}}]", f"{hint}_item")
            self.flush()
            self.emit(f"{items}.append({item})")
        return items

    def _map(self, type_: Map, label: str, hint: str) -> str:
        least = self.model.least_size(type_.key) + self.model.least_size(type_.value)
        count = self._count(least, label, hint)
        entries = self.local(hint)
        key_type, value_type = annotation(type_.key), annotation(type_.value)
        self.emit(f"{entries}: dict[{key_type}, {value_type}] = {{}}", f"for _ in range({count}):")
        with self.indented():
            entry = f"{label}[{{len({entries})}}]"
            key = self.local(f"{hint}_key")
            key_value = self.read(type_.key, f"{entry} key", f"{hint}_key")
            self.flush()
            self.emit(f"{key} = {key_value}", f"if {key} in {entries}:")
            with self.indented():
                self.emit(f"raise _bare.repeated_key({quoted(label)}, {key}, at)")
            value = self.read(type_.value, f"{entry} value", f"{hint}_value")
            self.flush()
            self.emit(f"{entries}[{key}] = {value}")
        return entries

    def _named(self, shape: Shape, label: str, hint: str) -> str:
        if isinstance(shape, EnumShape):
            return self._enum(shape, label, hint)
        if isinstance(shape, UnionShape):
            return self._union(shape, label, hint)
        assert isinstance(shape, StructShape)
        if self.fixed_struct(Named(shape.name, line=shape.line)) is not None:
            arguments = [self.read(field.type, field.label, f"{hint}_{field.name}") for field in shape.fields]
            return f"{shape.name}({', '.join(arguments)})"
        self.flush()
        variable = self.local(hint)
        read = self.scope.name(f"read_{snake_case(shape.name)}")
        self.emit(f"{variable}, at = {read}(buf, at, size)")
        return variable

    def _enum(self, shape: EnumShape, label: str, hint: str) -> str:
        variable = self.local(hint)
        number = self.local(f"{hint}_number")

        def check(offset: str) -> None:
            table = self._table("VALUES", shape.name)
            self._look_up(variable, table, number, label, shape.name, offset)

        if is_one_byte(shape):
            self._run.append(Slot("B", 1, number, label, check))
        else:
            self.emit(f"{number} = {self._uint(label, f'{hint}_uint')}")
            check(_before(number))
        return variable

    def _table(self, kind: str, name: str) -> str:
        return self.scope.name(table_name(kind, name))

    def _look_up(self, variable: str, table: str, number: str, label: str, kind: str, offset: str) -> None:
        self.emit("try:", f"    {variable} = {table}[{number}]", "except LookupError:")
        with self.indented():
            self.emit_call("raise _bare.unknown_value", [quoted(label), f'"{kind}"', number, offset], ") from None")

    def _union(self, shape: UnionShape, label: str, hint: str) -> str:
        if max(shape.members) <= ONE_BYTE_MAX:
            tag = self._slot("B", 1, label, f"{hint}_tag")
            self.flush()
            offset = "at - 1"
        else:
            tag = self._uint(label, f"{hint}_tag")
            offset = _before(tag)
        read = self.local(f"read_{hint}")
        self._look_up(read, self._table("READERS", shape.name), tag, label, shape.name, offset)
        variable = self.local(hint)
        self.emit(f"{variable}, at = {read}(buf, at, size)")
        return variable


def _before(number: str) -> str:
    """The offset of a uint that ends at ``at``: it is in its shortest form, or it would have been refused."""
    return f"at - len(_bare.long_uint({number}))"
