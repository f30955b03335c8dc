"""Writes the functions that encode.

Each appends its parts to ``out``, which is joined once at the end: a payload is copied once, however deep it
lies. Neighbouring fields of a fixed size form a *run*, packed together. ``struct.pack`` alone would accept
too much (a bool as a number, bytes of another length), so each value is checked by its exact type first; what
has another type goes to ``_bare``, which knows what else is acceptable and names the field where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from bare.model import Model
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type
from bare.shapes import EnumShape, Shape, StructShape, UnionShape, snake_case, uint_size
from bare.source import NUMBER_FORMATS, ONE_BYTE_MAX, Function, Scope, is_one_byte, quoted, table_name


@dataclass
class Slot:
    """One value of a run. ``number`` is its type where packing it checks the range."""

    format: str
    value: str
    label: str = ""
    number: str = ""


class EncodeFunction(Function):
    """Every method emits what checks a value, and adds the value to the pending run or the pending parts."""

    def __init__(self, model: Model, scope: Scope) -> None:
        super().__init__(model, scope)
        self._run: list[Slot] = []
        self._parts: list[str] = []

    def struct(self, shape: StructShape, tag: int | None) -> None:
        """The body of a ``write_`` function, which begins with the tag if the tag begins the whole message."""
        if tag is not None:
            self._constant(tag)
        elif not shape.fields:
            self.emit("pass")
        self._fields(shape, "message", "")
        self.flush()

    def enum(self, shape: EnumShape, tag: int | None) -> None:
        if tag is not None:
            self._constant(tag)
        self.write(Named(shape.name, line=shape.line), "message", shape.name, "value")
        self.flush()

    def message(self, root: str) -> None:
        """Emit what writes a whole message."""
        shape = self.model.shape(root)
        if not isinstance(shape, UnionShape) or not self.model.stands_alone(shape):
            self.write(Named(root, line=shape.line), "message", root, "value")
            self.flush()
            return
        table = self.scope.name(table_name("WRITERS", root))
        self.emit("try:", f"    write = {table}[type(message)]", "except KeyError:")
        self.emit(f'    raise _bare.wrong_type("{root}", "a member of {root}", message) from None')
        self.emit("write(out, message)")

    def write(self, type_: Type, source: str, label: str, hint: str) -> None:
        """Emit what writes the value of the expression ``source``, which may be a local name."""
        type_ = self.model.resolve(type_)
        variable = source
        if not source.isidentifier():
            variable = self.local(hint)
            self.emit(f"{variable} = {source}")
        match type_:
            case Primitive():
                self._primitive(type_.name, variable, label)
            case Data():
                self._data(type_, variable, label)
            case Optional():
                self._optional(type_, variable, label, hint)
            case List():
                self._list(type_, variable, label, hint)
            case Map():
                self._map(type_, variable, label, hint)
            case Named():
                self._named(self.model.shape(type_.name), variable, label, hint)

    def flush(self) -> None:
        """Emit the pending run and hand the pending parts to ``out``."""
        self._close_run()
        parts, self._parts = self._parts, []
        if len(parts) == 1:
            self.emit(f"out.append({parts[0]})")
        elif parts:
            self.emit_call("out += ", parts)

    def _constant(self, value: int) -> None:
        """A tag, or the 1 of an optional."""
        if value <= ONE_BYTE_MAX:
            self._run.append(Slot("B", str(value)))
            return
        encoded = bytes(value >> 7 * i & 0x7F | 0x80 for i in range(uint_size(value) - 1))
        self._part(repr(encoded + bytes([value >> 7 * (uint_size(value) - 1)])))

    def _part(self, source: str) -> None:
        self._close_run()
        self._parts.append(source)

    def _close_run(self) -> None:
        run, self._run = self._run, []
        if not run:
            return
        if all(slot.value.isdecimal() for slot in run):
            self._parts.append(_bytes_literal([int(slot.value) for slot in run]))
        elif len(run) == 1 and run[0].format == "B" and not run[0].number:
            self._parts.append(f"_ONE_BYTE[{run[0].value}]")
        elif len(run) == 1 and run[0].format == "?":
            self._parts.append(f'b"\\x01" if {run[0].value} else b"\\x00"')
        elif len(run) == 1 and run[0].format.endswith("s"):
            self._parts.append(run[0].value)
        else:
            self._pack(run)

    def _pack(self, run: list[Slot]) -> None:
        pack = self.scope.packer("pack", "".join(slot.format for slot in run))
        variable = self.local("packed")
        values = [slot.value for slot in run]
        numbers = [slot for slot in run if slot.number]
        if not numbers:
            self.emit_call(f"{variable} = {pack}", values)
        else:
            self.emit("try:")
            with self.indented():
                self.emit_call(f"{variable} = {pack}", values)
            self.emit("except _bare.PACK_ERRORS:")
            with self.indented():
                candidates = [f'({quoted(slot.label)}, "{slot.number}", {slot.value})' for slot in numbers]
                self.emit_call("raise _bare.out_of_range", candidates, ") from None")
        self._parts.append(variable)

    def _correct(self, condition: str, variable: str, correction: str) -> None:
        self.emit(f"if {condition}:", f"    {variable} = _bare.{correction}")

    def _primitive(self, name: str, variable: str, label: str) -> None:
        match name:
            case "bool":
                self.emit(f"if {variable} is not True and {variable} is not False:")
                self.emit(f"    raise _bare.boolean({variable}, {quoted(label)})")
                self._run.append(Slot("?", variable))
            case "str":
                self._text(variable, label)
            case "f32" | "f64":
                correction = f'real({variable}, {quoted(label)}, "{name}")'
                self._correct(f"type({variable}) is not float", variable, correction)
                self._run.append(Slot(NUMBER_FORMATS[name], variable, label, name))
            case _:
                correction = f'integer({variable}, {quoted(label)}, "{name}")'
                self._correct(f"type({variable}) is not int", variable, correction)
                self._integer(name, variable, label)

    def _integer(self, name: str, variable: str, label: str) -> None:
        match name:
            case "uint":
                checked = f"_bare.write_uint({variable}, {quoted(label)})"
                self._part(f"_ONE_BYTE[{variable}] if 0 <= {variable} < 128 else {checked}")
            case "int":
                zigzag = self.local(f"{variable}_zigzag")
                self.emit(f"{zigzag} = _bare.zigzag({variable}, {quoted(label)})")
                self._uint(zigzag)
            case _:
                self._run.append(Slot(NUMBER_FORMATS[name], variable, label, name))

    def _uint(self, variable: str) -> None:
        """A uint that cannot be out of range, such as a length."""
        self._part(f"_ONE_BYTE[{variable}] if {variable} < 128 else _bare.long_uint({variable})")

    def _text(self, variable: str, label: str) -> None:
        self._correct(f"type({variable}) is not str", variable, f"text({variable}, {quoted(label)})")
        encoded = self.local(f"{variable}_bytes")
        self.emit("try:", f"    {encoded} = {variable}.encode()", "except UnicodeEncodeError as error:")
        self.emit(f"    raise _bare.not_encodable({quoted(label)}, error) from None")
        self._sized(encoded, variable)

    def _data(self, type_: Data, variable: str, label: str) -> None:
        if type_.length is None:
            self._correct(f"type({variable}) is not bytes", variable, f"data({variable}, {quoted(label)})")
            self._sized(variable, variable)
            return
        condition = f"type({variable}) is not bytes or len({variable}) != {type_.length}"
        self._correct(condition, variable, f"fixed_data({variable}, {type_.length}, {quoted(label)})")
        self._run.append(Slot(f"{type_.length}s", variable))

    def _sized(self, variable: str, hint: str) -> None:
        size = self.local(f"{hint}_size")
        self.emit(f"{size} = len({variable})")
        self._uint(size)
        self._parts.append(variable)

    def _optional(self, type_: Optional, variable: str, label: str, hint: str) -> None:
        self.flush()
        self.emit(f"if {variable} is None:", '    out.append(b"\\x00")', "else:")
        with self.indented():
            self._constant(1)
            self.write(type_.item, variable, label, hint)
            self.flush()

    def _list(self, type_: List, variable: str, label: str, hint: str) -> None:
        condition = f"type({variable}) is not list and type({variable}) is not tuple"
        self._correct(condition, variable, f"sequence({variable}, {quoted(label)})")
        if type_.length is None:
            self._count(variable, hint)
        else:
            self.emit(f"if len({variable}) != {type_.length}:")
            arguments = f'{quoted(label)}, "items", {type_.length}, len({variable})'
            self.emit(f"    raise _bare.wrong_length({arguments})")
        self.flush()
        index, item = self.local(f"{hint}_index"), self.local(f"{hint}_item")
        self.emit(f"for {index}, {item} in enumerate({variable}):")
        with self.indented():
            self.write(type_.item, item, f"{label}[{{{index}}}]", item)
            self.flush()

    def _count(self, variable: str, hint: str) -> None:
        count = self.local(f"{hint}_count")
        self.emit(f"{count} = len({variable})")
        self._uint(count)

    def _map(self, type_: Map, variable: str, label: str, hint: str) -> None:
        self._correct(f"type({variable}) is not dict", variable, f"mapping({variable}, {quoted(label)})")
        self._count(variable, hint)
        self.flush()
        key, value = self.local(f"{hint}_key"), self.local(f"{hint}_value")
        self.emit(f"for {key}, {value} in {variable}.items():")
        with self.indented():
            entry = f"{label}[{{_bare.shown({key})}}]"
            self.write(type_.key, key, f"{entry} key", key)
            self.write(type_.value, value, f"{entry} value", value)
            self.flush()

    def _named(self, shape: Shape, variable: str, label: str, hint: str) -> None:
        match shape:
            case EnumShape():
                self._enum(shape, variable, label)
            case UnionShape():
                self._union(shape, variable, label, hint)
            case StructShape():
                self.emit(f"if type({variable}) is not {shape.name}:")
                self.emit(f'    raise _bare.wrong_type({quoted(label)}, "{shape.name}", {variable})')
                if self.fixed_struct(Named(shape.name, line=shape.line)) is not None:
                    self._fields(shape, variable, f"{hint}_")
                else:
                    self.flush()
                    write = self.scope.name(f"write_{snake_case(shape.name)}")
                    self.emit(f"{write}(out, {variable})")

    def _fields(self, shape: StructShape, variable: str, prefix: str) -> None:
        for field in shape.fields:
            self.write(field.type, f"{variable}.{field.name}", field.label, prefix + field.name)

    def _enum(self, shape: EnumShape, variable: str, label: str) -> None:
        correction = f"enum_value({variable}, {shape.name}, {quoted(label)})"
        self._correct(f"type({variable}) is not {shape.name}", variable, correction)
        if is_one_byte(shape):
            self._run.append(Slot("B", variable))
        else:
            self._uint(variable)

    def _union(self, shape: UnionShape, variable: str, label: str, hint: str) -> None:
        tag, write = self.local(f"{hint}_tag"), self.local(f"write_{hint}")
        table = self.scope.name(table_name("WRITERS", shape.name))
        self.emit("try:", f"    {tag}, {write} = {table}[type({variable})]", "except KeyError:")
        self.emit(f'    raise _bare.wrong_type({quoted(label)}, "a member of {shape.name}", {variable}) from None')
        if max(shape.members) <= ONE_BYTE_MAX:
            self._run.append(Slot("B", tag))
        else:
            self._uint(tag)
        self.flush()
        self.emit(f"{write}(out, {variable})")


def _bytes_literal(values: list[int]) -> str:
    return 'b"' + "".join(f"\\x{value:02x}" for value in values) + '"'
