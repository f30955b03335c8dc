"""Compiles the schemas of both protocols to Python modules, one a version and two that its versions share.

python protocol/generate.py            # after a change of a schema or of the compiler
python protocol/generate.py --check    # are the modules up to date?
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from bare.module import generate_versions
from bare.schema import SchemaError

SCHEMAS = Path(__file__).parent
MODULES = SCHEMAS.parent / "rivet_runner" / "protocol"


@dataclass(frozen=True)
class Protocol:
    """Where a protocol's schemas are and its modules go; ``folder`` and ``title`` are what the modules call them."""

    schemas: Path
    modules: Path
    package: str
    folder: str
    title: str


PROTOCOLS = {
    "runner": Protocol(SCHEMAS, MODULES, "rivet_runner.protocol", "protocol", "runner protocol"),
    "client": Protocol(
        SCHEMAS / "clients", MODULES / "clients", "rivet_runner.protocol.clients", "protocol/clients", "client protocol"
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 1 for a bad schema, or modules that ``--check`` finds out of date."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.protocol is None and (options.schemas or options.output):
        parser.error("another folder needs --protocol")
    texts: dict[Path, str] = {}
    for name in [options.protocol] if options.protocol else PROTOCOLS:
        protocol = PROTOCOLS[name]
        schemas: Path = options.schemas or protocol.schemas
        try:
            modules = compile_protocol(protocol, schemas)
        except SchemaError as error:
            print(f"{schemas}/{error}", file=sys.stderr)
            return 1
        texts |= {(options.output or protocol.modules) / f"{module}.py": text for module, text in modules.items()}
    if options.check:
        return _check(texts)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


def compile_protocol(protocol: Protocol, schemas: Path) -> dict[str, str]:
    """The texts of a protocol's modules, by name. Raises `SchemaError` for a bad schema."""
    common, versions = read_schemas(schemas)
    return generate_versions(common, versions, protocol.folder, protocol.package, protocol.title)


def read_schemas(folder: Path) -> tuple[str, dict[str, str]]:
    """The text that all versions begin with, and the rest of each version by its name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.bare"))}
    return texts.pop("common", ""), texts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compile BARE schemas (draft-devault-bare) to Python modules.")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="only this one; default: all")
    parser.add_argument("--schemas", type=Path, help="another folder of .bare files; needs --protocol")
    parser.add_argument("--output", type=Path, help="another folder for the modules; needs --protocol")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a module is not what would be written",
    )
    return parser


def _check(texts: dict[Path, str]) -> int:
    outdated = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in outdated:
        print(f"{path} is not what the schemas compile to; generate it again", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
