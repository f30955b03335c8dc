#!/usr/bin/env bash
# Builds the distributions into dist/, and checks both as their users get them: the tests that need no engine pass in the
# unpacked sdist, in an environment of its own, and the wheel has the package alone, with its types.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${1:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo "sdist: building"
rm -rf dist
"$python" -m build --outdir dist . >"$folder/build.log" 2>&1 || { cat "$folder/build.log" >&2; exit 1; }

echo "sdist: installing into an environment of its own"
"$python" -m venv "$folder/venv"
mkdir "$folder/source"
tar -xzf dist/*.tar.gz -C "$folder/source" --strip-components=1
pip=("$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" dist/*.whl
(cd "$folder" && venv/bin/python - <<'CHECK'
import importlib.metadata
import importlib.resources

import rivet_runner

version = importlib.metadata.version("rivet-runner")
assert version == rivet_runner.__version__, (version, rivet_runner.__version__)
assert importlib.resources.files(rivet_runner).joinpath("py.typed").is_file()
rooms = {file.parts[0] for file in importlib.metadata.files("rivet-runner") or ()}
assert rooms == {"rivet_runner", f"rivet_runner-{version}.dist-info"}, rooms
CHECK
)
"${pip[@]}" "$folder/source[dev,uvloop]"

echo "sdist: running its tests"
cd "$folder/source"
RIVET_REQUIRE_ENGINE=0 "$folder/venv/bin/python" -m pytest -n auto -m "not engine"
