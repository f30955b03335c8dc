"""Compiles the schemas of the protocol to Python modules, one a version and two that the versions share.

python protocol/generate.py            # after a change of a schema or of the compiler
python protocol/generate.py --check    # are the modules up to date?
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bare.module import generate_versions
from bare.schema import SchemaError

SCHEMAS = Path(__file__).parent
MODULES = SCHEMAS.parent / "rivet_runner" / "protocol"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 1 for a bad schema, or modules that ``--check`` finds out of date."""
    options = _parser().parse_args(arguments)
    schemas: Path = options.schemas
    folder: Path = options.output
    common, versions = read_schemas(schemas)
    try:
        modules = generate_versions(common, versions, "protocol")
    except SchemaError as error:
        print(f"{schemas}/{error}", file=sys.stderr)
        return 1
    texts = {folder / f"{name}.py": text for name, text in modules.items()}
    if options.check:
        return _check(texts)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


def read_schemas(folder: Path) -> tuple[str, dict[str, str]]:
    """The text that all versions begin with, and the rest of each version by its name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.bare"))}
    return texts.pop("common", ""), texts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compile BARE schemas (draft-devault-bare) to Python modules.")
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="the folder of the .bare files")
    parser.add_argument("--output", type=Path, default=MODULES, help="the folder of the modules")
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
