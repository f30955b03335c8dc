#!/usr/bin/env bash
# Builds the JavaScript client for the page of the chat example: one file, build/rivetkit-client.js, which needs no network.
# Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bundler=esbuild@0.25.12
output=build/rivetkit-client.js

built() {
  [ "$output" -nt .javascript/node_modules/rivetkit/package.json ]
}

tools/install_javascript_client.sh
if built; then
  exit 0
fi

# Two runs of the tests must not build it at once. Where there is no flock, as on macOS, that is not ensured.
if command -v flock >/dev/null 2>&1; then
  exec 9>.javascript/.bundler-lock
  flock 9
  if built; then
    exit 0
  fi
fi

options=(--prefix .javascript/bundler --no-audit --no-fund --no-update-notifier --loglevel=error)
# npm keeps its cache in the home folder; without a usable one it would fail or write into the root folder.
if [ -z "${HOME:-}" ] || [ ! -w "${HOME:-}" ]; then
  temporary_cache=$(mktemp -d)
  trap 'rm -rf "$temporary_cache"' EXIT
  options+=(--cache "$temporary_cache")
fi

echo "chat: building the page's client"
mkdir -p .javascript/bundler build
npm install "${options[@]}" "$bundler" >/dev/null
# The page may be loaded meanwhile, so the file appears as a whole.
printf 'export { createClient } from "rivetkit/client";\n' | NODE_PATH=.javascript/node_modules \
  .javascript/bundler/node_modules/.bin/esbuild --bundle --minify --format=esm --platform=browser --log-level=warning \
  --outfile="$output.new"
mv "$output.new" "$output"
