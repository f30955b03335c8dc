"""Compiles a BARE schema to a Python module.

python protocol/generate.py protocol/v3.bare                                        # to standard output
python protocol/generate.py protocol/v3.bare --output rivet_runner/protocol/v3.py
python protocol/generate.py protocol/v3.bare --output rivet_runner/protocol/v3.py --check
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bare.module import generate
from bare.schema import SchemaError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 1 for a bad schema, or a file that ``--check`` finds out of date."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.check and options.output is None:
        parser.error("--check needs --output, the file to check")
    schema: Path = options.schema
    output: Path | None = options.output
    try:
        module = generate(schema.read_text(encoding="utf-8"), f"protocol/{schema.name}")
    except SchemaError as error:
        print(f"{schema}: {error}", file=sys.stderr)
        return 1
    if output is None:
        sys.stdout.write(module)
        return 0
    if options.check:
        return _check(module, output)
    output.write_text(module, encoding="utf-8", newline="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compile a BARE schema (draft-devault-bare) to a Python module.")
    parser.add_argument("schema", type=Path, help="the .bare file")
    parser.add_argument("--output", type=Path, help="the module to write; standard output if not given")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if the output file is not what would be written",
    )
    return parser


def _check(module: str, output: Path) -> int:
    if output.is_file() and output.read_text(encoding="utf-8") == module:
        return 0
    print(f"{output} is not what its schema compiles to; generate it again", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
