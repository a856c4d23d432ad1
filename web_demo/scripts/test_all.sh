#!/usr/bin/env bash
# Installs what the tests of web_demo or web_preview need, and runs them all: types, lint, codec, page
# in Chromium: `test_all.sh web_demo`. What cannot be installed is skipped, and said loudly at the end.
set -euo pipefail
name=${1:?give web_demo or web_preview}
cd "$(dirname "$0")/../../$name"

if ! node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null; then
  echo "SKIPPED: all tests of $name/, as there is no Node 20 or later; install it" >&2
  exit 0
fi
# Install scripts are not needed: esbuild's only makes its start faster.
npm ci --ignore-scripts --no-audit --no-fund
npm run lint
npm test

chromium() {
  for found in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
    [ -z "$found" ] || [ ! -x "$found" ] || return 0
  done
  return 1
}
if ! chromium && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null || true
fi
if chromium; then
  npm run test:browser
else
  echo "SKIPPED: the browser test of $name/, as there is no Chromium and it cannot be" \
    "installed here; install it, or set CHROMIUM to its path" >&2
fi
