"""Puts the generated modules together: one for a schema by itself, or several for the versions of a protocol."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from bare.family import Family
from bare.functions import Block, constants, private_functions, public_functions
from bare.model import Model
from bare.schema import SchemaError, parse
from bare.shapes import Shape, snake_case
from bare.source import Scope
from bare.types import type_lines

_PRIMITIVES = "rivet_runner.protocol"
"""The package of the primitives, and of the runner protocol."""

_STANDARD_MODULES = ("collections.abc", "enum", "struct", "typing")
TYPES_MODULE = "messages"
FUNCTIONS_MODULE = "_shared"

# Functions check the exact type of every value before they encode it, which a type checker holds to be unnecessary.
_PRAGMAS = ["# mypy: no-warn-unreachable", "# ruff: noqa: E501"]

_CODEC_DOCUMENTATION = '''\
"""The messages of {title} as frozen Structs, and the functions that encode and decode them.

``encode_*`` raises a ``TypeError`` or ``ValueError`` that names the field. ``decode_*`` takes any bytes-like
object and raises ``DecodeError`` for anything but exactly one message; it makes a ``list`` of a list, and a
``dict`` of a map in the order of the bytes. A type without contents is a Struct without fields, and a message
that is a list is a Struct with the one field ``items``.
"""
'''

_TYPES_DOCUMENTATION = '''\
"""The messages that mean the same in every version of the protocol that has them: one class for all versions.

Code that imports its messages from here names no version. A union has the members of all versions; the module
of a version says which of them it has, and refuses to encode the others with a ``TypeError``.
"""
'''

_FUNCTIONS_DOCUMENTATION = '''\
"""The functions for those parts of a message that have the same bytes in several versions of the protocol."""
'''


def generate(schema: str, source: str) -> str:
    """Compile a schema to the text of a Python module; ``source`` is what the module calls the schema."""
    model = Model(parse(schema))
    return _codec(model, model.shapes, Scope(), source, source, _PRIMITIVES)


def generate_versions(
    common: str,
    versions: Mapping[str, str],
    folder: str,
    package: str = _PRIMITIVES,
    title: str = "runner protocol",
) -> dict[str, str]:
    """Compile the versions of a protocol to modules: their texts, by name.

    ``versions`` has what each version's schema adds to ``common``, by the name of its module. ``folder`` is what the modules
    call the place of the schemas, and ``title`` the protocol. ``package`` is where the modules will be.
    """
    models = {name: _model(common, name, schema) for name, schema in versions.items()}
    family = Family(models)
    modules = {
        TYPES_MODULE: _types(family, f"the schemas in {folder}", package),
        FUNCTIONS_MODULE: _functions(family, f"the schemas in {folder}", package),
    }
    for name, model in models.items():
        own = {type_: shape for type_, shape in model.shapes.items() if type_ not in family.imported_types(name)}
        scope = Scope([*family.constants, *family.functions])
        source = f"{folder}/common.bare and {folder}/{name}.bare"
        modules[name] = _codec(model, own, scope, source, f"{title} {name.removeprefix('v')}", package)
    return modules


def _model(common: str, version: str, schema: str) -> Model:
    try:
        return Model(parse(f"{common}\n{schema}"))
    except SchemaError as error:
        common_lines = common.count("\n") + 1
        if error.line <= common_lines:
            raise SchemaError(error.line, error.message, "common.bare") from None
        raise SchemaError(error.line - common_lines, error.message, f"{version}.bare") from None


def _types(family: Family, source: str, package: str) -> str:
    body = [*_all(sorted(family.types)), *type_lines(family.types)]
    return _module(source, package, _TYPES_DOCUMENTATION, {}, body)


def _functions(family: Family, source: str, package: str) -> str:
    body = _function_lines(family.constants, family.functions, [], Scope([*family.constants, *family.functions]))
    return _module(source, package, _FUNCTIONS_DOCUMENTATION, {TYPES_MODULE: family.types}, body)


def _codec(model: Model, types: Mapping[str, Shape], scope: Scope, source: str, title: str, package: str) -> str:
    """A module with every name of the model. It writes ``types``, and the functions that the scope does not import."""
    exported = [f"{verb}_{snake_case(root)}" for root in model.roots() for verb in ("decode", "encode")]
    body = [*_all([*sorted(model.shapes), *sorted(exported)]), *type_lines(types)]
    body += _function_lines(
        {name: block for name, block in constants(model).items() if name not in scope.public},
        {name: block for name, block in private_functions(model).items() if name not in scope.public},
        public_functions(model, scope),
        scope,
    )
    imports = {FUNCTIONS_MODULE: scope.public, TYPES_MODULE: model.shapes.keys() - types.keys()}
    return _module(source, package, _CODEC_DOCUMENTATION.format(title=title), imports, body)


def _module(source: str, package: str, documentation: str, imports: Mapping[str, Collection[str]], body: list[str]) -> str:
    """The text of a module: its head, and the imports that its body needs."""
    lines = [f"# This file is generated from {source} by protocol/generate.py: change the schema, and generate again."]
    lines += [*_PRAGMAS, documentation, "from __future__ import annotations", ""]
    words = set(re.findall(r"\w+", "\n".join(body)))
    modules = [module for module in _STANDARD_MODULES if module.partition(".")[0] in words]
    lines += [*(f"import {module}" for module in modules), ""]
    if "msgspec" in words:
        lines += ["import msgspec", ""]
    if "_bare" in words:
        lines.append(f"from {_PRIMITIVES} import _bare")
    for module, names in imports.items():
        lines += _import(f"{package}.{module}", sorted(words.intersection(names)))
    return "\n".join([*lines, *([""] if lines[-1] else []), *body]) + "\n"


def _import(module: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"from {module} import ("
        yield from (f"    {name}," for name in names)
        yield ")"


def _all(names: Iterable[str]) -> Iterator[str]:
    yield "__all__ = ["
    yield from (f'    "{name}",' for name in names)
    yield "]"


def _function_lines(
    constants: Mapping[str, Block], functions: Mapping[str, Block], public: Iterable[list[str]], scope: Scope
) -> list[str]:
    blocks = [*(block.lines(scope) for block in functions.values()), *public]
    # Only now does the scope know which packers they need.
    lines = ["", "", "_ONE_BYTE: typing.Final = _bare.ONE_BYTE", *scope.packer_lines()]
    lines += [line for block in constants.values() for line in block.lines(scope)]
    return lines + [line for block in blocks for line in ("", "", *block)]
