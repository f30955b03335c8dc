#!/usr/bin/env bash
# Installs the JavaScript client into .javascript/ at the top of the project, for tests; does nothing where it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=rivetkit
version=$(sed -n 's/^ENGINE_VERSION: Final = "\(.*\)"$/\1/p' rivet_runner/testing/engine_binary.py)
if [ -z "$version" ]; then
  echo "javascript: no ENGINE_VERSION in rivet_runner/testing/engine_binary.py" >&2
  exit 1
fi

installed() {
  grep -qs "\"version\": *\"$version\"" ".javascript/node_modules/$package/package.json"
}

if installed; then
  exit 0
fi

if ! command -v npm >/dev/null 2>&1; then
  echo "javascript: npm is missing. Install Node.js 20 or newer, which brings npm." >&2
  exit 1
fi

# Two runs of the tests must not install it at once. Where there is no flock, as on macOS, that is not ensured.
mkdir -p .javascript
if command -v flock >/dev/null 2>&1; then
  exec 9>.javascript/.lock
  flock 9
  if installed; then
    exit 0
  fi
fi

# The client needs none of the binaries for servers, which are optional packages or scripts.
options=(--prefix .javascript --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
# npm keeps its cache in the home folder; without a usable one it would fail or write into the root folder.
if [ -z "${HOME:-}" ] || [ ! -w "${HOME:-}" ]; then
  temporary_cache=$(mktemp -d)
  trap 'rm -rf "$temporary_cache"' EXIT
  options+=(--cache "$temporary_cache")
fi

echo "javascript: installing $package@$version into .javascript/"
if ! output=$(npm install "${options[@]}" "$package@$version" 2>&1); then
  echo "$output" >&2
  echo "javascript: the installation failed; the reason is above" >&2
  exit 1
fi
echo "javascript: ready"
