#!/usr/bin/env bash
# Sees to it that there is a Chromium for the tests that use a browser; does nothing where there is one. As root, where apt-get
# is, it installs Debian's package; otherwise it says how to get one.
set -euo pipefail

if [ -n "${RIVET_BROWSER:-}" ]; then
  if command -v "$RIVET_BROWSER" >/dev/null 2>&1; then
    exit 0
  fi
  echo "browser: RIVET_BROWSER is '$RIVET_BROWSER', which is no program" >&2
  exit 1
fi

installed() {
  command -v chromium >/dev/null 2>&1 ||
    command -v chromium-browser >/dev/null 2>&1 ||
    command -v google-chrome >/dev/null 2>&1
}

if installed; then
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "browser: there is no Chromium. Install one, on Debian with: sudo apt-get install chromium" >&2
  echo "         Or set RIVET_BROWSER to a Chromium or Chrome that is not on PATH." >&2
  exit 1
fi

echo "browser: installing Debian's chromium package"
export DEBIAN_FRONTEND=noninteractive
if ! output=$({ apt-get update && apt-get install -y --no-install-recommends chromium; } 2>&1); then
  echo "$output" >&2
  echo "browser: the installation failed; the reason is above" >&2
  exit 1
fi
if ! installed; then
  echo "$output" >&2
  echo "browser: apt-get installed no chromium. Set RIVET_BROWSER to one." >&2
  exit 1
fi
echo "browser: ready"
