#!/usr/bin/env bash
# Installs the engine into .engine/ at the top of the project; does nothing where it is installed already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=@rivetkit/engine-cli
version=$(sed -n 's/^ENGINE_VERSION: Final = "\(.*\)"$/\1/p' rivet_runner/testing/engine_binary.py)
if [ -z "$version" ]; then
  echo "engine: no ENGINE_VERSION in rivet_runner/testing/engine_binary.py" >&2
  exit 1
fi

if [ -n "${RIVET_ENGINE_BINARY:-}" ]; then
  echo "engine: RIVET_ENGINE_BINARY is set, nothing to install"
  exit 0
fi

installed() {
  local folder
  for folder in .engine/node_modules/"$package"-*/; do
    if [ -x "$folder/rivet-engine" ] && grep -q "\"version\": *\"$version\"" "$folder/package.json"; then
      return 0
    fi
  done
  return 1
}

if installed; then
  exit 0
fi

if ! command -v npm >/dev/null 2>&1; then
  echo "engine: npm is missing. Install Node.js 20 or newer, which brings npm, or set RIVET_ENGINE_BINARY to" >&2
  echo "        an engine binary of version $version." >&2
  exit 1
fi

mkdir -p .engine
options=(--prefix .engine --no-audit --no-fund --no-update-notifier --loglevel=error)
# npm keeps its cache in the home folder; without a usable one it would fail or write into the root folder.
temporary_cache=
if [ -z "${HOME:-}" ] || [ ! -w "${HOME:-}" ]; then
  temporary_cache=$(mktemp -d)
  trap 'rm -rf "$temporary_cache"' EXIT
  options+=(--cache "$temporary_cache")
fi

echo "engine: installing $package@$version into .engine/"
if ! output=$(npm install "${options[@]}" "$package@$version" 2>&1); then
  echo "$output" >&2
  echo "engine: the installation failed; the reason is above" >&2
  exit 1
fi
if ! installed; then
  # The platform's package is optional to npm, which says nothing when there is none or its download fails.
  echo "$output" >&2
  echo "engine: npm installed no binary for $(uname -s) $(uname -m). Try again, or set RIVET_ENGINE_BINARY." >&2
  exit 1
fi
echo "engine: ready"
