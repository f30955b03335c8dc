"""Parses the BARE schema language into a tree; whether it makes sense is for :mod:`bare.checks` to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PRIMITIVES = frozenset(
    ["uint", "u8", "u16", "u32", "u64", "int", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "str", "void"]
)
# Far more than anyone writes, and far less than Python's own limit on recursion.
_MAX_DEPTH = 50
COMPOSITES = frozenset(["data", "optional", "list", "map", "enum", "union", "struct"])


class SchemaError(Exception):
    """The schema cannot be compiled; the text starts with the line number, and the file if there are several."""

    def __init__(self, line: int, message: str, file: str | None = None) -> None:
        super().__init__(f"line {line}: {message}" if file is None else f"{file}: line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Node:
    """Anything in a schema, with the line that it begins on. Equal are nodes that mean the same, wherever they stand."""

    line: int = field(compare=False)


@dataclass(frozen=True)
class Primitive(Node):
    name: str


@dataclass(frozen=True)
class Data(Node):
    """``data``, or ``data[length]``."""

    length: int | None


@dataclass(frozen=True)
class Optional(Node):
    item: Type


@dataclass(frozen=True)
class List(Node):
    """``list<item>``, or ``list<item>[length]``."""

    item: Type
    length: int | None


@dataclass(frozen=True)
class Map(Node):
    key: Type
    value: Type


@dataclass(frozen=True)
class Field(Node):
    name: str
    type: Type
    comment: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True)
class Struct(Node):
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class EnumValue(Node):
    name: str
    value: int
    comment: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True)
class Enum(Node):
    values: tuple[EnumValue, ...]


@dataclass(frozen=True)
class Member(Node):
    tag: int
    type: Type


@dataclass(frozen=True)
class Union(Node):
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Named(Node):
    name: str


Type = Primitive | Data | Optional | List | Map | Struct | Enum | Union | Named


@dataclass(frozen=True)
class Definition(Node):
    """``type name ...``; ``comment`` is the block of comment lines that ends on the line above."""

    name: str
    type: Type
    comment: tuple[str, ...]


@dataclass(frozen=True)
class Token:
    text: str
    line: int
    comment: tuple[str, ...] = ()


_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[{}<>\[\]|=:]")


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens, each with the comment right above it, then an empty one for the end."""
    comment: list[str] = []
    line = 0
    for line, raw in enumerate(text.split("\n"), start=1):
        code, hash_sign, remark = raw.partition("#")
        position = 0
        while (position := _skip_space(code, position)) < len(code):
            match = _TOKEN.match(code, position)
            if match is None:
                raise SchemaError(line, f"unexpected character {code[position]!r}")
            yield Token(match.group(), line, tuple(comment))
            comment.clear()
            position = match.end()
        if hash_sign and not code.strip():
            comment.append(remark.strip("# \t\r"))
        else:
            comment.clear()
    yield Token("", line)


def _skip_space(code: str, position: int) -> int:
    while position < len(code) and code[position] in " \t\r":
        position += 1
    return position


def parse(text: str) -> tuple[Definition, ...]:
    """Parse a whole schema; raises :class:`SchemaError` at the first thing that is not BARE."""
    parser = _Parser(tokenize(text))
    definitions: list[Definition] = []
    while parser.token.text:
        definitions.append(parser.definition())
    return tuple(definitions)


class _Parser:
    """Recursive descent, one token ahead."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._tokens = tokens
        self.token = next(tokens)
        self._depth = 0

    def take(self) -> Token:
        taken = self.token
        if taken.text:
            self.token = next(self._tokens)
        return taken

    def accept(self, text: str) -> bool:
        if self.token.text != text:
            return False
        self.take()
        return True

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected(repr(text))

    def unexpected(self, wanted: str) -> SchemaError:
        found = repr(self.token.text) if self.token.text else "the end of the schema"
        return SchemaError(self.token.line, f"expected {wanted}, found {found}")

    def name(self, what: str, pattern: str) -> Token:
        if not re.fullmatch(pattern, self.token.text):
            raise self.unexpected(what)
        return self.take()

    def number(self) -> int:
        if not self.token.text.isdecimal():
            raise self.unexpected("a number")
        return int(self.take().text)

    def definition(self) -> Definition:
        first = self.token
        self.expect("type")
        name = self.name("a type name (it begins with an upper-case letter)", r"[A-Z][A-Za-z0-9]*")
        return Definition(name.text, self.type(), first.comment, line=first.line)

    def type(self) -> Type:
        if self._depth >= _MAX_DEPTH:
            raise SchemaError(self.token.line, f"more than {_MAX_DEPTH} types inside each other")
        self._depth += 1
        try:
            return self._type()
        finally:
            self._depth -= 1

    def _type(self) -> Type:
        token = self.token
        if token.text in PRIMITIVES:
            self.take()
            return Primitive(token.text, line=token.line)
        if token.text in COMPOSITES:
            self.take()
            return self.composite(token)
        if re.fullmatch("[A-Z][A-Za-z0-9]*", token.text):
            self.take()
            return Named(token.text, line=token.line)
        raise self.unexpected("a type")

    def composite(self, keyword: Token) -> Type:
        line = keyword.line
        match keyword.text:
            case "data":
                return Data(self.length(), line=line)
            case "optional":
                return Optional(self.parameter(), line=line)
            case "list":
                return List(self.parameter(), self.length(), line=line)
            case "map":
                return Map(self.parameter(), self.parameter(), line=line)
            case "struct":
                return Struct(tuple(self.fields()), line=line)
            case "enum":
                return Enum(tuple(self.enum_values()), line=line)
        return Union(tuple(self.members()), line=line)

    def parameter(self) -> Type:
        self.expect("<")
        parameter = self.type()
        self.expect(">")
        return parameter

    def length(self) -> int | None:
        if not self.accept("["):
            return None
        length = self.number()
        self.expect("]")
        return length

    def fields(self) -> Iterator[Field]:
        self.expect("{")
        while not self.accept("}"):
            name = self.name("a field name", r"[A-Za-z][A-Za-z0-9_]*")
            self.expect(":")
            yield Field(name.text, self.type(), name.comment, line=name.line)

    def enum_values(self) -> Iterator[EnumValue]:
        self.expect("{")
        value = 0
        while not self.accept("}"):
            name = self.name("the name of an enum value", r"[A-Za-z][A-Za-z0-9_]*")
            if self.accept("="):
                value = self.number()
            yield EnumValue(name.text, value, name.comment, line=name.line)
            value += 1

    def members(self) -> Iterator[Member]:
        self.expect("{")
        # Both a leading and a trailing bar are in use, so both are accepted.
        self.accept("|")
        tag = 0
        while not self.accept("}"):
            first = self.token
            member = self.type()
            if self.accept("="):
                tag = self.number()
            yield Member(tag, member, line=first.line)
            tag += 1
            if self.token.text != "}":
                self.expect("|")
